//! Writes a segment: rows in order, from one end to the other.

use std::{
    fs::{self, File},
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
};

use twox_hash::XxHash3_64;

use super::{
    block::{Codec, FRAME_BYTES, Packer, ROW_FRAME_BYTES, push_row, shared_bytes},
    error::{Error, failed},
    filter::Filter,
    footer::Footer,
    index::Index,
    key::{HEIGHT_BYTES, height_of, row_prefix},
    room::Room,
};
use crate::chain::Height;

/// Rows are packed together until they take so much. A look-up reads one block: larger ones cost more of it, smaller
/// ones pack worse and need a larger index. Tests in here have many blocks of few rows.
const BLOCK_BYTES: usize = if cfg!(test) { 256 } else { 16 << 10 };
/// Rows that do not get smaller are put into blocks of one page each, so that a look-up reads one page: what it costs is
/// the reading, and what it takes of the page cache.
const PAGE_BYTES: usize = if cfg!(test) { 128 } else { 4 << 10 };
/// Bytes of blocks in a file at most: offsets have 32 bits, and the last block may be large.
const BLOCKS_BYTES_MAX: u32 = 1 << 30;
/// Bytes that go to the file at once.
const BUFFER_BYTES: usize = 1 << 20;
/// Bytes after which what was written is brought onto the disk, so that the end of a large file is not one long wait.
const SYNC_EVERY_BYTES: u64 = 64 << 20;
/// Rows of a segment at most: the hash of every key is in memory until the filter is made, 32 MiB then.
const ROWS_MAX: u64 = 4 << 20;
/// Separators of a segment at most, for which 32 bits are offsets enough.
const SEPARATORS_BYTES_MAX: usize = 1 << 30;

/// A file that goes unless it is finished.
struct Unfinished {
    path: PathBuf,
    out: BufWriter<File>,
    is_finished: bool,
}

/// A segment that is being written. The file goes with it, unless it is [finished](Self::finish).
pub struct Writer {
    file: Unfinished,
    /// Where it lies; none: nothing is kept of the disk.
    room: Option<Room>,
    /// Bytes of the file so far, up to which they are on the disk, and up to which there was room for them.
    written: u64,
    synced: u64,
    roomy: u64,
    packer: Packer,
    index: Index,
    /// One for each key.
    hashes: Vec<u64>,
    /// The rows of the block that is being filled.
    rows: Vec<u8>,
    first_key: Vec<u8>,
    /// The last row's key, and that of the last row of the block before.
    last_key: Vec<u8>,
    before: Vec<u8>,
    packed: Vec<u8>,
    count: u64,
    raw_bytes: u64,
    heights: (Height, Height),
}

impl Writer {
    /// Begins a file; one of that name is overwritten.
    ///
    /// # Errors
    /// [`Error::File`].
    pub fn create(path: &Path, codec: Codec) -> Result<Self, Error> {
        let file = File::create(path).map_err(failed("create", path))?;
        Ok(Self {
            file: Unfinished {
                path: path.into(),
                out: BufWriter::with_capacity(BUFFER_BYTES, file),
                is_finished: false,
            },
            room: None,
            written: 0,
            synced: 0,
            roomy: 0,
            packer: Packer::new(codec),
            index: Index::new(),
            hashes: Vec::new(),
            rows: Vec::with_capacity(2 * BLOCK_BYTES),
            first_key: Vec::new(),
            last_key: Vec::new(),
            before: Vec::new(),
            packed: Vec::new(),
            count: 0,
            raw_bytes: 0,
            heights: (Height(u32::MAX), Height(0)),
        })
    }

    /// Leaves as much of the disk as that room says.
    #[must_use]
    pub fn within(self, room: &Room) -> Self {
        Self {
            room: Some(room.clone()),
            ..self
        }
    }

    /// Adds a row. Its key must be behind the one before it.
    ///
    /// # Errors
    /// [`Error::File`], also when there is no more room.
    pub fn push(&mut self, row_key: &[u8], value: &[u8]) -> Result<(), Error> {
        debug_assert!(self.count == 0 || *self.last_key < *row_key, "rows come in order");
        if self.count == 0 || row_prefix(row_key) != row_prefix(&self.last_key) {
            self.hashes.push(hash(row_prefix(row_key)));
        }
        if self.packer.gives_up() && !self.rows.is_empty() && self.ends_page(row_key, value) {
            self.end_block()?;
        }
        if self.rows.is_empty() {
            self.first_key.clear();
            self.first_key.extend_from_slice(row_key);
            push_row(&mut self.rows, &[], row_key, value);
        } else {
            push_row(&mut self.rows, &self.last_key, row_key, value);
        }
        self.last_key.clear();
        self.last_key.extend_from_slice(row_key);
        let height = height_of(row_key);
        self.heights = (self.heights.0.min(height), self.heights.1.max(height));
        self.count += 1;
        self.raw_bytes += guest_bytes(row_key, value);
        if self.rows.len() >= BLOCK_BYTES {
            self.end_block()?;
        }
        Ok(())
    }

