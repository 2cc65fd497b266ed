//! The guest that indexes: one instance, kept across blocks, or none.

use bytes::Bytes;

use super::{
    host::{Failure, Host},
    instance::Instance,
    interrupt::{CancelFlag, Interrupt},
    job::Job,
    limits::MemoryLimits,
    load::Module,
};
use crate::{
    chain::Height,
    fault::Fault,
    state::{State, WriteSet},
};

/// Linear memory of a guest that runs a block ahead, at most: several of them must not take what one was given.
const SCOUT_BYTES_MAX: u64 = 64 << 20;

/// Feeds blocks to one instance of a module. The caller decides when it is replaced ([`super::refresh`]).
pub struct Indexing {
    module: Module,
    instance: Option<Instance>,
    /// The flag of the last run. It stops a refresh too, should the module's start section never end.
    stop: CancelFlag,
}

impl Indexing {
    /// Without an instance; the first run makes one.
    #[must_use]
    pub fn new(module: Module) -> Self {
        Self {
            module,
            instance: None,
            stop: CancelFlag::new(),
        }
    }

    /// Replaces the instance with a fresh one, which is built before the old one is dropped.
    ///
    /// # Errors
    /// When no fresh one can be made; the old one, if any, stays. Of class `Host` when this machine is short of memory,
    /// of class `Guest` or `Limit` when the module's start section fails. Should that never end, the flag given to the
    /// last run stops it.
    pub fn refresh(&mut self) -> Result<(), Fault> {
        self.instance = Some(self.fresh()?);
        Ok(())
    }

    /// Gives the instance's memory back.
    pub fn drop_instance(&mut self) {
        self.instance = None;
    }

    /// Whether there is an instance.
    #[must_use]
    pub fn has_instance(&self) -> bool {
        self.instance.is_some()
    }

    /// Linear memory of the kept instance, in bytes, all its memories together; 0 if there is none.
    #[must_use]
    pub fn guest_bytes(&self) -> u64 {
        self.instance.as_ref().map_or(0, Instance::guest_bytes)
    }

    /// Runs one block, on a fresh instance if there is none. `state` must read as of the height below. Without a
    /// deadline: blocks take as long as they take; `stop` ends one within about 10 ms.
    ///
    /// Needs 2 MiB of stack, which every thread has unless made with less.
    ///
    /// # Errors
    /// When the block failed; the instance is dropped then, for a trap leaves its memory half changed. Of class `Guest`
    /// or `Limit` for the guest's own failures, of class `Host` when this machine failed or `stop` was set, and of the
    /// class that `state` returns.
    pub fn run(
        &mut self,
        height: Height,
        block: Bytes,
        state: Box<dyn State>,
        stop: &CancelFlag,
    ) -> Result<WriteSet, Fault> {
        self.stop = stop.clone();
        // Taken out, and put back only after success.
        let mut instance = match self.instance.take() {
            Some(instance) => instance,
            None => self.fresh()?,
        };
        let job = instance
            .index(Job::block(height, block, state), self.interrupt())
            .map_err(Failure::into_fault)?;
        let (flushed, _) = job.into_flushed();
        let writes = flushed.into_write_set().map_err(|fault| instance.explain(fault))?;
        self.instance = Some(instance);
        Ok(writes)
    }

    /// Runs one block as [`Self::run`] does, on a fresh instance that is gone afterwards. The kept one stays as it is.
    ///
    /// # Errors
    /// As [`Self::run`].
    pub fn run_apart(
        &self,
        height: Height,
        block: Bytes,
        state: Box<dyn State>,
        stop: &CancelFlag,
    ) -> Result<WriteSet, Fault> {
        Self::new(self.module.clone()).run(height, block, state, stop)
    }

    /// Runs one block on a fresh instance for what it reads; what it writes is dropped.
    ///
    /// # Errors
    /// As [`Self::run`], and where it would need more memory than such a run may have.
    pub fn scout(&self, height: Height, block: Bytes, state: Box<dyn State>, stop: &CancelFlag) -> Result<(), Fault> {
        let interrupt = Interrupt {
            cancel: stop.clone(),
            deadline: None,
        };
        let engine = self.module.engine();
        let limits = MemoryLimits::of_scout(engine.limit_bytes, SCOUT_BYTES_MAX);
        let host = Host::new(limits, interrupt.clone(), &engine.log_rate);
        let mut instance = Instance::build(self.module.for_indexing(), host).map_err(Failure::into_fault)?;
        let ran = instance.index(Job::scout(height, block, state), interrupt);
        ran.map(drop).map_err(Failure::into_fault)
    }

    /// Another one of the same module, without an instance.
    #[must_use]
    pub fn another(&self) -> Self {
        Self::new(self.module.clone())
    }

    fn fresh(&self) -> Result<Instance, Fault> {
        let engine = self.module.engine();
        let limits = MemoryLimits::of_indexing(engine.limit_bytes);
        let host = Host::new(limits, self.interrupt(), &engine.log_rate);
        Instance::build(self.module.for_indexing(), host).map_err(Failure::into_fault)
    }

    fn interrupt(&self) -> Interrupt {
        Interrupt {
            cancel: self.stop.clone(),
            deadline: None,
        }
    }
}
