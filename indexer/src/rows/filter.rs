//! Which keys a segment does not hold: a Bloom filter whose bits for one key all lie in one line of a processor's
//! cache, so that an answer costs one access to memory.
//!
//! Ten bits a key and six of them set: some 1.3 % of absent keys are taken for present ones (measured by
//! `rows::filter::tests`). Lines are 64 bytes, eight little-endian words each.

/// Bits of the filter for each key.
const BITS_PER_KEY: u64 = 10;
/// Bits that a key sets.
const PROBES: u32 = 6;
const LINE_WORDS: usize = 8;
/// Bytes of a line.
pub(super) const LINE_BYTES: usize = LINE_WORDS * 8;
/// A number of 9 bits chooses a bit of a line.
const BIT_BITS: u32 = 9;

/// One line.
pub(super) type Line = [u64; LINE_WORDS];

/// A filter in memory.
#[derive(Debug, Default)]
pub(super) struct Filter {
    lines: Vec<Line>,
}

impl Filter {
    /// The filter of keys with these hashes.
    pub(super) fn of(hashes: &[u64]) -> Self {
        let bits = hashes.len() as u64 * BITS_PER_KEY;
        let lines = bits.div_ceil(LINE_BYTES as u64 * 8).max(1);
        #[allow(clippy::cast_possible_truncation)] // Smaller than the hashes, which are in memory.
        let mut lines: Vec<Line> = vec![[0; LINE_WORDS]; lines as usize];
        for hash in hashes {
            let at = line_of(*hash, lines.len());
            let line = &mut lines[at];
            for bit in bits_of(*hash) {
                line[bit / 64] |= 1 << (bit % 64);
            }
        }
        Self { lines }
    }

    /// Reads what [`Self::bytes`] gave.
    pub(super) fn from_bytes(bytes: &[u8]) -> Self {
        let lines = bytes.chunks_exact(LINE_BYTES).map(line).collect();
        Self { lines }
    }

    /// Its lines, one after the other.
    pub(super) fn bytes(&self) -> Vec<u8> {
        self.lines
            .iter()
            .flatten()
            .flat_map(|word| word.to_le_bytes())
            .collect()
    }

    /// False: a key of this hash is not among those it was made of.
    pub(super) fn may_hold(&self, hash: u64) -> bool {
        self.lines.is_empty() || line_may_hold(&self.lines[line_of(hash, self.lines.len())], hash)
    }
}

/// The line that [`Filter::bytes`] wrote.
pub(super) fn line(bytes: &[u8]) -> Line {
    let mut line = [0; LINE_WORDS];
    for (word, bytes) in line.iter_mut().zip(bytes.chunks_exact(8)) {
        *word = bytes.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte));
    }
    line
}

/// Which of so many lines a hash belongs to.
pub(super) fn line_of(hash: u64, lines: usize) -> usize {
    #[allow(clippy::cast_possible_truncation)] // Less than `lines`.
    let at = ((u128::from(hash) * lines as u128) >> 64) as usize;
    at
}

/// As [`Filter::may_hold`], of the hash's own line.
pub(super) fn line_may_hold(line: &Line, hash: u64) -> bool {
    bits_of(hash).all(|bit| line[bit / 64] >> (bit % 64) & 1 == 1)
}

/// The bits of a line that stand for a hash: by its low bits, since its high ones chose the line.
fn bits_of(hash: u64) -> impl Iterator<Item = usize> {
    // Spreads the low bits over all of them: the multiplier is 2^64 divided by the golden ratio.
    let mixed = (hash << 20).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    #[allow(clippy::cast_possible_truncation)] // Nine bits.
    (0..PROBES).map(move |probe| (mixed >> (64 - BIT_BITS * (probe + 1)) & ((1 << BIT_BITS) - 1)) as usize)
}

#[cfg(test)]
mod tests {
    use twox_hash::XxHash3_64;

    use super::*;

    #[test]
    fn no_key_is_missed_and_few_are_found_that_are_not_there() {
        for count in [0_u64, 1, 51, 52, 1_000, 300_000] {
            let hash = |key: u64| XxHash3_64::oneshot(&key.to_le_bytes());
            let hashes: Vec<_> = (0..count).map(hash).collect();
            let filter = Filter::of(&hashes);
            assert!(hashes.iter().all(|hash| filter.may_hold(*hash)));
            let read = Filter::from_bytes(&filter.bytes());
            assert_eq!(read.lines, filter.lines);
            if count == 300_000 {
                let wrong = (count..2 * count).filter(|key| filter.may_hold(hash(*key))).count();
                let share = wrong as f64 / count as f64;
                assert!((0.005..0.015).contains(&share), "{share}");
            }
        }
    }
}
