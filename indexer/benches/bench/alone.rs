//! The guest alone: the same blocks, its reads answered from memory, nothing stored.

use std::{
    path::Path,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use indexer::{
    chain::{Block, Height},
    guest::{CancelFlag, Engine, EngineConfig, Indexing, Module},
    store::Store,
};

use crate::recorded::{Reads, Recorder};

/// As much as the resource's default.
const LIMIT_BYTES: u64 = 4 << 30;

/// What running blocks through a guest took.
#[derive(Clone, Debug, Default)]
pub(crate) struct Alone {
    /// Time in the guest, its instances included.
    pub(crate) took: Duration,
    /// Building a fresh instance, in microseconds, once for each block.
    pub(crate) build_us: Vec<f64>,
    /// Dropping one that has run a block.
    pub(crate) drop_us: Vec<f64>,
    /// Pairs it wrote.
    pub(crate) pairs: u64,
    /// The most linear memory it had.
    pub(crate) guest_bytes: u64,
}

/// A module, compiled.
pub(crate) fn load(wasm: &Path) -> Module {
    let engine = Engine::new(&EngineConfig {
        limit_bytes: LIMIT_BYTES,
        view_memory_limit_bytes: LIMIT_BYTES,
        max_views: 1,
        cache_dir: None,
    });
    let bytes = std::fs::read(wasm).unwrap_or_else(|error| panic!("{}: {error}; run `make guests`", wasm.display()));
    Module::load(&engine.expect("make an engine"), &bytes).expect("load the guest")
}

/// Runs blocks, each on what a sync of them has stored below its height; gives what they read.
pub(crate) fn record(module: &Module, blocks: &[Block], store: &Path) -> Vec<Reads> {
    let store = Store::open_existing(store).expect("open the store");
    let mut guest = Indexing::new(module.clone());
    let stop = CancelFlag::new();
    let reads_of = |block: &Block| {
        let below = block.at.height.0.checked_sub(1);
        let reads = Arc::new(Mutex::new(Reads::default()));
        let state = Recorder::new(below.map(|height| store.reader(Height(height))), &reads);
        guest.refresh().expect("make an instance");
        guest
            .run(block.at.height, block.bytes.clone(), Box::new(state), &stop)
            .expect("run the block");
        let reads = Arc::into_inner(reads).expect("the recorder is gone with the run");
        reads.into_inner().expect("no panic while recording")
    };
    blocks.iter().map(reads_of).collect()
}

/// Runs blocks, each in a fresh instance, with their reads as recorded.
pub(crate) fn run(module: &Module, blocks: &[Block], reads: &[Reads]) -> Alone {
    let mut guest = Indexing::new(module.clone());
    let mut alone = Alone::default();
    let stop = CancelFlag::new();
    for (block, reads) in blocks.iter().zip(reads) {
        let state = Box::new(reads.replay());
        let started = Instant::now();
        guest.refresh().expect("make an instance");
        let built = Instant::now();
        let writes = guest
            .run(block.at.height, block.bytes.clone(), state, &stop)
            .expect("run the block");
        let ran = Instant::now();
        alone.guest_bytes = alone.guest_bytes.max(guest.guest_bytes());
        guest.drop_instance();
        alone.took += started.elapsed();
        alone.build_us.push((built - started).as_secs_f64() * 1e6);
        alone.drop_us.push(ran.elapsed().as_secs_f64() * 1e6);
        alone.pairs += writes.flushed().pairs().count() as u64;
    }
    alone
}
