//! Guests to run, and what they read.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use bytes::Bytes;
use indexer::{
    chain::Height,
    fault::Fault,
    guest::{Budget, CancelFlag, Engine, EngineConfig, Indexing, LoadError, Module, ViewAnswer, ViewError, ViewLimits},
    state::{State, WriteSet},
};

/// Pages of memory that a guest may have, all its memories together.
pub const PAGES_MAX: u64 = 6;
/// The height every guest runs at.
pub const HEIGHT: Height = Height(7);
/// The longest answer of a view.
pub const RESPONSE_BYTES_MAX: u64 = 1000;
/// No guest here runs nearly as long.
const PATIENCE: Duration = Duration::from_secs(60);

/// An index that is a map.
pub type Rows = HashMap<Vec<u8>, Bytes>;

struct Reads(Rows);

impl State for Reads {
    fn get(&mut self, key: &[u8]) -> Result<Option<Bytes>, Fault> {
        Ok(self.0.get(key).cloned())
    }
}

/// An engine whose guests get little memory, so that they are refused some.
///
/// # Panics
/// If this machine does not give the address space.
#[must_use]
#[allow(clippy::expect_used)]
pub fn engine() -> Engine {
    Engine::new(&EngineConfig {
        limit_bytes: PAGES_MAX << 16,
        view_memory_limit_bytes: PAGES_MAX << 16,
        max_views: 1,
        cache_dir: None,
    })
    .expect("an engine")
}

/// A module from its text, all of whose imports and exports are right.
///
/// # Panics
/// If it is none.
#[must_use]
#[allow(clippy::expect_used)]
pub fn load(text: &str) -> Module {
    let bytes = wat::parse_str(text).expect("a module's text");
    Module::load(&engine(), &bytes).expect("a module that can index")
}

/// A module from its text, which may be none; what it would be as a module otherwise.
#[must_use]
pub fn try_load(engine: &Engine, text: &str) -> Option<Result<Module, LoadError>> {
    let bytes = wat::parse_str(text).ok()?;
    Some(Module::load(engine, &bytes))
}

/// One block.
///
/// # Errors
/// The guest's.
pub fn index(indexing: &mut Indexing, block: &[u8], rows: &Rows) -> Result<WriteSet, Fault> {
    let reads = Box::new(Reads(rows.clone()));
    indexing.run(HEIGHT, Bytes::copy_from_slice(block), reads, &CancelFlag::new())
}

/// The view `view`.
///
/// # Errors
/// The guest's.
pub fn view(module: &Module, input: &[u8], rows: &Rows) -> Result<ViewAnswer, ViewError> {
    let limits = ViewLimits {
        deadline: Instant::now() + PATIENCE,
        max_response_bytes: RESPONSE_BYTES_MAX,
        budget: Budget::new(u64::MAX),
    };
    let (input, reads) = (Bytes::copy_from_slice(input), Box::new(Reads(rows.clone())));
    module.view("view", HEIGHT, input, reads, &limits, &CancelFlag::new())
}
