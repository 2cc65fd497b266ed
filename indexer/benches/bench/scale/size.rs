//! How large an index is to grow, and what follows from it.

use std::{ops::Range, path::Path};

/// The size that the figures have bars for.
const WHOLE_MILLIONS: u32 = 300;
/// What `wide` writes with each block.
const ROWS_A_BLOCK: u32 = 40_000;
/// Disk a row may take at the worst moment, while the largest merge writes what it has not yet removed.
const DISK_BYTES_A_ROW: u64 = 150;
/// Blocks beyond all that are measured, so that the tip stays far.
const BEYOND: u32 = 300;
/// Blocks around 30 million rows.
const YOUNG: Range<u32> = 700..800;

/// So many million rows.
#[derive(Clone, Copy, Debug)]
pub(super) struct Size {
    pub(super) rows_millions: u32,
    /// Blocks of the sync.
    pub(super) blocks: u32,
}

/// Rows of so many blocks.
pub(crate) fn rows_after(blocks: u32) -> f64 {
    f64::from(blocks) * f64::from(ROWS_A_BLOCK)
}

impl Size {
    pub(super) fn of(rows_millions: u32) -> Self {
        Self {
            rows_millions,
            blocks: rows_millions * (1_000_000 / ROWS_A_BLOCK),
        }
    }

    /// # Errors
    /// When so many free bytes are not enough, and what can be done then.
    pub(super) fn fits(&self, dir: &Path, free_bytes: u64) -> Result<(), String> {
        let needed = u64::from(self.rows_millions) * 1_000_000 * DISK_BYTES_A_ROW;
        if free_bytes >= needed {
            return Ok(());
        }
        Err(format!(
            "{} million rows may take {} GB of disk, {} has {}: free some, set SHREWD_BENCH_DIR to a folder on another \
             disk, or let it grow less: make bench-scale ROWS=MILLIONS",
            self.rows_millions,
            needed / 1_000_000_000,
            dir.display(),
            free_bytes / 1_000_000_000
        ))
    }

    /// Height of the last block of the chain.
    pub(super) fn tip(&self) -> u32 {
        self.blocks + self.slow() + BEYOND
    }

    /// Blocks that are run on a slow disk.
    pub(super) fn slow(&self) -> u32 {
        (self.blocks / 50).clamp(20, 150)
    }

    /// Blocks that the pace before a kill is taken from.
    pub(super) fn before(&self) -> f64 {
        f64::from((self.blocks / 8).clamp(10, 100))
    }

    /// Blocks of one point of the curve.
    pub(super) fn window(&self) -> u32 {
        (self.blocks / 75).clamp(10, 100)
    }

    /// The last blocks of the sync: 500 of 7,500.
    pub(super) fn last(&self) -> Range<u32> {
        self.blocks - (self.blocks / 15).max(10)..self.blocks
    }

    /// Blocks that the last ones are compared with; none if there are not many more.
    pub(super) fn young(&self) -> Option<Range<u32>> {
        (self.blocks > 4 * YOUNG.end).then_some(YOUNG)
    }

    /// Whether the figures are those of a real run.
    pub(super) fn is_whole(&self) -> bool {
        self.rows_millions >= WHOLE_MILLIONS
    }
}
