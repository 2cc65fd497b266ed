//! What a store must answer, kept naively in memory.

use std::{
    path::Path,
    thread,
    time::{Duration, Instant},
};

use bitcoin::{BlockHash, hashes::Hash};
use crds::{Identity, Network};
use indexer::{
    chain::{BlockRef, Height},
    state::{Digest, State, WriteSet},
    store::{Durability, Error, NewBlock, Store, Terms, Tip},
};

#[allow(clippy::duplicate_mod)] // Tests of the pipeline have it too.
#[path = "../support/rows.rs"]
mod rows;

pub(crate) use rows::{Dump, Pairs, dump, files, placed, tamper, tamper_rows};

/// Every block of a test can be undone.
pub(crate) const DEEP: u32 = 1_000;
/// A lock that is held for longer is never given back.
const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) fn identity(start_height: u32) -> Identity {
    Identity {
        module_sha256: "ab".repeat(32),
        network: Network::Regtest,
        start_height,
        memory_limit_bytes: 4 << 30,
    }
}

/// The same index by another module.
pub(crate) fn module(name: &str, start_height: u32) -> Identity {
    Identity {
        module_sha256: name.repeat(64 / name.len()),
        ..identity(start_height)
    }
}

/// Opens a store that a module may continue in place.
pub(crate) fn go_on(dir: &Path, wanted: &Identity, at: Option<u32>, depth: u32) -> Result<Store, Error> {
    let terms = Terms {
        in_place: true,
        at: at.map(Height),
    };
    patiently(|| Store::open_on(dir, wanted, terms, depth))
}

pub(crate) fn open(dir: &Path, start_height: u32, depth: u32) -> Store {
    patiently(|| Store::open(dir, &identity(start_height), depth)).unwrap()
}

/// Opens whatever is there.
pub(crate) fn existing(dir: &Path) -> Store {
    patiently(|| Store::open_existing(dir)).unwrap()
}

/// Opens a closed store. Another test that starts a process right now holds all our locks until its program
/// runs.
pub(crate) fn patiently(open: impl Fn() -> Result<Store, Error>) -> Result<Store, Error> {
    let end = Instant::now() + PATIENCE;
    loop {
        match open() {
            Err(Error::Locked { .. }) if Instant::now() < end => thread::sleep(Duration::from_millis(1)),
            opened => return opened,
        }
    }
}

pub(crate) fn write_set(pairs: &Pairs) -> WriteSet {
    WriteSet::from_flushed(pairs)
}

/// A chain of blocks with what each wrote.
#[derive(Clone)]
pub(crate) struct Chain {
    pub(crate) start: u32,
    pub(crate) blocks: Vec<Indexed>,
    /// Modules that went on with the first one's data, and their first heights.
    pub(crate) later: Vec<(u32, Identity)>,
}

#[derive(Clone)]
pub(crate) struct Indexed {
    pub(crate) tip: Tip,
    pub(crate) pairs: Pairs,
}

impl Chain {
    pub(crate) fn new(start: u32) -> Self {
        Self {
            start,
            blocks: Vec::new(),
            later: Vec::new(),
        }
    }

    /// Height of the next block.
    pub(crate) fn next(&self) -> u32 {
        self.start + u32::try_from(self.blocks.len()).unwrap()
    }

    /// Another module takes over from the next block on.
    pub(crate) fn hand_over(&mut self, to: &Identity) {
        self.later.push((self.next(), to.clone()));
    }

    /// Undoes blocks down to a height; modules that took over above it never did.
    pub(crate) fn cut(&mut self, to: u32) {
        self.blocks.truncate((to + 1 - self.start) as usize);
        self.later.retain(|(from, _)| *from <= to);
    }

    pub(crate) fn tip(&self) -> Option<Tip> {
        self.blocks.last().map(|block| block.tip)
    }

    /// Adds a block; another `salt` makes another block of the same content.
    pub(crate) fn extend(&mut self, salt: u32, pairs: Pairs) -> &Indexed {
        let height = Height(self.next());
        let hash = blake3::hash(&[salt.to_be_bytes(), height.0.to_be_bytes()].concat());
        let hash = BlockHash::from_byte_array(*hash.as_bytes());
        let mut before = self
            .tip()
            .map_or(Digest::seed(identity(self.start).hash()), |tip| tip.digest);
        if let Some((_, module)) = self.later.iter().find(|(from, _)| *from == height.0) {
            before = before.taken_over(module.hash());
        }
        let digest = before.next(height, hash, write_set(&pairs).hash());
        self.blocks.push(Indexed {
            tip: Tip {
                at: BlockRef { height, hash },
                digest,
            },
            pairs,
        });
        self.blocks.last().unwrap()
    }

    /// Every key's value as of a height.
    pub(crate) fn as_of(&self, height: u32) -> Pairs {
        let below = self.blocks.iter().filter(|block| block.tip.at.height.0 <= height);
        below.flat_map(|block| block.pairs.clone()).collect()
    }

    pub(crate) fn entries(&self) -> u64 {
        self.blocks.iter().map(|block| block.pairs.len() as u64).sum()
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.blocks
            .iter()
            .flat_map(|block| &block.pairs)
            .map(|(key, value)| (key.len() + value.len()) as u64)
            .sum()
    }

    /// The dump of a store that was given these blocks and nothing else.
    pub(crate) fn fresh_dump(&self) -> Dump {
        let dir = tempfile::tempdir().unwrap();
        let mut store = open(dir.path(), self.start, DEEP);
        for block in &self.blocks {
            if let Some((_, module)) = self.later.iter().find(|(from, _)| *from == block.tip.at.height.0) {
                drop(store);
                store = go_on(dir.path(), module, None, DEEP).unwrap();
            }
            commit(&store, block);
        }
        drop(store);
        dump(dir.path())
    }
}

/// As far below the tip: many runs come together before they are merged.
pub(crate) fn commit(store: &Store, block: &Indexed) {
    commit_as(store, block, Durability::Lazy);
}

/// As at the tip: few runs do.
pub(crate) fn commit_at_tip(store: &Store, block: &Indexed) {
    commit_as(store, block, Durability::EachBlock);
}

fn commit_as(store: &Store, block: &Indexed, durability: Durability) {
    let writes = write_set(&block.pairs);
    store
        .commit(block.tip.at, &writes, block.tip.digest, durability)
        .unwrap();
}

/// Commits blocks in one step.
pub(crate) fn commit_all(store: &Store, blocks: &[Indexed], durability: Durability) -> Result<(), Error> {
    let writes: Vec<_> = blocks.iter().map(|block| write_set(&block.pairs)).collect();
    let new = blocks.iter().zip(&writes).map(|(block, writes)| NewBlock {
        at: block.tip.at,
        writes,
        digest: block.tip.digest,
    });
    store.commit_all(&new.collect::<Vec<_>>(), durability)
}

/// Checks that a state has these values for `keys`, and none for the others of them.
pub(crate) fn assert_reads<'a>(state: &mut impl State, wanted: &Pairs, keys: impl IntoIterator<Item = &'a Vec<u8>>) {
    for key in keys {
        let found = state.get(key).unwrap();
        assert_eq!(found.as_deref(), wanted.get(key).map(Vec::as_slice), "key {key:02x?}");
    }
}

pub(crate) fn pairs<K: AsRef<[u8]>, V: AsRef<[u8]>>(pairs: impl IntoIterator<Item = (K, V)>) -> Pairs {
    pairs
        .into_iter()
        .map(|(key, value)| (key.as_ref().to_vec(), value.as_ref().to_vec()))
        .collect()
}
