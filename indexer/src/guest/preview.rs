//! Previews: a block run as if it were the next one, so that a view can show what it would change.

use bytes::Bytes;

use super::{
    budget::Charge,
    host::{Failure, Host},
    instance::Instance,
    interrupt::{CancelFlag, Interrupt},
    job::Job,
    limits::MemoryLimits,
    load::Module,
    view::{ViewError, ViewLimits},
};
use crate::{
    chain::Height,
    state::{State, WriteSet},
};

/// What a block would write.
#[derive(Debug)]
pub struct Previewed {
    /// The pairs.
    pub writes: WriteSet,
    /// For the memory they take.
    _charge: Option<Charge>,
}

impl Module {
    /// Runs a block in a fresh instance as indexing would, and returns what it would write. `state` must read as of the
    /// height below. The block is taken as it is: whether it belongs to any chain is up to the caller.
    ///
    /// The limit of the guest's memory is that of indexing, since a refused growth can show in what is written. What
    /// this process spends is that of a view all the same: a run that needs more is stopped, not refused. The same
    /// bound holds for what it flushes, and the budget of all queries for both.
    ///
    /// Needs 2 MiB of stack, which every thread has unless made with less.
    ///
    /// # Errors
    /// Says whose fault it is, and that it was the block; none of them concerns indexing.
    pub fn preview(
        &self,
        height: Height,
        block: Bytes,
        state: Box<dyn State>,
        limits: &ViewLimits,
        cancel: &CancelFlag,
    ) -> Result<Previewed, ViewError> {
        self.apply(height, block, state, limits, cancel)
            .map_err(|error| of_the_block(error, height))
    }

    fn apply(
        &self,
        height: Height,
        block: Bytes,
        state: Box<dyn State>,
        limits: &ViewLimits,
        cancel: &CancelFlag,
    ) -> Result<Previewed, ViewError> {
        let ViewLimits { deadline, budget, .. } = limits;
        let interrupt = Interrupt {
            cancel: cancel.clone(),
            deadline: Some(*deadline),
        };
        let engine = self.engine();
        let memory = MemoryLimits::of_preview(
            engine.limit_bytes,
            engine.view_memory_limit_bytes,
            budget,
            interrupt.clone(),
        );
        let job = Job::preview(height, block, state, engine.view_memory_limit_bytes, budget);
        let host = Host::new(memory, interrupt.clone(), &engine.log_rate);
        let mut instance = Instance::build(self.for_views(), host)?;
        let (flushed, charge) = instance.index(job, interrupt)?.into_flushed();
        let writes = flushed
            .into_write_set()
            .map_err(|fault| Failure::Fault(instance.explain(fault)))?;
        Ok(Previewed {
            writes,
            _charge: charge,
        })
    }
}

/// Two runs can fail; the client must know which one did.
fn of_the_block(error: ViewError, height: Height) -> ViewError {
    let named = |message| format!("block {height} of the preview: {message}");
    match error {
        ViewError::Guest(message) => ViewError::Guest(named(message)),
        ViewError::Limit(message) => ViewError::Limit(named(message)),
        ViewError::Host(message) => ViewError::Host(named(message)),
        other @ (ViewError::UnknownFunction(_) | ViewError::Deadline | ViewError::Cancelled) => other,
    }
}