    /// Bytes written so far, without the block that is being filled.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.written
    }

    /// Rows so far.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.count
    }

    /// Whether no more rows should be added: what is held in memory until the end is as much as it may be.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.count >= ROWS_MAX
            || self.index.bytes() >= BLOCKS_BYTES_MAX
            || self.index.separators_bytes() >= SEPARATORS_BYTES_MAX
    }

    /// The key of the last row.
    #[must_use]
    pub fn last_key(&self) -> &[u8] {
        &self.last_key
    }

    /// Ends the file and brings it onto the disk, though not its name. There must be a row in it.
    ///
    /// # Errors
    /// [`Error::File`].
    pub fn finish(mut self) -> Result<(), Error> {
        self.end_block()?;
        self.index.end_with(&self.last_key);
        let index = self.index.encode();
        let filter = Filter::of(&self.hashes).bytes();
        self.must_have_room(self.written + (index.len() + filter.len()) as u64)?;
        let footer = Footer {
            index_at: self.written,
            filter_at: self.written + index.len() as u64,
            rows: self.count,
            raw_bytes: self.raw_bytes,
            lowest: self.heights.0,
            highest: self.heights.1,
            checksum: checksum(&index, &filter),
        };
        let Unfinished { path, out, is_finished } = &mut self.file;
        let mut end = || -> io::Result<()> {
            out.write_all(&index)?;
            out.write_all(&filter)?;
            out.write_all(&footer.encode())?;
            out.flush()?;
            out.get_ref().sync_data()
        };
        end().map_err(failed("write", path))?;
        *is_finished = true;
        Ok(())
    }

    /// Whether a row would make the block longer than a page.
    fn ends_page(&self, row_key: &[u8], value: &[u8]) -> bool {
        let rest = row_key.len() - shared_bytes(&self.last_key, row_key);
        self.rows.len() + ROW_FRAME_BYTES + rest + value.len() + FRAME_BYTES > PAGE_BYTES
    }

    /// Bytes to leave out before the block that is being filled, so that it lies on one page.
    fn padding(&self) -> u32 {
        #[allow(clippy::cast_possible_truncation)] // Less than a page.
        let on_page = self.written as usize % PAGE_BYTES;
        let ends_behind = on_page + self.rows.len() + FRAME_BYTES > PAGE_BYTES;
        #[allow(clippy::cast_possible_truncation)] // Less than a page.
        let padding = (PAGE_BYTES - on_page) as u32;
        if self.packer.gives_up() && on_page > 0 && ends_behind {
            padding
        } else {
            0
        }
    }

    /// Asks once for each buffer, and for the first block.
    fn must_have_room(&mut self, upto: u64) -> Result<(), Error> {
        if let Some(room) = self.room.as_ref().filter(|_| upto > self.roomy) {
            let bytes = (upto - self.roomy).max(BUFFER_BYTES as u64);
            room.check(bytes)?;
            self.roomy += bytes;
        }
        Ok(())
    }

    fn end_block(&mut self) -> Result<(), Error> {
        if self.rows.is_empty() {
            return Ok(());
        }
        let padding = self.padding();
        self.packer.pack(&self.rows, &mut self.packed);
        self.rows.clear();
        self.index.pad(padding);
        let bytes = u32::try_from(self.packed.len()).unwrap_or(u32::MAX);
        self.index.push(&self.first_key, &self.before, bytes);
        self.before.clear();
        self.before.extend_from_slice(&self.last_key);
        self.written += u64::from(padding) + self.packed.len() as u64;
        self.must_have_room(self.written)?;
        let Unfinished { path, out, .. } = &mut self.file;
        let mut write = || -> io::Result<()> {
            out.write_all(&[0; PAGE_BYTES][..padding as usize])?;
            out.write_all(&self.packed)?;
            if self.written - self.synced >= SYNC_EVERY_BYTES {
                out.flush()?;
                out.get_ref().sync_data()?;
                self.synced = self.written;
            }
            Ok(())
        };
        write().map_err(failed("write", path))
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if !self.is_finished {
            // Nothing refers to it; the next start removes it otherwise.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// The hash of a key in a filter.
pub(super) fn hash(prefix: &[u8]) -> u64 {
    XxHash3_64::oneshot(prefix)
}

/// Of an index and a filter.
pub(super) fn checksum(index: &[u8], filter: &[u8]) -> u64 {
    XxHash3_64::oneshot(index) ^ XxHash3_64::oneshot(filter).rotate_left(1)
}

/// Bytes of a row as a guest wrote it.
fn guest_bytes(row_key: &[u8], value: &[u8]) -> u64 {
    // The length before the key takes one byte below 255, else five. An old store may have rows that are none.
    let key = row_key.len().saturating_sub(HEIGHT_BYTES);
    let length = if key > 255 { 5 } else { 1 };
    (key.saturating_sub(length) + value.len()) as u64
}
