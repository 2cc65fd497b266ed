//! A chain in memory that a test shapes while it is followed.

use std::{
    collections::HashMap,
    sync::{
        Mutex, MutexGuard,
        atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering},
    },
};

use bitcoin::{BlockHash, hashes::Hash};
use bytes::Bytes;

use super::{BlockSource, Headers, error::Error};
use crate::chain::{Block, BlockRef, Height, Link, Work};

/// The work of a block of a branch of which nothing else is said.
const WORK: Work = Work(2);

/// Blocks are made up: each is named by its branch and height, and its bytes are that name.
#[derive(Default)]
pub(crate) struct MemorySource {
    best: Mutex<Vec<BlockHash>>,
    /// The work of each block of a branch, where it is not [`WORK`].
    works: Mutex<HashMap<u8, Work>>,
    /// Blocks that it claims to have above its tip.
    claims: AtomicU32,
    fails: AtomicBool,
    refuses: AtomicBool,
    served: AtomicUsize,
}

/// The hash of a made-up block.
pub(crate) fn hash(branch: u8, height: u32) -> BlockHash {
    let mut bytes = [branch; 32];
    bytes[..4].copy_from_slice(&height.to_be_bytes());
    BlockHash::from_byte_array(bytes)
}

impl MemorySource {
    /// A chain of one branch with a tip at this height.
    pub(crate) fn up_to(branch: u8, tip: u32) -> Self {
        let source = Self::default();
        source.replace(0, branch, tip);
        source
    }

    /// Replaces everything from a height on by a branch that reaches up to a tip.
    pub(crate) fn replace(&self, from: u32, branch: u8, tip: u32) {
        let mut best = self.chain();
        best.truncate(from as usize);
        best.extend((from..=tip).map(|height| hash(branch, height)));
    }

    /// The best chain, from genesis on.
    pub(crate) fn best(&self) -> Vec<BlockHash> {
        self.chain().clone()
    }

    /// Replaces all of it.
    pub(crate) fn set_best(&self, best: Vec<BlockHash>) {
        *self.chain() = best;
    }

    /// From now on each block of a branch has this work.
    pub(crate) fn weigh(&self, branch: u8, work: u128) {
        self.works.lock().unwrap().insert(branch, Work(work));
    }

    /// From now on it claims to have so many blocks more than it has.
    pub(crate) fn claim(&self, blocks: u32) {
        self.claims.store(blocks, Ordering::Relaxed);
    }

    fn work(&self, hash: BlockHash) -> Work {
        let [.., branch] = hash.to_byte_array();
        self.works.lock().unwrap().get(&branch).copied().unwrap_or(WORK)
    }

    /// From now on every question fails.
    pub(crate) fn fail(&self) {
        self.fails.store(true, Ordering::Relaxed);
    }

    /// From now on every question is refused for want of the right credentials.
    pub(crate) fn refuse(&self) {
        self.refuses.store(true, Ordering::Relaxed);
    }

    /// Answers again.
    pub(crate) fn accept(&self) {
        self.refuses.store(false, Ordering::Relaxed);
    }

    /// How many blocks were asked for.
    pub(crate) fn served(&self) -> usize {
        self.served.load(Ordering::Relaxed)
    }

    fn at(&self, height: u32) -> BlockRef {
        BlockRef {
            height: Height(height),
            hash: self.chain()[height as usize],
        }
    }

    fn chain(&self) -> MutexGuard<'_, Vec<BlockHash>> {
        self.best.lock().unwrap()
    }

    fn answer<T>(&self, answer: T) -> Result<T, Error> {
        let url = "memory".into();
        if self.refuses.load(Ordering::Relaxed) {
            Err(Error::Unauthorized { url, status: 401 })
        } else if self.fails.load(Ordering::Relaxed) {
            Err(Error::Busy { url })
        } else {
            Ok(answer)
        }
    }
}

impl BlockSource for MemorySource {
    async fn tip(&self) -> Result<BlockRef, Error> {
        let blocks = self.chain().len();
        let tip = self.at(u32::try_from(blocks).unwrap() - 1);
        self.answer(BlockRef {
            height: Height(tip.height.0 + self.claims.load(Ordering::Relaxed)),
            ..tip
        })
    }

    async fn hash_at(&self, height: Height) -> Result<Option<BlockHash>, Error> {
        self.answer(self.chain().get(height.0 as usize).copied())
    }

    async fn headers_after(&self, from: Option<BlockRef>, max: usize) -> Result<Headers, Error> {
        let chain = self.chain();
        let first = match from {
            None => 0,
            Some(from) if chain.get(from.height.0 as usize) == Some(&from.hash) => from.height.0 as usize + 1,
            Some(_) => return self.answer(Headers::NotInChain),
        };
        let next = chain.iter().zip(0..).skip(first).take(max);
        self.answer(Headers::Next(
            next.map(|(hash, height)| Link {
                at: BlockRef {
                    height: Height(height),
                    hash: *hash,
                },
                work: self.work(*hash),
            })
            .collect(),
        ))
    }

    async fn block(&self, at: BlockRef) -> Result<Block, Error> {
        self.served.fetch_add(1, Ordering::Relaxed);
        // Any will do for a block beside the chain.
        let prev = at
            .height
            .prev()
            .and_then(|height| self.chain().get(height.0 as usize).copied());
        self.answer(Block {
            at,
            prev: prev.unwrap_or_else(BlockHash::all_zeros),
            bytes: Bytes::copy_from_slice(at.hash.as_byte_array()),
        })
    }
}
