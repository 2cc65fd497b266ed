//! What a module says about itself, for those who check one before deploying it.

use std::time::{Duration, Instant};

use bytes::Bytes;
use prost::Message;

use super::{
    abi,
    budget::Budget,
    host::{Failure, Host},
    imports,
    instance::Instance,
    interrupt::{CancelFlag, Interrupt},
    job::Job,
    limits::MemoryLimits,
    load::Module,
};
use crate::{chain::Height, fault::Fault, state::State};

/// How long `__meta` may take; it only returns a constant.
const META_TIME_MAX: Duration = Duration::from_secs(1);

/// What a module has and needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Description {
    /// Exports that can be called as views, `__meta` left out.
    pub views: Vec<String>,
    /// What it imports, in its order.
    pub imports: Vec<Import>,
    /// Host functions it does not import. Without `__flush` no block can ever be complete.
    pub unused_host_functions: Vec<&'static str>,
    /// What the memory `memory` starts with, in bytes.
    pub memory_min_bytes: u64,
    /// What the module itself declares as the most, in bytes.
    pub memory_max_bytes: Option<u64>,
    /// Linear memories, all together.
    pub memories: u32,
    /// The views that `__meta` lists, if the module has one that can be read.
    pub meta: Option<Vec<MetaView>>,
}

/// One import.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Import {
    /// `MODULE.NAME`.
    pub name: String,
    /// False: a stub, which fails the block when it is called.
    pub offered: bool,
}

/// A view as `__meta` describes it.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct MetaView {
    /// Name of the export.
    #[prost(string, tag = "1")]
    pub name: String,
    /// Protobuf message it takes.
    #[prost(string, tag = "2")]
    pub input_type: String,
    /// Protobuf message it returns.
    #[prost(string, tag = "3")]
    pub output_type: String,
}

/// `IndexerMetadata`, the part that is of use; the other fields name compilers.
#[derive(Clone, PartialEq, Message)]
struct Metadata {
    #[prost(message, repeated, tag = "3")]
    view_functions: Vec<MetaView>,
}

/// For `__meta`, which has nothing to read.
struct Nothing;

impl State for Nothing {
    fn get(&mut self, _key: &[u8]) -> Result<Option<Bytes>, Fault> {
        Ok(None)
    }
}

impl Module {
    /// Lists exports and imports, and calls `__meta` if there is one.
    #[must_use]
    pub fn describe(&self) -> Description {
        let module = self.compiled();
        let imports: Vec<_> = module.imports().collect();
        let imported = |name: &str| {
            imports
                .iter()
                .any(|import| import.module() == "env" && import.name() == name)
        };
        let memory = module.get_export("memory").and_then(|export| export.memory().cloned());
        let page_bytes = memory.as_ref().map_or(0, wasmtime::MemoryType::page_size);
        Description {
            views: self.views().map(str::to_owned).collect(),
            unused_host_functions: imports::OFFERED.into_iter().filter(|name| !imported(name)).collect(),
            imports: imports
                .iter()
                .map(|import| Import {
                    name: format!("{}.{}", import.module(), import.name()),
                    offered: imports::is_offered(import.module(), import.name()),
                })
                .collect(),
            memory_min_bytes: memory.as_ref().map_or(0, |memory| memory.minimum() * page_bytes),
            memory_max_bytes: memory
                .and_then(|memory| memory.maximum())
                .map(|pages| pages.saturating_mul(page_bytes)),
            memories: module.resources_required().num_memories,
            meta: self.meta(),
        }
    }

    /// Makes one instance as a run would and drops it: the module's data are put in place, and its start section runs.
    ///
    /// # Errors
    /// Why no block can ever begin.
    pub fn try_instance(&self, deadline: Instant) -> Result<(), Fault> {
        let interrupt = Interrupt {
            cancel: CancelFlag::new(),
            deadline: Some(deadline),
        };
        let engine = self.engine();
        let host = Host::new(
            MemoryLimits::of_indexing(engine.limit_bytes),
            interrupt,
            &engine.log_rate,
        );
        let built = Instance::build(self.for_indexing(), host);
        built.map(drop).map_err(|failure| match failure {
            Failure::Interrupted(_) => Fault::guest("its start section did not end in time"),
            fault @ Failure::Fault(_) => fault.into_fault(),
        })
    }

    /// Informational only, so whatever goes wrong means none.
    fn meta(&self) -> Option<Vec<MetaView>> {
        if !self.has_view("__meta") {
            return None;
        }
        let interrupt = Interrupt {
            cancel: CancelFlag::new(),
            deadline: Some(Instant::now() + META_TIME_MAX),
        };
        let (engine, budget) = (self.engine(), Budget::new(self.engine().view_memory_limit_bytes));
        let memory = MemoryLimits::of_view(engine.view_memory_limit_bytes, &budget, interrupt.clone());
        let host = Host::new(memory, interrupt.clone(), &engine.log_rate);
        let mut instance = Instance::build(self.for_views(), host).ok()?;
        let job = Job::view(Height(0), Bytes::new(), Box::new(Nothing), &budget);
        let ptr = instance.view("__meta", job, interrupt).ok()?;
        // Some builds return the address of the length instead of the data.
        [Some(ptr), ptr.checked_add(4)]
            .into_iter()
            .flatten()
            .find_map(|ptr| read_meta(instance.memory(), ptr))
    }
}

fn read_meta(memory: &[u8], ptr: u32) -> Option<Vec<MetaView>> {
    let bytes = abi::sized(memory, ptr).ok()?;
    let views = Metadata::decode(bytes).ok()?.view_functions;
    (!views.is_empty()).then_some(views)
}
