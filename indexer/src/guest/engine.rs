//! The engines: one for blocks, one for views. They differ only in how much memory they keep for the next instance;
//! every setting that a result can depend on is the same.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use wasmtime::{
    Cache, CacheConfig, Config, Enabled, InstanceAllocationStrategy, OptLevel, PoolingAllocationConfig,
    WasmBacktraceDetails,
};

use super::{
    backtrace, interrupt,
    limits::TABLE_ELEMENTS_MAX,
    log_rate::LogRate,
    residency::{self, Residency},
};

/// All that a 32-bit guest can address.
const ADDRESSABLE_BYTES: u64 = 1 << 32;

/// Size of a WebAssembly page; memories are whole pages.
const PAGE_BYTES: u64 = 1 << 16;

/// Stack of a guest. Twice wasmtime's default, for guests that walk deep structures, and half of what threads have by
/// default (2 MiB), so that the host functions it calls always find room. Fixed: where a stack overflows must not
/// depend on the machine.
const STACK_BYTES: usize = 1 << 20;

/// Linear memories one module may have. Compilers make one and tools that merge modules two or three; each costs 4 GiB
/// of address space in every slot (never memory), so with 256 views 4 of them take 4 TiB of the 128 TiB there are.
const MEMORIES_MAX: u32 = 4;

/// Tables one module may have: one for indirect calls, one for references of wasm-bindgen, and two to spare.
const TABLES_MAX: u32 = 4;

/// What an instance needs besides memories and tables, about 50 bytes per function: room for 300,000 functions. An
/// upper bound only, nothing is reserved for it.
const INSTANCE_BYTES_MAX: usize = 16 << 20;

/// Indexing holds two instances while it refreshes, for the fresh one is built before the old one is dropped, or while
/// it audits; one to spare.
const INDEXING_SLOTS: u32 = 3;

/// Blocks that are run ahead at the same time, at most: their guests' memory is not in any budget beside 64 MiB each, and
/// each block more that is not executed yet makes it likelier that one needs what it cannot know.
pub const SCOUTS_MAX: u32 = 4;

/// For a module that is described while all views run, and one to spare.
const SPARE_SLOTS: u32 = 2;

/// What a slot for indexing keeps of a dropped instance's memory, where any may be kept. A dense block touches some 12
/// MiB, and getting them from the kernel page by page takes a fifth of the time the guest needs for it; a light block
/// gains a quarter. A refresh gives back all the rest.
const INDEXING_KEEP_BYTES: usize = 16 << 20;

/// The same for views, of which there can be many. Most touch less; giving their pages back would stop all other
/// processors of the process for a moment each time.
const VIEW_KEEP_BYTES: usize = 1 << 20;

/// What differs from process to process. Everything else is fixed, because results depend on it.
#[derive(Clone, Debug)]
pub struct EngineConfig {
    /// The most linear memory an instance may have while it indexes, in bytes; more than 4 GiB means 4 GiB.
    pub limit_bytes: u64,
    /// The same for an instance that answers a view.
    pub view_memory_limit_bytes: u64,
    /// Views that run at the same time. Previews count as views. Beyond it instances cannot be made.
    pub max_views: u32,
    /// Where compiled modules are kept, so that a restart need not compile again; none: nowhere.
    pub cache_dir: Option<PathBuf>,
}

/// Compiles modules and holds the memory their instances run in. Clones share it.
#[derive(Clone)]
pub struct Engine {
    /// Runs blocks.
    pub(super) indexing: wasmtime::Engine,
    /// Runs views and previews.
    pub(super) views: wasmtime::Engine,
    pub(super) limit_bytes: u64,
    pub(super) view_memory_limit_bytes: u64,
    /// How fast all guests together may log.
    pub(super) log_rate: Arc<LogRate>,
    cache: Option<Cache>,
    residency: Residency,
}

