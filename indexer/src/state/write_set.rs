//! The pairs one block wrote.
//!
//! Keys and values lie in one piece of memory, as they came from the guest. The thread that runs the guest does no more
//! than note where each begins; putting them in order is left to the first who needs the order, on its own thread. That
//! copies them once more, in order: digest and file each go through all pairs, and memory that is read
//! from one end to the other is several times as fast as the same bytes here and there.

use std::{fmt, ops::Range, sync::Arc, sync::OnceLock};

use bytes::Bytes;

use super::order::{ordered, shows_same, tag};

/// The pairs one block wrote, each key once, in row order ([`super::row_order`]).
#[derive(Clone, Default)]
pub struct WriteSet {
    flushed: Arc<Flushed>,
    sorted: OnceLock<Sorted>,
}

/// Pairs as they came from the guest: a key that was flushed twice is in it twice. Reads need no more than this.
#[derive(Debug, Default)]
pub struct Flushed {
    arena: Bytes,
    pairs: Vec<Pair>,
}

/// Each key once with its last value, in row order.
#[derive(Clone, Debug)]
struct Sorted {
    /// Key and value of each pair, both with their length (u32, big-endian) before them: what is hashed.
    bytes: Vec<u8>,
    len: usize,
}

/// The pairs of a write set in row order.
#[derive(Clone, Debug)]
pub struct Pairs<'a> {
    rest: &'a [u8],
    len: usize,
}

/// Collects what a block flushes.
#[derive(Debug, Default)]
pub struct Builder {
    arena: Vec<u8>,
    flushed: Vec<Pair>,
}

/// Where a key and its value lie in the arena.
#[derive(Clone, Copy, Debug)]
struct Pair {
    key: Span,
    value: Span,
}

#[derive(Clone, Copy, Debug)]
struct Span {
    at: u32,
    len: u32,
}

/// Bytes of a length before a key or value.
const LENGTH_BYTES: usize = 4;

impl Builder {
    /// Copies bytes in which keys and values lie; gives where they begin.
    pub fn copy(&mut self, bytes: &[u8]) -> usize {
        let at = self.arena.len();
        self.arena.extend_from_slice(bytes);
        at
    }

    /// Adds a pair out of what was copied. Of several values of one key the last stays.
    ///
    /// # Panics
    /// Beyond 4 GiB of copied bytes; what a guest may flush ends far below.
    pub fn pair(&mut self, key: Range<usize>, value: Range<usize>) {
        self.flushed.push(Pair {
            key: Span::new(&key),
            value: Span::new(&value),
        });
    }

    /// All pairs added.
    #[must_use]
    pub fn build(self) -> WriteSet {
        WriteSet {
            flushed: Arc::new(Flushed {
                arena: self.arena.into(),
                pairs: self.flushed,
            }),
            sorted: OnceLock::new(),
        }
    }
}

impl WriteSet {
    /// Takes pairs as a block would flush them; of several values of one key the last stays.
    pub fn from_flushed<K: AsRef<[u8]>, V: AsRef<[u8]>>(pairs: impl IntoIterator<Item = (K, V)>) -> Self {
        let mut builder = Builder::default();
        for (key, value) in pairs {
            let key_at = builder.copy(key.as_ref());
            let value_at = builder.copy(value.as_ref());
            builder.pair(key_at..value_at, value_at..builder.arena.len());
        }
        builder.build()
    }

    /// The pairs in row order.
    #[must_use]
    pub fn pairs(&self) -> Pairs<'_> {
        let Sorted { bytes, len } = self.sorted();
        Pairs { rest: bytes, len: *len }
    }

    /// The pairs as they were flushed, without those that came later. It shares the memory, and stays when the write
    /// set goes.
    #[must_use]
    pub fn flushed(&self) -> Arc<Flushed> {
        Arc::clone(&self.flushed)
    }

    /// Bytes of all keys and values.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        let Sorted { bytes, len } = self.sorted();
        (bytes.len() - len * 2 * LENGTH_BYTES) as u64
    }

    /// What it takes in memory once it is in order, about. Needs no order.
    #[must_use]
    pub fn held_bytes(&self) -> usize {
        self.flushed.held_bytes() + self.flushed.arena.len() + self.flushed.pairs.len() * 2 * LENGTH_BYTES
    }

    /// Keys and values in row order, each with its length (u32, big-endian) before it.
    pub(super) fn in_order(&self) -> &[u8] {
        &self.sorted().bytes
    }

    fn sorted(&self) -> &Sorted {
        self.sorted.get_or_init(|| self.flushed.sort())
    }
}

impl Flushed {
    /// The pairs in the order in which they came; a key that was flushed twice comes twice.
    pub fn pairs(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.pairs
            .iter()
            .map(|pair| (self.slice(pair.key), self.slice(pair.value)))
    }

    /// How many pairs were flushed, a key as often as it was.
    pub(super) fn len(&self) -> u32 {
        // Every element of a message takes two bytes of the arena at least, which ends below 2^32.
        u32::try_from(self.pairs.len()).unwrap_or(u32::MAX)
    }

