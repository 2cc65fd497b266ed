//! Blocks from the folder in which a node keeps them, without a node: the fastest way through the bulk of a chain.
//!
//! A look reads the 80 bytes at the start of every block that is new and keeps where the block lies; bodies are read
//! when they are asked for. The best chain is the one with the most work that goes back to genesis.

mod body;
pub(super) mod error;
mod index;
mod scan;

pub use error::Error;

use std::{
    collections::VecDeque,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
};

use bitcoin::BlockHash;
use crds::Network;
use futures::future::{BoxFuture, FutureExt, Shared};
use tokio::{sync::OnceCell, task::spawn_blocking};

use super::{BlockSource, Headers, error as source};
use crate::chain::{self, Block, BlockRef, Height, Rules};
use body::Reader;
use index::{Index, Place};
use scan::Scanner;

/// Blocks of the best chain that are read by one job, so that small ones do not cost a change of threads each. Eight
/// questions are asked at a time, so a job answers some eight rounds of them.
const RUN_BLOCKS: usize = 64;
/// Bytes of them: milliseconds of hashing, beside which a change of threads is nothing. Larger blocks are read one by
/// one, as many at a time as are asked for.
const RUN_BYTES: usize = 256 << 10;
/// Jobs whose blocks are kept for those who come for them, hence 2 MiB at most. Blocks are asked for in order, so two
/// jobs are in use at a time.
const RUNS_MAX: usize = 8;
/// A node asks its peers for this many blocks at a time and stores them as they come, so that many may wait for one
/// before them. With more of them there is no wait: what they need is not there.
const UNLINKED_MAX: usize = 1024;

/// The block files of a node, running or not.
pub struct BlockFiles {
    folder: Arc<Folder>,
    looked: OnceCell<()>,
    runs: Mutex<VecDeque<Run>>,
}

/// What is known of the folder, for async questions and for the jobs that read.
struct Folder {
    path: PathBuf,
    network: Network,
    index: RwLock<Index>,
    scanner: Mutex<Scanner>,
}

/// Blocks of the best chain, one after the other, that one job reads.
struct Run {
    first: Height,
    hashes: Vec<BlockHash>,
    blocks: Reading,
}

/// What one job reads, for all who wait for it.
type Reading = Shared<BoxFuture<'static, Arc<[Block]>>>;

impl BlockFiles {
    /// Nothing is read before the first question.
    #[must_use]
    pub fn new(path: &Path, network: Network) -> Self {
        Self {
            folder: Arc::new(Folder {
                path: path.into(),
                network,
                index: RwLock::new(Index::new(chain::genesis(network), Rules::of(network))),
                scanner: Mutex::new(Scanner::new(path, network)),
            }),
            looked: OnceCell::new(),
            runs: Mutex::default(),
        }
    }

    /// Looks once, and never again: for who takes the best chain from elsewhere. Whether the blocks make a chain does
    /// not matter.
    ///
    /// # Errors
    /// When the folder cannot be used.
    pub async fn open(&self) -> Result<(), Error> {
        self.looked.get_or_try_init(|| self.look()).await.copied()
    }

    /// Whether a block was found.
    #[must_use]
    pub fn has(&self, hash: BlockHash) -> bool {
        self.folder.index().place(hash).is_some()
    }

    /// Finds what has come since the last look.
    async fn look(&self) -> Result<(), Error> {
        let folder = self.folder.clone();
        blocking(move || folder.look()).await
    }

    /// The block, if one job reads it together with those that follow it.
    async fn read_ahead(&self, at: BlockRef) -> Option<Block> {
        let (first, blocks) = self.run_with(at)?;
        let blocks = blocks.await;
        let block = blocks.get(at.height.above(first) as usize);
        block.filter(|block| block.at == at).cloned()
    }