/// The engine could not be made.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The folder for compiled modules cannot be used.
    #[error("use {} for compiled modules", dir.display())]
    Cache {
        /// The folder.
        dir: PathBuf,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Wasmtime refused the settings, or the address space they need (`ulimit -v`).
    #[error("reserve address space for {slots} guests")]
    Reserve {
        /// Instances at the same time.
        slots: u32,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// No thread to stop guests with.
    #[error("start the thread that stops guests")]
    Ticker {
        /// Why.
        #[source]
        source: io::Error,
    },
}

impl Engine {
    /// Reserves address space for all instances and starts the thread that can stop them.
    ///
    /// # Errors
    /// When the folder for compiled modules cannot be used, or when this machine has no address space or thread left.
    pub fn new(config: &EngineConfig) -> Result<Self, Error> {
        let cache = config.cache_dir.as_deref().map(open_cache).transpose()?;
        let limit_bytes = config.limit_bytes.min(ADDRESSABLE_BYTES);
        let view_memory_limit_bytes = config.view_memory_limit_bytes.min(ADDRESSABLE_BYTES);
        // A preview runs a block, so its slot must be as large as one for indexing.
        let memory_bytes = limit_bytes.max(view_memory_limit_bytes);
        let residency = residency::decide(&residency::facts());
        let engine = |slots, keep_bytes| {
            let mut settings = results_matter();
            settings.cache(cache.clone());
            let pool = pool(slots, memory_bytes, if residency.keeps() { keep_bytes } else { 0 });
            settings.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
            let engine = wasmtime::Engine::new(&settings).map_err(|source| Error::Reserve {
                slots,
                source: source.into(),
            })?;
            interrupt::start_ticking(&engine).map_err(|source| Error::Ticker { source })?;
            Ok(engine)
        };
        let indexing = engine(INDEXING_SLOTS + SCOUTS_MAX, INDEXING_KEEP_BYTES)?;
        let views = engine(config.max_views.saturating_add(SPARE_SLOTS), VIEW_KEEP_BYTES)?;
        Ok(Self {
            indexing,
            views,
            limit_bytes,
            view_memory_limit_bytes,
            log_rate: Arc::default(),
            cache,
            residency,
        })
    }

    /// Whether slots keep some of a dropped instance's memory for the next one, and why.
    #[must_use]
    pub fn residency(&self) -> Residency {
        self.residency
    }

    /// Modules that were found compiled, since the engine was made.
    #[must_use]
    pub fn cache_hits(&self) -> usize {
        self.cache.as_ref().map_or(0, Cache::cache_hits)
    }
}

/// Settings a result can depend on. The set of proposals is part of it: what a module may be made of does not change
/// with a new wasmtime.
fn results_matter() -> Config {
    let mut config = Config::new();
    // The two places where WebAssembly leaves the result to the machine.
    config.cranelift_nan_canonicalization(true);
    config
        .wasm_simd(true)
        .wasm_relaxed_simd(true)
        .relaxed_simd_deterministic(true);
    config.max_wasm_stack(STACK_BYTES);
    config.epoch_interruption(true);
    config.cranelift_opt_level(OptLevel::Speed);
    // Only names of functions, so that neither the environment nor debug information changes what a failure says.
    config
        .wasm_backtrace_max_frames(Some(backtrace::FRAMES_MAX))
        .wasm_backtrace_details(WasmBacktraceDetails::Disable);
    config
        .wasm_bulk_memory(true)
        .wasm_multi_value(true)
        .wasm_multi_memory(true);
    config
        .wasm_reference_types(true)
        .wasm_tail_call(true)
        .wasm_extended_const(true);
    // A garbage-collected heap would be memory beside the memory we count; 64-bit memories do not fit the ABI. Threads
    // are not compiled in at all.
    config
        .wasm_gc(false)
        .wasm_function_references(false)
        .wasm_exceptions(false)
        .wasm_memory64(false);
    config
}

/// Slots that are made once and used again: a fresh instance is a few system calls, its start image is mapped
/// copy-on-write, and dropping it gives the memory back at once, but for `keep_bytes`.
fn pool(slots: u32, memory_bytes: u64, keep_bytes: usize) -> PoolingAllocationConfig {
    let mut pool = PoolingAllocationConfig::new();
    pool.total_core_instances(slots);
    pool.total_memories(slots.saturating_mul(MEMORIES_MAX));
    pool.total_tables(slots.saturating_mul(TABLES_MAX));
    pool.max_memories_per_module(MEMORIES_MAX);
    pool.max_tables_per_module(TABLES_MAX);
    pool.table_elements(TABLE_ELEMENTS_MAX);
    pool.max_core_instance_size(INSTANCE_BYTES_MAX);
    if keep_bytes > 0 {
        pool.linear_memory_keep_resident(keep_bytes);
        pool.table_keep_resident(keep_bytes);
        pool.pagemap_scan(Enabled::Yes);
    }
    // Whole pages, so that the limiter and never the pool is what refuses growth.
    pool.max_memory_size(usize::try_from(memory_bytes.next_multiple_of(PAGE_BYTES)).unwrap_or(usize::MAX));
    pool
}

fn open_cache(dir: &Path) -> Result<Cache, Error> {
    let open = || -> Result<Cache, Box<dyn std::error::Error + Send + Sync>> {
        let mut config = CacheConfig::new();
        config.with_directory(std::path::absolute(dir)?);
        Ok(Cache::new(config)?)
    };
    open().map_err(|source| Error::Cache {
        dir: dir.into(),
        source,
    })
}
