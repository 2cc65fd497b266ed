//! The guest alone: the same blocks, its reads answered from memory, nothing stored.

use std::{
    collections::HashMap,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use indexer::{
    chain::Block,
    fault::Fault,
    guest::{CancelFlag, Engine, EngineConfig, Indexing, Module},
    state::State,
};

/// As much as the resource's default.
const LIMIT_BYTES: u64 = 4 << 30;
/// The keys that the guest `outpoints` reads while it indexes begin with this; keeping the others would only take memory.
const READ_PREFIX: &[u8] = b"n/";

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

struct Memory(Arc<HashMap<Vec<u8>, Bytes>>);

impl State for Memory {
    fn get(&mut self, key: &[u8]) -> Result<Option<Bytes>, Fault> {
        assert!(key.starts_with(READ_PREFIX), "a read of another kind than is kept");
        Ok(self.0.get(key).cloned())
    }
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

/// Runs blocks, each in a fresh instance.
pub(crate) fn run(module: &Module, blocks: &[Block]) -> Alone {
    let mut guest = Indexing::new(module.clone());
    let mut values = Arc::new(HashMap::new());
    let mut alone = Alone::default();
    let stop = CancelFlag::new();
    for block in blocks {
        let state = Box::new(Memory(Arc::clone(&values)));
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
        let values = Arc::get_mut(&mut values).expect("the reader is gone with the run");
        // Not put in order: memory that comes and goes beside the guest would slow it down.
        for (key, value) in writes.flushed().pairs() {
            alone.pairs += 1;
            if key.starts_with(READ_PREFIX) {
                // Copied: what the map keeps must not keep whole messages alive.
                values.insert(key.to_vec(), Bytes::copy_from_slice(value));
            }
        }
    }
    alone
}
