//! The pairs one block wrote.
//!
//! Keys and values lie in one piece of memory, as they came from the guest. The thread that runs the guest does no more
//! than note where each begins; putting them in order is left to the first who needs the order, on its own thread.

use std::{cmp::Ordering, fmt, ops::Range, sync::OnceLock};

use bytes::Bytes;

/// The pairs one block wrote, each key once, in row order: shorter keys first, equal lengths by bytes.
///
/// Row order is the order of the store's keys, so one sort serves digest, batch and look-ups.
#[derive(Clone, Default)]
pub struct WriteSet {
    arena: Bytes,
    /// As flushed: a key that was flushed twice is in it twice.
    flushed: Vec<Pair>,
    order: OnceLock<Order>,
}

/// What sorting found out.
#[derive(Clone, Debug)]
struct Order {
    /// Each key once, in row order.
    keys: Vec<SortKey>,
    /// Bytes of these keys and their values.
    bytes: u64,
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

/// Compares keys in row order.
#[must_use]
pub fn row_order(a: &[u8], b: &[u8]) -> Ordering {
    a.len().cmp(&b.len()).then_with(|| a.cmp(b))
}

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
            arena: self.arena.into(),
            flushed: self.flushed,
            order: OnceLock::new(),
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
    pub fn pairs(&self) -> impl ExactSizeIterator<Item = (&[u8], &[u8])> + Clone {
        self.order().iter().map(|key| self.pair(key.at))
    }

    /// Bytes of all keys and values.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.sorted().bytes
    }

    /// What it takes in memory, about. Needs no order.
    #[must_use]
    pub fn held_bytes(&self) -> usize {
        self.arena.len() + self.flushed.len() * (size_of::<Pair>() + size_of::<SortKey>())
    }

    /// How many pairs were flushed, a key as often as it was.
    pub(super) fn flushed_len(&self) -> u32 {
        // Every element of a message takes two bytes of the arena at least, which ends below 2^32.
        u32::try_from(self.flushed.len()).unwrap_or(u32::MAX)
    }

    /// The key flushed at a position.
    pub(super) fn key(&self, at: u32) -> &[u8] {
        self.slice(self.flushed[at as usize].key)
    }

    /// The value flushed at a position; it shares the memory.
    pub(super) fn value(&self, at: u32) -> Bytes {
        self.arena.slice(self.flushed[at as usize].value.range())
    }

    /// The keys in row order.
    pub(super) fn order(&self) -> &[SortKey] {
        &self.sorted().keys
    }

    /// What was flushed at a position.
    pub(super) fn pair(&self, at: u32) -> (&[u8], &[u8]) {
        let Pair { key, value } = self.flushed[at as usize];
        (self.slice(key), self.slice(value))
    }

    fn slice(&self, span: Span) -> &[u8] {
        &self.arena[span.range()]
    }

    fn sorted(&self) -> &Order {
        self.order.get_or_init(|| self.sort())
    }

    fn sort(&self) -> Order {
        let mut keys: Vec<SortKey> = (0..self.flushed_len())
            .map(|at| SortKey::new(self.key(at), at))
            .collect();
        keys.sort_unstable_by(|a, b| {
            let by_key = a
                .cheap()
                .cmp(&b.cheap())
                .then_with(|| self.key(a.at).cmp(self.key(b.at)));
            by_key.then(a.at.cmp(&b.at))
        });
        // The last of a run of equal keys was flushed last.
        keys.dedup_by(|next, kept| {
            let is_same = next.cheap() == kept.cheap() && self.key(next.at) == self.key(kept.at);
            if is_same {
                kept.at = next.at;
            }
            is_same
        });
        let pairs = keys.iter().map(|key| self.flushed[key.at as usize]);
        let bytes = pairs
            .map(|pair| u64::from(pair.key.len) + u64::from(pair.value.len))
            .sum();
        Order { keys, bytes }
    }
}

/// A key's length and first bytes, which tell most keys apart without a look at the arena.
#[derive(Clone, Copy, Debug)]
pub(super) struct SortKey {
    len: u32,
    /// Where the pair stands in what was flushed.
    pub(super) at: u32,
    first: u64,
}

impl SortKey {
    fn new(key: &[u8], at: u32) -> Self {
        let mut first = [0; 8];
        let shown = key.len().min(8);
        first[..shown].copy_from_slice(&key[..shown]);
        Self {
            len: u32::try_from(key.len()).unwrap_or(u32::MAX),
            at,
            first: u64::from_be_bytes(first),
        }
    }

    /// Row order, as far as it can be told without a look at the keys; equal says nothing.
    pub(super) fn cheap(&self) -> (u32, u64) {
        (self.len, self.first)
    }
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
        self.pairs().eq(other.pairs())
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
