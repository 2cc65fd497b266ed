//! Reads everything back and computes the digests once more.
//!
//! Rows lie by key, digests are by block. Within one height the rows of a scan come in row order, which is the order
//! the digest is over; so one scan feeds the hashers of many blocks at once, and no more has to be sorted or kept than
//! those.

use std::ops::RangeInclusive;

use super::{error, handle::Store, schema::BlockRow, shared::Tip};
use crate::{
    chain::{BlockRef, Height},
    rows::{Merge, key::parse_row_key},
    state::{Digest, WriteHasher},
};

/// Blocks whose hashers are held at the same time, 2 KB each: 200 MB, less than the caches of an indexer. More
/// blocks than that take another scan.
const WINDOW_BLOCKS: u32 = 100_000;
/// How much of a row's key is shown.
const SHOWN_BYTES_MAX: usize = 64;

/// What is wrong with a store, or why that cannot be found out.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It cannot be read.
    #[error(transparent)]
    Store(#[from] error::Error),
    /// The lowest block whose rows and block row contradict each other.
    #[error("block {height} is the first that does not agree with what is stored: {what}")]
    Block {
        /// Its height.
        height: Height,
        /// What contradicts what.
        what: String,
    },
    /// There is a row that no block of the store wrote.
    #[error("there is a row of block {height}, which is not in the store")]
    Stray {
        /// The height in the row's key.
        height: Height,
    },
    /// There is a row that no block can have written.
    #[error("there is a row with the key {key}, which is none")]
    NoRow {
        /// The start of its key, in hex.
        key: String,
    },
}

/// What was found to be in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verified {
    /// The newest block; none: the store is empty.
    pub tip: Option<Tip>,
    /// Rows read.
    pub entries: u64,
    /// Bytes of keys and values in them.
    pub bytes: u64,
}

/// What the rows of one block come to.
#[derive(Clone, Default)]
struct Sum {
    hasher: WriteHasher,
    entries: u64,
    bytes: u64,
}

/// What all blocks so far come to.
struct Chain {
    digest: Digest,
    entries: u64,
    bytes: u64,
    tip: Option<Tip>,
}

impl Store {
    /// Computes every digest once more from the rows, and compares it, the counters and the tip with what is stored.
    /// Tells `agreed` of the blocks that are in order, a range at a time.
    ///
    /// Nothing may be committed or undone meanwhile.
    ///
    /// # Errors
    /// [`Error`]; of several blocks that are wrong, the lowest.
    pub fn verify(&self, agreed: impl FnMut(RangeInclusive<u32>)) -> Result<Verified, Error> {
        self.verify_in(WINDOW_BLOCKS, agreed)
    }

    fn verify_in(&self, window_blocks: u32, mut agreed: impl FnMut(RangeInclusive<u32>)) -> Result<Verified, Error> {
        let lineage = self.lineage();
        let mut chain = Chain {
            digest: Digest::seed(lineage.root().hash()),
            entries: 0,
            bytes: 0,
            tip: None,
        };
        let start = self.start().0;
        let tip = self.tip().map(|tip| tip.at.height.0);
        let mut stray = None;
        let mut from = start;
        // Also for an empty store, which must have no rows.
        loop {
            let to = tip.map(|tip| tip.min(from.saturating_add(window_blocks - 1)));
            let sums = self.sums(from, to, &mut stray)?;
            for (height, sum) in (from..).zip(&sums) {
                let height = Height(height);
                chain.digest = lineage.chained(chain.digest, height);
                self.check(height, sum, &mut chain)?;
            }
            match to {
                Some(to) => agreed(from..=to),
                None => break,
            }
            if to == tip {
                break;
            }
            from += window_blocks;
        }
        match stray {
            Some(height) => Err(Error::Stray { height }),
            None => Ok(Verified {
                tip: chain.tip,
                entries: chain.entries,
                bytes: chain.bytes,
            }),
        }
    }

