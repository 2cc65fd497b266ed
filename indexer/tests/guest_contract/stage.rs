//! What the tests stand on: engines, modules from text, and an index that is a map.

use std::{
    collections::HashMap,
    path::Path,
    sync::{Arc, Condvar, Mutex},
    time::{Duration, Instant},
};

use bytes::Bytes;
use indexer::{
    chain::Height,
    fault::Fault,
    guest::{Budget, CancelFlag, Engine, EngineConfig, Indexing, LoadError, Module, ViewAnswer, ViewError, ViewLimits},
    state::{State, WriteSet},
};

pub(crate) const MIB: u64 = 1 << 20;
pub(crate) const PAGE: u64 = 1 << 16;

/// An index in memory.
#[derive(Clone, Default)]
pub(crate) struct Rows(pub(crate) HashMap<Vec<u8>, Bytes>);

/// An index on a broken disk.
pub(crate) struct Broken;

/// An empty index that says when it is read, which tells that the guest runs.
#[derive(Clone, Default)]
pub(crate) struct Signal(Arc<(Mutex<usize>, Condvar)>);

impl State for Signal {
    fn get(&mut self, _key: &[u8]) -> Result<Option<Bytes>, Fault> {
        let (reads, changed) = &*self.0;
        *reads.lock().unwrap() += 1;
        changed.notify_all();
        Ok(None)
    }
}

impl Signal {
    /// Waits until it was read so often, a minute at most: the machine may be busy.
    pub(crate) fn wait_for(&self, reads: usize) {
        let (read, changed) = &*self.0;
        let wait = changed.wait_timeout_while(read.lock().unwrap(), Duration::from_secs(60), |read| *read < reads);
        assert!(!wait.unwrap().1.timed_out(), "no guest has read");
    }
}

impl State for Rows {
    fn get(&mut self, key: &[u8]) -> Result<Option<Bytes>, Fault> {
        Ok(self.0.get(key).cloned())
    }
}

impl State for Broken {
    fn get(&mut self, _key: &[u8]) -> Result<Option<Bytes>, Fault> {
        Err(Fault::host("disk on fire"))
    }
}

impl Rows {
    pub(crate) fn of(rows: &[(&str, &[u8])]) -> Self {
        Self(
            rows.iter()
                .map(|(key, value)| (key.as_bytes().to_vec(), Bytes::copy_from_slice(value)))
                .collect(),
        )
    }

    pub(crate) fn apply(&mut self, writes: &WriteSet) {
        for (key, value) in writes.pairs() {
            self.0.insert(key.to_vec(), Bytes::copy_from_slice(value));
        }
    }
}

pub(crate) fn config() -> EngineConfig {
    EngineConfig {
        limit_bytes: 64 * MIB,
        view_memory_limit_bytes: 32 * MIB,
        max_views: 4,
        cache_dir: None,
    }
}

pub(crate) fn engine_with_limit(limit_bytes: u64) -> Engine {
    Engine::new(&EngineConfig {
        limit_bytes,
        ..config()
    })
    .unwrap()
}

/// All host functions, so that each test shows only what it is about.
const IMPORTS: &str = r#"
    (import "env" "__host_len" (func $host_len (result i32)))
    (import "env" "__load_input" (func $load_input (param i32)))
    (import "env" "__get_len" (func $get_len (param i32) (result i32)))
    (import "env" "__get" (func $get (param i32 i32)))
    (import "env" "__flush" (func $flush (param i32)))
    (import "env" "__log" (func $log (param i32)))
    (import "env" "abort" (func $abort (param i32 i32 i32 i32)))"#;

/// The text of a module with all host functions imported.
pub(crate) fn with_imports(body: &str) -> String {
    format!("(module {IMPORTS} {body})")
}

pub(crate) fn load(engine: &Engine, text: &str) -> Result<Module, LoadError> {
    Module::load(engine, &wat::parse_str(text).unwrap())
}

/// A module with all host functions and one page of memory.
pub(crate) fn module(body: &str) -> Module {
    let text = with_imports(&format!(r#"(memory (export "memory") 1) {body}"#));
    load(&engine_with_limit(64 * MIB), &text).unwrap()
}

/// The bytes of a module out of `tests/guests`.
pub(crate) fn guest(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../tests/guests/{name}.wat"));
    wat::parse_file(path).unwrap()
}

pub(crate) fn run_at(
    indexing: &mut Indexing,
    height: u32,
    block: &[u8],
    state: impl State + 'static,
) -> Result<WriteSet, Fault> {
    indexing.run(
        Height(height),
        Bytes::copy_from_slice(block),
        Box::new(state),
        &CancelFlag::new(),
    )
}

/// One block on a fresh instance.
pub(crate) fn run_once(module: &Module, block: &[u8], state: impl State + 'static) -> Result<WriteSet, Fault> {
    run_at(&mut Indexing::new(module.clone()), 7, block, state)
}

/// A view with ten seconds and 1 MiB for its answer.
pub(crate) fn view(
    module: &Module,
    function: &str,
    input: &[u8],
    state: impl State + 'static,
) -> Result<ViewAnswer, ViewError> {
    let limits = limits(Duration::from_secs(10));
    let input = Bytes::copy_from_slice(input);
    module.view(function, Height(7), input, Box::new(state), &limits, &CancelFlag::new())
}

/// So much time, and 1 MiB for an answer; memory as much as the engine gives.
pub(crate) fn limits(time: Duration) -> ViewLimits {
    ViewLimits {
        deadline: Instant::now() + time,
        max_response_bytes: MIB,
        budget: Budget::new(u64::MAX),
    }
}

pub(crate) fn pairs(writes: &WriteSet) -> Vec<(&[u8], &[u8])> {
    writes.pairs().collect()
}

/// The value written for a key.
pub(crate) fn value<'a>(writes: &'a WriteSet, key: &[u8]) -> &'a [u8] {
    writes.pairs().find(|(written, _)| *written == key).unwrap().1
}
