//! Goes through the rows of a segment in order.

use std::sync::Arc;

use super::{
    block::{PackedRow, take_row, unpack_into},
    error::{Damaged, Error},
    runs::Placed,
};

/// Bytes of blocks that are read at once: enough for a disk to be busy with reading instead of seeking. In tests, some
/// blocks.
const READ_BYTES: usize = if cfg!(test) { 1 << 10 } else { 512 << 10 };

/// A place in the rows of a segment, as far as they count.
pub struct Cursor {
    placed: Arc<Placed>,
    /// Bytes of blocks to read next.
    read_bytes: usize,
    /// The next block to read.
    next_block: usize,
    /// Blocks as they lie on disk, and where in there the next one begins and the last one ends.
    read: Vec<u8>,
    at: usize,
    ends: Vec<usize>,
    /// The rows of one block, and how many bytes of them were taken.
    rows: Vec<u8>,
    taken: usize,
    key: Vec<u8>,
    /// Where the value lies in `rows`.
    value: (usize, usize),
}

impl Cursor {
    /// Before the first row at or behind a key, to go through many.
    #[must_use]
    pub fn new(placed: &Arc<Placed>, from: &[u8]) -> Self {
        Self::reading(placed, from, READ_BYTES)
    }

    /// Before the first row at or behind a key, to look at a few: it reads one block, and more each time after that.
    #[must_use]
    pub fn near(placed: &Arc<Placed>, from: &[u8]) -> Self {
        Self::reading(placed, from, 1)
    }

    fn reading(placed: &Arc<Placed>, from: &[u8], read_bytes: usize) -> Self {
        let from = from.max(placed.from());
        Self {
            next_block: placed.segment().index().block_of(from),
            placed: Arc::clone(placed),
            read_bytes,
            read: Vec::new(),
            at: 0,
            ends: Vec::new(),
            rows: Vec::new(),
            taken: 0,
            key: from.to_vec(),
            value: (0, 0),
        }
    }

    /// Goes to the first row at or behind the key this was made with. False: there is none.
    ///
    /// # Errors
    /// [`Error::File`], [`Error::Damaged`].
    pub fn first(&mut self) -> Result<bool, Error> {
        let from = std::mem::take(&mut self.key);
        while self.next()? {
            if self.key >= from {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Goes to the next row. False: there is none.
    ///
    /// # Errors
    /// [`Error::File`], [`Error::Damaged`].
    #[allow(clippy::should_implement_trait)] // What it gives is lent.
    pub fn next(&mut self) -> Result<bool, Error> {
        loop {
            if self.taken == self.rows.len() && !self.next_rows()? {
                return Ok(false);
            }
            let mut rest = &self.rows[self.taken..];
            let before = rest.len();
            let row = take_row(&mut rest).map_err(|damaged| self.damaged(damaged))?;
            let Some(PackedRow {
                shared,
                rest: tail,
                value,
            }) = row
            else {
                return Ok(false);
            };
            if shared > self.key.len() {
                return Err(self.damaged(Damaged("a row shares more than there is")));
            }
            self.key.truncate(shared);
            self.key.extend_from_slice(tail);
            let value = value.len();
            self.taken += before - rest.len();
            self.value = (self.taken - value, self.taken);
            if self.placed.counts(&self.key) {
                return Ok(true);
            }
        }
    }

    /// The key of the row it is at.
    #[must_use]
    pub fn key(&self) -> &[u8] {
        &self.key
    }

    /// The value of the row it is at.
    #[must_use]
    pub fn value(&self) -> &[u8] {
        &self.rows[self.value.0..self.value.1]
    }

    /// Unpacks the next block. False: there is none.
    fn next_rows(&mut self) -> Result<bool, Error> {
        if self.ends.is_empty() && !self.read_blocks()? {
            return Ok(false);
        }
        let Some(end) = self.ends.pop() else {
            return Ok(false);
        };
        let unpacked = unpack_into(&self.read[self.at..end], &mut self.rows);
        unpacked.map_err(|damaged| self.damaged(damaged))?;
        self.at = end;
        self.taken = 0;
        Ok(true)
    }

    /// Reads the next blocks. False: there are none.
    fn read_blocks(&mut self) -> Result<bool, Error> {
        let segment = self.placed.segment();
        let index = segment.index();
        if self.next_block >= index.len() {
            return Ok(false);
        }
        let (offset, _) = index.place(self.next_block);
        let mut bytes = 0;
        while self.next_block < index.len() && bytes < self.read_bytes {
            bytes += index.place(self.next_block).1;
            self.ends.push(bytes);
            self.next_block += 1;
        }
        self.read_bytes = (2 * bytes).min(READ_BYTES);
        self.ends.reverse();
        self.read.resize(bytes, 0);
        segment.read_through(&mut self.read, offset)?;
        self.at = 0;
        Ok(true)
    }

    fn damaged(&self, damaged: Damaged) -> Error {
        self.placed.segment().damaged(damaged)
    }
}