    fn run_with(&self, at: BlockRef) -> Option<(Height, Reading)> {
        let mut runs = self.runs.lock().unwrap_or_else(PoisonError::into_inner);
        let has = |run: &&Run| {
            at.height >= run.first && run.hashes.get(at.height.above(run.first) as usize) == Some(&at.hash)
        };
        if let Some(run) = runs.iter().find(has) {
            return Some((run.first, run.blocks.clone()));
        }
        let planned = self.folder.index().run(at, RUN_BLOCKS, RUN_BYTES);
        if planned.len() < 2 {
            return None;
        }
        if runs.len() == RUNS_MAX {
            runs.pop_front();
        }
        let hashes = planned.iter().map(|(at, _)| at.hash).collect();
        let folder = self.folder.clone();
        let job = spawn_blocking(move || folder.read_run(&planned));
        // A job that panicked has read nothing: the block is read again alone, where the panic is passed on.
        let blocks = job.map(Result::unwrap_or_default).boxed().shared();
        runs.push_back(Run {
            first: at.height,
            hashes,
            blocks: blocks.clone(),
        });
        Some((at.height, blocks))
    }
}

impl BlockSource for BlockFiles {
    async fn tip(&self) -> Result<BlockRef, source::Error> {
        self.open().await?;
        self.look().await?;
        Ok(self.folder.tip()?)
    }

    async fn hash_at(&self, height: Height) -> Result<Option<BlockHash>, source::Error> {
        self.open().await?;
        Ok(self.folder.index().hash_at(height))
    }

    async fn headers_after(&self, from: Option<BlockRef>, max: usize) -> Result<Headers, source::Error> {
        self.open().await?;
        Ok(self.folder.after(from, max)?)
    }

    async fn block(&self, at: BlockRef) -> Result<Block, source::Error> {
        self.open().await?;
        if let Some(block) = self.read_ahead(at).await {
            return Ok(block);
        }
        let folder = self.folder.clone();
        Ok(blocking(move || folder.read_one(at)).await?)
    }
}

impl Folder {
    fn look(&self) -> Result<(), Error> {
        let mut scanner = self.scanner.lock().unwrap_or_else(PoisonError::into_inner);
        // The lock on the index is held for one file at a time: the first look at a long chain takes a minute.
        scanner.look(|records| self.index_mut().extend(records))
    }

    fn tip(&self) -> Result<BlockRef, Error> {
        let index = self.index();
        match index.tip() {
            Some(tip) if index.unlinked() <= UNLINKED_MAX => Ok(tip),
            tip => Err(Error::Hole {
                path: self.path.clone(),
                after: tip.map(|tip| tip.height),
                count: index.unlinked(),
            }),
        }
    }

    fn after(&self, from: Option<BlockRef>, max: usize) -> Result<Headers, Error> {
        let after = self.index().after(from, max);
        after.map_err(|(at, source)| Error::Difficulty {
            path: self.path.clone(),
            at,
            source,
        })
    }

    /// Reads blocks up to the first that cannot be read: the request for that one returns the error.
    fn read_run(&self, planned: &[(BlockRef, Place)]) -> Arc<[Block]> {
        let mut reader = self.reader();
        let blocks = planned.iter().map(|(at, place)| reader.read(*at, *place));
        blocks.map_while(Result::ok).collect()
    }

    fn read_one(&self, at: BlockRef) -> Result<Block, Error> {
        let place = self.index().place(at.hash).ok_or_else(|| Error::NoBlock {
            path: self.path.clone(),
            at,
        })?;
        let read = self.reader().read(at, place);
        if read.is_err() {
            // A node that was killed continues below its last blocks and overwrites them: find them where they are now.
            let mut scanner = self.scanner.lock().unwrap_or_else(PoisonError::into_inner);
            scanner.forget(place.file);
        }
        read
    }

    fn reader(&self) -> Reader<'_> {
        let key = self.scanner.lock().unwrap_or_else(PoisonError::into_inner).key();
        Reader::new(&self.path, key, self.network)
    }

    // A panic between lock and unlock leaves an index that misses blocks at worst: they are not found, and that is
    // said.
    fn index(&self) -> RwLockReadGuard<'_, Index> {
        self.index.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn index_mut(&self) -> RwLockWriteGuard<'_, Index> {
        self.index.write().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn blocking<T: Send + 'static>(job: impl FnOnce() -> T + Send + 'static) -> T {
    match spawn_blocking(job).await {
        Ok(done) => done,
        Err(panicked) => std::panic::resume_unwind(panicked.into_panic()),
    }
}
