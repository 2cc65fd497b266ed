//! Where the blocks of a segment lie, and from which key on each of them may hold rows.
//!
//! ```text
//! index   count ‖ length of the last key ‖ last key ‖ for each block: length of its separator ‖ separator ‖ its bytes
//! ```
//!
//! A separator is behind every key of the blocks before, and not behind any of its own: the first key of the block, cut
//! as soon as that holds. All numbers are as in [`super::varint`].

use super::{block::shared_bytes, varint};

/// The index of a segment, in memory: some sixteen bytes a block.
#[derive(Debug, Default)]
pub(super) struct Index {
    /// One separator after the other.
    separators: Vec<u8>,
    /// Where each of them ends.
    ends: Vec<u32>,
    /// Where each block begins, and where the last one ends.
    offsets: Vec<u32>,
    last_key: Vec<u8>,
}

impl Index {
    /// Of no blocks.
    pub(super) fn new() -> Self {
        Self {
            offsets: vec![0],
            ..Self::default()
        }
    }

    /// Notes a block: its first key, the last key of the block before, its bytes on disk.
    pub(super) fn push(&mut self, first_key: &[u8], before: &[u8], bytes: u32) {
        let needed = if self.ends.is_empty() {
            first_key.len()
        } else {
            (shared_bytes(before, first_key) + 1).min(first_key.len())
        };
        self.push_separator(&first_key[..needed], bytes);
    }

    fn push_separator(&mut self, separator: &[u8], bytes: u32) {
        self.separators.extend_from_slice(separator);
        self.ends.push(u32::try_from(self.separators.len()).unwrap_or(u32::MAX));
        self.offsets.push(self.bytes().saturating_add(bytes));
    }

    /// Adds bytes, which hold nothing, to the last block.
    pub(super) fn pad(&mut self, bytes: u32) {
        if let Some(end) = self.offsets.last_mut() {
            *end = end.saturating_add(bytes);
        }
    }

    /// Bytes of all blocks.
    pub(super) fn bytes(&self) -> u32 {
        self.offsets.last().copied().unwrap_or(0)
    }

    /// Notes the last key of all.
    pub(super) fn end_with(&mut self, last_key: &[u8]) {
        self.last_key = last_key.to_vec();
    }

    /// How many blocks there are.
    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    /// Bytes of separators, which [`super::writer`] bounds.
    pub(super) fn separators_bytes(&self) -> usize {
        self.separators.len()
    }

    /// The first key of the segment.
    pub(super) fn first_key(&self) -> &[u8] {
        if self.ends.is_empty() { &[] } else { self.separator(0) }
    }

    /// The last key of the segment.
    pub(super) fn last_key(&self) -> &[u8] {
        &self.last_key
    }

    /// From this key on the block may hold rows.
    pub(super) fn separator(&self, block: usize) -> &[u8] {
        let from = block.checked_sub(1).map_or(0, |before| self.ends[before] as usize);
        &self.separators[from..self.ends[block] as usize]
    }

    /// Where a block lies: its offset and its bytes.
    pub(super) fn place(&self, block: usize) -> (u64, usize) {
        let (from, to) = (self.offsets[block], self.offsets[block + 1]);
        (u64::from(from), (to - from) as usize)
    }

    /// The last block that can hold the key; the first one for keys before all others.
    pub(super) fn block_of(&self, key: &[u8]) -> usize {
        let (mut from, mut to) = (0, self.len());
        while from < to {
            let middle = usize::midpoint(from, to);
            if self.separator(middle) <= key {
                from = middle + 1;
            } else {
                to = middle;
            }
        }
        from.saturating_sub(1)
    }

    /// What it takes in memory.
    pub(super) fn held_bytes(&self) -> usize {
        self.separators.len() + self.ends.len() * size_of::<u32>() + self.offsets.len() * size_of::<u32>()
    }

    /// As it lies on disk.
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.separators.len() + 4 * self.len() + self.last_key.len() + 16);
        varint::push(&mut out, self.len() as u64);
        varint::push(&mut out, self.last_key.len() as u64);
        out.extend_from_slice(&self.last_key);
        for block in 0..self.len() {
            let separator = self.separator(block);
            varint::push(&mut out, separator.len() as u64);
            out.extend_from_slice(separator);
            varint::push(&mut out, self.place(block).1 as u64);
        }
        out
    }

    /// Reads what [`Self::encode`] wrote of blocks, one at least, that take so many bytes; none if the bytes are not that.
    pub(super) fn decode(mut bytes: &[u8], blocks_bytes: u64) -> Option<Self> {
        let count = varint::take_length(&mut bytes)?;
        // Two bytes a block at least: a count that is not true makes nothing large.
        if count == 0 || count > bytes.len() {
            return None;
        }
        let mut index = Self::new();
        index.last_key = take(&mut bytes)?.to_vec();
        index.ends.reserve_exact(count);
        index.offsets.reserve_exact(count);
        for _ in 0..count {
            let separator = take(&mut bytes)?;
            let length = u32::try_from(varint::take(&mut bytes)?).ok()?;
            index.bytes().checked_add(length)?;
            index.push_separator(separator, length);
        }
        index.separators.shrink_to_fit();
        (u64::from(index.bytes()) == blocks_bytes && bytes.is_empty()).then_some(index)
    }
}

/// Takes a length and so many bytes off the front.
fn take<'a>(bytes: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = varint::take_length(bytes)?;
    let (taken, rest) = bytes.split_at_checked(length)?;
    *bytes = rest;
    Some(taken)
}
