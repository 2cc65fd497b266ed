//! One instance with its store: built fresh, used for one job at a time.

use wasmtime::{Instance as WasmInstance, InstancePre, Store, UpdateDeadline};

use super::{
    host::{Failure, Host},
    interrupt::Interrupt,
    job::Job,
};
use crate::fault::Fault;

/// A guest that can be called. Its memory goes back to the pool when it is dropped.
pub(super) struct Instance {
    store: Store<Host>,
    exports: WasmInstance,
}

impl Instance {
    /// Builds a fresh one; this runs the module's start section, if it has one.
    pub(super) fn build(pre: &InstancePre<Host>, host: Host) -> Result<Self, Failure> {
        let mut store = Store::new(pre.module().engine(), host);
        store.limiter(|host| &mut host.limits);
        // At each tick of the engine's clock.
        store.epoch_deadline_callback(|context| {
            context.data().interrupt.check()?;
            Ok(UpdateDeadline::Continue(1))
        });
        store.set_epoch_deadline(1);
        let built = pre.instantiate(&mut store);
        store.data_mut().end_run();
        let exports = built.map_err(|error| store.data().failure(&error))?;
        store.data_mut().memory = exports.get_memory(&mut store, "memory");
        Ok(Self { store, exports })
    }

    /// Calls `_start` for a block and returns the job, with what was flushed.
    pub(super) fn index(&mut self, job: Job, interrupt: Interrupt) -> Result<Job, Failure> {
        self.call::<()>("_start", job, interrupt).map(|((), job)| job)
    }

    /// Calls a view, which returns a pointer.
    pub(super) fn view(&mut self, function: &str, job: Job, interrupt: Interrupt) -> Result<u32, Failure> {
        self.call::<u32>(function, job, interrupt).map(|(ptr, _)| ptr)
    }

    /// The memory as the last run left it.
    pub(super) fn memory(&self) -> &[u8] {
        self.store.data().memory.map_or(&[], |memory| memory.data(&self.store))
    }

    /// Linear memory in use, all memories together.
    pub(super) fn guest_bytes(&self) -> u64 {
        self.store.data().limits.in_use_bytes()
    }

    /// Adds to a fault of the last run what is known besides.
    pub(super) fn explain(&self, fault: Fault) -> Fault {
        self.store.data().explain(fault)
    }

    fn call<R: wasmtime::WasmResults>(
        &mut self,
        function: &str,
        job: Job,
        interrupt: Interrupt,
    ) -> Result<(R, Job), Failure> {
        interrupt.check().map_err(Failure::Interrupted)?;
        let store = &mut self.store;
        store.data_mut().begin(job, interrupt);
        store.set_epoch_deadline(1);
        let result = self
            .exports
            .get_typed_func::<(), R>(&mut *store, function)
            .and_then(|f| f.call(&mut *store, ()));
        let job = store.data_mut().end_run();
        match (result, job) {
            (Ok(result), Some(job)) => Ok((result, job)),
            (Ok(_), None) => Err(Failure::Fault(Fault::host("the job was lost"))),
            (Err(error), _) => Err(store.data().failure(&error)),
        }
    }
}
