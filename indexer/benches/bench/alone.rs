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

/// What running blocks through a guest took.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Alone {
    /// Time in the guest, its instances included.
    pub(crate) took: Duration,
    /// Pairs it wrote.
    pub(crate) pairs: u64,
    /// Bytes of these.
    pub(crate) bytes: u64,
    /// Values it asked for.
    pub(crate) reads: u64,
}

#[derive(Default)]
struct Memory {
    values: Arc<HashMap<Vec<u8>, Bytes>>,
    reads: Arc<std::sync::atomic::AtomicU64>,
}

impl State for Memory {
    fn get(&mut self, key: &[u8]) -> Result<Option<Bytes>, Fault> {
        self.reads.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        Ok(self.values.get(key).cloned())
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
    let reads = Arc::default();
    let mut alone = Alone::default();
    let stop = CancelFlag::new();
    for block in blocks {
        let state = Box::new(Memory {
            values: Arc::clone(&values),
            reads: Arc::clone(&reads),
        });
        let started = Instant::now();
        guest.refresh().expect("make an instance");
        let writes = guest
            .run(block.at.height, block.bytes.clone(), state, &stop)
            .expect("run the block");
        guest.drop_instance();
        alone.took += started.elapsed();
        let values = Arc::get_mut(&mut values).expect("the reader is gone with the run");
        for (key, value) in writes.pairs() {
            alone.pairs += 1;
            alone.bytes += (key.len() + value.len()) as u64;
            // Copied: what the map keeps must not keep whole messages alive.
            values.insert(key.to_vec(), Bytes::copy_from_slice(value));
        }
    }
    alone.reads = reads.load(std::sync::atomic::Ordering::Relaxed);
    alone
}