    /// The key flushed at a position.
    pub(super) fn key(&self, at: u32) -> &[u8] {
        self.slice(self.pairs[at as usize].key)
    }

    /// The value flushed at a position; it shares the memory.
    pub(super) fn value(&self, at: u32) -> Bytes {
        self.arena.slice(self.pairs[at as usize].value.range())
    }

    /// What it takes in memory, about.
    pub(super) fn held_bytes(&self) -> usize {
        self.arena.len() + self.pairs.len() * size_of::<Pair>()
    }

    fn slice(&self, span: Span) -> &[u8] {
        &self.arena[span.range()]
    }

    fn sort(&self) -> Sorted {
        let heads = ordered(self.len(), |at| self.key(at));
        // All pairs: keys that were flushed twice are too rare to be counted before.
        let lengths = self
            .pairs
            .iter()
            .map(|pair| pair.key.len as usize + pair.value.len as usize);
        let total = lengths.sum::<usize>() + self.pairs.len() * 2 * LENGTH_BYTES;
        let mut sorted = Sorted {
            bytes: Vec::with_capacity(total),
            len: 0,
        };
        for (at, head) in heads.iter().enumerate() {
            let Pair { key, value } = self.pairs[tag(*head) as usize];
            // The last of a run of equal keys was flushed last.
            let is_last = heads
                .get(at + 1)
                .is_none_or(|next| !shows_same(*head, *next) || self.slice(key) != self.key(tag(*next)));
            if is_last {
                sorted.push(self.slice(key));
                sorted.push(self.slice(value));
                sorted.len += 1;
            }
        }
        sorted
    }
}

/// What stands before a key or value that is hashed. A guest's memory is below 2^32 bytes, and so is all it flushes.
#[allow(clippy::expect_used)]
pub(super) fn length(bytes: &[u8]) -> [u8; LENGTH_BYTES] {
    u32::try_from(bytes.len())
        .expect("flushed from a 32-bit memory")
        .to_be_bytes()
}

impl Sorted {
    fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(&length(bytes));
        self.bytes.extend_from_slice(bytes);
    }
}

impl<'a> Iterator for Pairs<'a> {
    type Item = (&'a [u8], &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        self.len = self.len.checked_sub(1)?;
        Some((take(&mut self.rest), take(&mut self.rest)))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.len, Some(self.len))
    }
}

impl ExactSizeIterator for Pairs<'_> {}

/// Takes a key or value off the front of what [`Sorted::push`] wrote.
fn take<'a>(rest: &mut &'a [u8]) -> &'a [u8] {
    let Some((length, after)) = rest.split_first_chunk::<LENGTH_BYTES>() else {
        return &[];
    };
    let (taken, after) = after.split_at(u32::from_be_bytes(*length) as usize);
    *rest = after;
    taken
}

impl Span {
    #[allow(clippy::expect_used)]
    fn new(range: &Range<usize>) -> Self {
        let number = |n: usize| u32::try_from(n).expect("a block flushes less than 4 GiB");
        Self {
            at: number(range.start),
            len: number(range.end - range.start),
        }
    }

    fn range(self) -> Range<usize> {
        self.at as usize..self.at as usize + self.len as usize
    }
}

impl PartialEq for WriteSet {
    fn eq(&self, other: &Self) -> bool {
        self.in_order() == other.in_order()
    }
}

impl Eq for WriteSet {}

impl fmt::Debug for WriteSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.pairs()).finish()
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;
    use crate::state::row_order;

    #[test]
    fn last_value_of_a_key_wins_and_order_is_by_length_first() {
        let set = WriteSet::from_flushed([("b", "1"), ("aa", "2"), ("b", "3"), ("", "4"), ("a", "5")]);
        let expected = WriteSet::from_flushed([("", "4"), ("a", "5"), ("b", "3"), ("aa", "2")]);
        assert_eq!(set, expected);
        let keys: Vec<_> = set.pairs().map(|(key, _)| key).collect();
        assert_eq!(keys, [&b""[..], b"a", b"b", b"aa"]);
        assert_eq!(set.bytes(), 8, "the value that lost does not count");
    }

    proptest! {
        #[test]
        fn any_pairs_come_in_row_order_with_their_last_values(
            pairs in vec((vec(0u8..3, 0..12), any::<[u8; 2]>()), 0..60)
        ) {
            let set = WriteSet::from_flushed(pairs.iter().map(|(key, value)| (key, value)));
            let mut wanted: Vec<(Vec<u8>, [u8; 2])> = Vec::new();
            for (key, value) in &pairs {
                wanted.retain(|(k, _)| k != key);
                wanted.push((key.clone(), *value));
            }
            wanted.sort_by(|a, b| row_order(&a.0, &b.0));
            let found: Vec<_> = set.pairs().map(|(k, v)| (k.to_vec(), [v[0], v[1]])).collect();
            prop_assert_eq!(&found, &wanted);
        }
    }
}