    /// What the rows of the blocks `from` to `to` come to. A row below the first block is an error at once; the lowest
    /// one above the tip is noted in `stray`: all blocks come before it.
    fn sums(&self, from: u32, to: Option<u32>, stray: &mut Option<Height>) -> Result<Vec<Sum>, Error> {
        let blocks = to.map_or(0, |to| to as usize - from as usize + 1);
        let mut sums = vec![Sum::default(); blocks];
        let (start, tip) = (self.start(), self.tip().map(|tip| tip.at.height));
        let mut rows = Merge::new(self.head().runs().runs(), &[]).map_err(error::Error::from)?;
        while rows.next().map_err(error::Error::from)? {
            let (row_key, value) = (rows.key(), rows.value());
            let Some((key, height)) = parse_row_key(row_key) else {
                let key = hex::encode(&row_key[..row_key.len().min(SHOWN_BYTES_MAX)]);
                return Err(Error::NoRow { key });
            };
            if height < start {
                return Err(Error::Stray { height });
            }
            if tip.is_none_or(|tip| height > tip) {
                *stray = Some(stray.map_or(height, |lowest| lowest.min(height)));
            } else if let Some(sum) = height.0.checked_sub(from).and_then(|at| sums.get_mut(at as usize)) {
                sum.hasher.push(key, value);
                sum.entries += 1;
                sum.bytes += (key.len() + value.len()) as u64;
            }
        }
        Ok(sums)
    }

    /// Adds a block to the chain and compares it with its row.
    fn check(&self, height: Height, sum: &Sum, chain: &mut Chain) -> Result<(), Error> {
        let wrong = |what| Error::Block { height, what };
        let Some(row) = self.block(height)? else {
            return Err(wrong("it has no block row".into()));
        };
        let BlockRow {
            hash,
            digest,
            entries,
            bytes,
        } = row;
        chain.entries += sum.entries;
        chain.bytes += sum.bytes;
        if (chain.entries, chain.bytes) != (entries, bytes) {
            return Err(wrong(format!(
                "up to it there are {} rows with {} bytes, its block row says {entries} with {bytes}",
                chain.entries, chain.bytes
            )));
        }
        chain.digest = chain.digest.next(height, hash, sum.hasher.finish());
        if chain.digest != digest {
            return Err(wrong(format!(
                "its rows give the digest {}, its block row says {digest}",
                chain.digest
            )));
        }
        chain.tip = Some(Tip {
            at: BlockRef { height, hash },
            digest,
        });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use bitcoin::{BlockHash, hashes::Hash as _};
    use crds::{Identity, Network};

    use super::*;
    use crate::{state::WriteSet, store::Durability};

    #[test]
    fn blocks_of_several_scans_are_chained() {
        let identity = Identity {
            module_sha256: "ab".repeat(32),
            network: Network::Regtest,
            start_height: 5,
            memory_limit_bytes: 1,
        };
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path(), &identity, 100).unwrap();
        let mut digest = Digest::seed(identity.hash());
        for height in 5_u32..12 {
            let pair = |key: &'static str| (key, height.to_string());
            let writes = WriteSet::from_flushed([pair("a"), pair("long key"), pair(["b", "c"][height as usize % 2])]);
            let (height, hash) = (Height(height), BlockHash::all_zeros());
            digest = digest.next(height, hash, writes.hash());
            store
                .commit(BlockRef { height, hash }, &writes, digest, Durability::Lazy)
                .unwrap();
        }
        for (window, ranges) in [(1, 7), (3, 3), (7, 1), (100, 1)] {
            let mut told = Vec::new();
            let verified = store.verify_in(window, |range| told.push(range)).unwrap();
            assert_eq!((verified.tip, verified.entries), (store.tip(), 21));
            assert_eq!(told.len(), ranges);
            assert_eq!((*told[0].start(), *told[ranges - 1].end()), (5, 11));
        }
    }
}
