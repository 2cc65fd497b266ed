//! Queries: each runs in a fresh instance of its own, with a deadline and bounds on memory and answer.

use std::time::Instant;

use bytes::Bytes;
use crds::pod::FaultClass;
use wasmtime::ExternType;

use super::{
    abi,
    budget::{Budget, Exhausted},
    host::{Failure, Host},
    instance::Instance,
    interrupt::{CancelFlag, Interrupt, Interrupted},
    job::Job,
    limits::MemoryLimits,
    load::Module,
};
use crate::{chain::Height, fault::Fault, state::State};

/// How much of a name a client sent is repeated in an error.
const NAME_BYTES_MAX: usize = 100;

/// Bounds on one view, besides the memory limit of the engine.
#[derive(Clone, Debug)]
pub struct ViewLimits {
    /// When it is stopped; noticed within about 10 ms.
    pub deadline: Instant,
    /// The longest answer, in bytes.
    pub max_response_bytes: u64,
    /// Where the memory of its instance, of what it reads and of its answer comes from.
    pub budget: Budget,
}

/// What a view answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ViewAnswer {
    /// The answer.
    pub bytes: Bytes,
    /// The guest returned no pointer to an answer. Clients see an empty one, as they always did; worth counting.
    pub malformed: bool,
}

/// A view without an answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ViewError {
    /// The client's mistake.
    #[error("no view function {0:?}: the module exports no function of that name and type () -> i32")]
    UnknownFunction(String),
    /// The guest failed.
    #[error("{0}")]
    Guest(String),
    /// It needed more memory or room for its answer than a view may have, or than was left.
    #[error("{0}")]
    Limit(String),
    /// It was not done at its deadline.
    #[error("the view did not end within its time")]
    Deadline,
    /// This machine failed: memory, store.
    #[error("{0}")]
    Host(String),
    /// Its flag was set.
    #[error("the view was stopped before it was done")]
    Cancelled,
}

impl Module {
    /// Exports that can be called as views, in the module's order. `__meta`, which can too, is for tools.
    pub fn views(&self) -> impl Iterator<Item = &str> {
        let exports = self.compiled().exports();
        let views = exports.filter(|export| is_view(&export.ty()) && export.name() != "__meta");
        views.map(|export| export.name())
    }

    /// Whether a function can be called as a view: an export of type `() -> i32`.
    #[must_use]
    pub fn has_view(&self, function: &str) -> bool {
        self.compiled()
            .get_export(function)
            .is_some_and(|export| is_view(&export))
    }

    /// Answers a request in a fresh instance. `state` must read as of `height`.
    ///
    /// Needs 2 MiB of stack, which every thread has unless made with less.
    ///
    /// # Errors
    /// Says whose fault it is; none of them concerns indexing.
    pub fn view(
        &self,
        function: &str,
        height: Height,
        input: Bytes,
        state: Box<dyn State>,
        limits: &ViewLimits,
        cancel: &CancelFlag,
    ) -> Result<ViewAnswer, ViewError> {
        if !self.has_view(function) {
            return Err(ViewError::UnknownFunction(abi::utf8(
                function.as_bytes(),
                NAME_BYTES_MAX,
            )));
        }
        let interrupt = Interrupt {
            cancel: cancel.clone(),
            deadline: Some(limits.deadline),
        };
        let (engine, budget) = (self.engine(), &limits.budget);
        let memory = MemoryLimits::of_view(engine.view_memory_limit_bytes, budget, interrupt.clone());
        let host = Host::new(memory, interrupt.clone(), &engine.log_rate);
        let mut instance = Instance::build(self.for_views(), host)?;
        let job = Job::view(height, input, state, budget);
        let ptr = instance.view(function, job, interrupt)?;
        answer(instance.memory(), ptr, limits)
    }
}

/// Whether an export can be called as a view.
fn is_view(export: &ExternType) -> bool {
    let ExternType::Func(function) = export else {
        return false;
    };
    function.params().len() == 0 && function.results().len() == 1 && function.results().all(|result| result.is_i32())
}

/// The one copy that is made of an answer, before the guest is gone.
fn answer(memory: &[u8], ptr: u32, limits: &ViewLimits) -> Result<ViewAnswer, ViewError> {
    match abi::sized(memory, ptr) {
        Ok(bytes) if bytes.len() as u64 > limits.max_response_bytes => Err(ViewError::Limit(format!(
            "the answer has {} bytes, a view may give {} (views.maxResponseBytes)",
            bytes.len(),
            limits.max_response_bytes
        ))),
        Ok(bytes) => Ok(ViewAnswer {
            bytes: limits.budget.charge(bytes.len() as u64)?.hold(bytes.to_vec()),
            malformed: false,
        }),
        Err(_) => Ok(ViewAnswer {
            bytes: Bytes::new(),
            malformed: true,
        }),
    }
}

impl From<Exhausted> for ViewError {
    fn from(exhausted: Exhausted) -> Self {
        Self::Limit(exhausted.to_string())
    }
}

impl From<Failure> for ViewError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Interrupted(Interrupted::Cancelled) => Self::Cancelled,
            Failure::Interrupted(Interrupted::Deadline) => Self::Deadline,
            Failure::Fault(Fault { class, message }) => match class {
                FaultClass::Guest => Self::Guest(message),
                FaultClass::Limit => Self::Limit(message),
                FaultClass::Host
                | FaultClass::DiskFull
                | FaultClass::Source
                | FaultClass::Reorg
                | FaultClass::Nondeterminism => Self::Host(message),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(max_response_bytes: u64) -> ViewLimits {
        ViewLimits {
            deadline: Instant::now(),
            max_response_bytes,
            budget: Budget::new(2),
        }
    }

    #[test]
    fn a_pointer_that_holds_no_answer_reads_as_an_empty_one() {
        let memory = b"\x02\0\0\0ab";
        let given = |ptr| answer(memory, ptr, &limits(2)).map(|answer| (answer.bytes.to_vec(), answer.malformed));
        assert_eq!(given(4), Ok((b"ab".to_vec(), false)));
        for ptr in [0, 3, 6, 7, u32::MAX] {
            assert_eq!(given(ptr), Ok((vec![], true)), "pointer {ptr}");
        }
    }

    #[test]
    fn bound_on_the_answer_obeyed() {
        assert!(answer(b"\x02\0\0\0ab", 4, &limits(2)).is_ok());
    }

    #[test]
    fn bound_on_the_answer_violated() {
        let error = answer(b"\x02\0\0\0ab", 4, &limits(1)).unwrap_err();
        let expected = "the answer has 2 bytes, a view may give 1 (views.maxResponseBytes)";
        assert_eq!(error, ViewError::Limit(expected.into()));
    }

    #[test]
    fn an_answer_is_charged_while_it_exists() {
        let limits = limits(2);
        let first = answer(b"\x02\0\0\0ab", 4, &limits).unwrap();
        assert_eq!(limits.budget.in_use_bytes(), 2);
        let error = answer(b"\x02\0\0\0ab", 4, &limits).unwrap_err();
        assert!(matches!(error, ViewError::Limit(_)), "{error}");
        drop(first);
        assert_eq!(limits.budget.in_use_bytes(), 0);
    }
}
