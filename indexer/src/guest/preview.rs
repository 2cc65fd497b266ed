//! Previews: a block run as if it were the next one, for a view that wants to see what it would change.

use std::time::Instant;

use bytes::Bytes;

use super::{
    host::{Failure, Job},
    instance::Instance,
    interrupt::{CancelFlag, Interrupt},
    limits::MemoryLimits,
    load::Module,
    view::ViewError,
};
use crate::{
    chain::Height,
    fault::Fault,
    state::{State, WriteSet},
};

impl Module {
    /// Runs a block in a fresh instance as indexing would, and gives what it would write. `state` must read as of the
    /// height below. The block is taken as it is: whether it belongs to any chain is up to whoever asks.
    ///
    /// The limit of the guest's memory is that of indexing, since a refused growth can show in what is written. What
    /// this process spends is that of a view all the same: a run that needs more is stopped, not refused. The same bound
    /// holds for what it flushes.
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
        deadline: Instant,
        cancel: &CancelFlag,
    ) -> Result<WriteSet, ViewError> {
        let interrupt = Interrupt {
            cancel: cancel.clone(),
            deadline: Some(deadline),
        };
        self.apply(
            Job::preview(height, block, state, self.engine().view_memory_limit_bytes),
            interrupt,
        )
        .map_err(|failure| of_the_block(failure, height))
    }

    fn apply(&self, job: Job, interrupt: Interrupt) -> Result<WriteSet, Failure> {
        let engine = self.engine();
        let limits = MemoryLimits::stopped_above(engine.limit_bytes, engine.view_memory_limit_bytes);
        let mut instance = Instance::build_within(self.for_views(), limits, interrupt.clone())?;
        let job = instance.index(job, interrupt)?;
        let writes = job.into_flushed().into_write_set();
        writes.map_err(|fault| Failure::Fault(instance.explain(fault)))
    }
}

/// Two runs can fail; the client is told which one did.
fn of_the_block(failure: Failure, height: Height) -> ViewError {
    ViewError::from(match failure {
        Failure::Fault(Fault { class, message }) => Failure::Fault(Fault {
            class,
            message: format!("block {height} of the preview: {message}"),
        }),
        interrupted @ Failure::Interrupted(_) => interrupted,
    })
}
