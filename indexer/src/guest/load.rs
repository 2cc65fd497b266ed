//! From bytes to a module that can be instantiated, or a reason why not.

use std::sync::Arc;

use crds::pod::module_reasons;
use wasmtime::{ExternType, InstancePre};

use super::{engine::Engine, host::Host, imports};

/// The first bytes of every WebAssembly file.
const MAGIC: &[u8] = b"\0asm";

/// The bytes after the magic when the file is a component.
const COMPONENT_VERSION: &[u8] = &[0x0d, 0, 1, 0];

/// A module that is checked, compiled and linked. Clones share it.
#[derive(Clone)]
pub struct Module(Arc<Inner>);

struct Inner {
    engine: Engine,
    indexing: InstancePre<Host>,
    views: InstancePre<Host>,
}

/// Why a module cannot be used, and what to do.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// Something else altogether.
    #[error(
        "the module is no WebAssembly file; give the binary that the compiler made (.wasm), not text or an archive"
    )]
    NotWasm,
    /// A component.
    #[error("the module is a WebAssembly component; build a core module (target wasm32-unknown-unknown)")]
    Component,
    /// Threads.
    #[error("the module uses shared memory, which is not supported; build it without threads")]
    SharedMemory,
    /// Invalid, or beyond what is supported.
    #[error("the module cannot be compiled")]
    Invalid {
        /// What is wrong with it.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// It needs something that only functions are stubbed for, or calls a host function by another type.
    #[error("the module's imports do not fit")]
    Imports {
        /// Which one, and why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// An export is not there.
    #[error("the module does not export {name}, which must be {expected}; is it an indexer?")]
    MissingExport {
        /// Its name.
        name: &'static str,
        /// What it must be.
        expected: &'static str,
    },
    /// An export is of another type.
    #[error("the module exports {name}, but it must be {expected}")]
    WrongExport {
        /// Its name.
        name: &'static str,
        /// What it must be.
        expected: &'static str,
    },
    /// It can never run under this limit.
    #[error(
        "the module declares {declared_bytes} bytes of memory at least, its limit is {limit_bytes}; raise the limit"
    )]
    MemoryAboveLimit {
        /// What its memory starts with.
        declared_bytes: u64,
        /// What it may have.
        limit_bytes: u64,
    },
}

impl LoadError {
    /// One of [`module_reasons`].
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::MissingExport { .. } | Self::WrongExport { .. } => module_reasons::MISSING_EXPORT,
            Self::NotWasm
            | Self::Component
            | Self::SharedMemory
            | Self::Invalid { .. }
            | Self::Imports { .. }
            | Self::MemoryAboveLimit { .. } => module_reasons::NOT_WASM,
        }
    }
}

impl Module {
    /// Checks and compiles a module, or takes it compiled from the cache. Compiling takes seconds for large modules.
    ///
    /// # Errors
    /// When the bytes are no module that can index here.
    pub fn load(engine: &Engine, bytes: &[u8]) -> Result<Self, LoadError> {
        match bytes.strip_prefix(MAGIC) {
            None => return Err(LoadError::NotWasm),
            Some(rest) if rest.starts_with(COMPONENT_VERSION) => return Err(LoadError::Component),
            Some(_) => {}
        }
        let indexing = compiled(&engine.indexing, bytes)?;
        require_start(indexing.module())?;
        require_memory(indexing.module(), engine.limit_bytes)?;
        Ok(Self(Arc::new(Inner {
            engine: engine.clone(),
            indexing,
            // Compiled by the same settings, so found in the cache if there is one.
            views: compiled(&engine.views, bytes)?,
        })))
    }

    /// The engine it was loaded into.
    pub(super) fn engine(&self) -> &Engine {
        &self.0.engine
    }

    /// What instances for blocks are made from.
    pub(super) fn for_indexing(&self) -> &InstancePre<Host> {
        &self.0.indexing
    }

    /// What instances for views and previews are made from.
    pub(super) fn for_views(&self) -> &InstancePre<Host> {
        &self.0.views
    }

    /// What it declares.
    pub(super) fn compiled(&self) -> &wasmtime::Module {
        self.0.indexing.module()
    }
}

fn compiled(engine: &wasmtime::Engine, bytes: &[u8]) -> Result<InstancePre<Host>, LoadError> {
    let module = wasmtime::Module::from_binary(engine, bytes).map_err(invalid)?;
    imports::linker(engine, &module)
        .and_then(|linker| linker.instantiate_pre(&module))
        .map_err(|source| LoadError::Imports { source: source.into() })
}

/// Wasmtime names the proposal, not the way out. Its error has no kinds, so the text decides which words people see;
/// nothing else hangs on it.
fn invalid(error: wasmtime::Error) -> LoadError {
    if format!("{error:#}").contains("shared memor") {
        return LoadError::SharedMemory;
    }
    LoadError::Invalid { source: error.into() }
}

fn require_start(module: &wasmtime::Module) -> Result<(), LoadError> {
    let (name, expected) = ("_start", "a function without parameters and results");
    match module.get_export(name) {
        None => Err(LoadError::MissingExport { name, expected }),
        Some(ExternType::Func(start)) if start.params().len() == 0 && start.results().len() == 0 => Ok(()),
        Some(_) => Err(LoadError::WrongExport { name, expected }),
    }
}

fn require_memory(module: &wasmtime::Module, limit_bytes: u64) -> Result<(), LoadError> {
    let (name, expected) = ("memory", "a linear memory");
    let memory = match module.get_export(name) {
        None => return Err(LoadError::MissingExport { name, expected }),
        Some(ExternType::Memory(memory)) => memory,
        Some(_) => return Err(LoadError::WrongExport { name, expected }),
    };
    let declared_bytes = memory.minimum().saturating_mul(memory.page_size());
    if declared_bytes > limit_bytes {
        return Err(LoadError::MemoryAboveLimit {
            declared_bytes,
            limit_bytes,
        });
    }
    Ok(())
}
