//! Queries: each runs in a fresh instance of its own, with a deadline and bounds on memory and answer.

use std::time::Instant;

use bytes::Bytes;
use crds::pod::FaultClass;
use wasmtime::ExternType;

use super::{
    abi,
    host::{Failure, Job},
    instance::Instance,
    interrupt::{CancelFlag, Interrupt, Interrupted},
    load::Module,
};
use crate::{chain::Height, fault::Fault, state::State};

/// How much of a name a client sent is repeated in an error.
const NAME_BYTES_MAX: usize = 100;

/// Bounds on one view, besides the memory limit of the engine.
#[derive(Clone, Copy, Debug)]
pub struct ViewLimits {
    /// When it is stopped; noticed within about 10 ms.
    pub deadline: Instant,
    /// The longest answer, in bytes.
    pub max_response_bytes: u64,
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
    /// It needed more time, memory or room for its answer than a view may have.
    #[error("{0}")]
    Limit(String),
    /// This machine failed: memory, store.
    #[error("{0}")]
    Host(String),
    /// It was asked to stop.
    #[error("the view was stopped before it was done")]
    Cancelled,
}

impl Module {
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
        limits: ViewLimits,
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
        let memory_limit_bytes = self.engine().view_memory_limit_bytes;
        let mut instance = Instance::build(self.for_views(), memory_limit_bytes, interrupt.clone())?;
        let ptr = instance.view(function, Job::view(height, input, state), interrupt)?;
        answer(instance.memory(), ptr, limits.max_response_bytes)
    }
}

/// Whether an export can be called as a view.
pub(super) fn is_view(export: &ExternType) -> bool {
    let ExternType::Func(function) = export else {
        return false;
    };
    function.params().len() == 0 && function.results().len() == 1 && function.results().all(|result| result.is_i32())
}

fn answer(memory: &[u8], ptr: u32, max_response_bytes: u64) -> Result<ViewAnswer, ViewError> {
    match abi::sized(memory, ptr) {
        Ok(bytes) if bytes.len() as u64 > max_response_bytes => {
            let len = bytes.len();
            Err(ViewError::Limit(format!(
                "the answer has {len} bytes, a view may give {max_response_bytes}"
            )))
        }
        Ok(bytes) => Ok(ViewAnswer {
            bytes: Bytes::copy_from_slice(bytes),
            malformed: false,
        }),
        Err(_) => Ok(ViewAnswer {
            bytes: Bytes::new(),
            malformed: true,
        }),
    }
}

impl From<Failure> for ViewError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Interrupted(Interrupted::Cancelled) => Self::Cancelled,
            Failure::Interrupted(Interrupted::Deadline) => Self::Limit("the view took longer than it may".into()),
            Failure::Fault(Fault { class, message }) => match class {
                FaultClass::Guest => Self::Guest(message),
                FaultClass::Limit => Self::Limit(message),
                FaultClass::Host | FaultClass::Source | FaultClass::Reorg | FaultClass::Nondeterminism => {
                    Self::Host(message)
                }
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pointer_that_holds_no_answer_reads_as_an_empty_one() {
        let memory = b"\x02\0\0\0ab";
        let given = |ptr| answer(memory, ptr, 2).map(|answer| (answer.bytes.to_vec(), answer.malformed));
        assert_eq!(given(4), Ok((b"ab".to_vec(), false)));
        for ptr in [0, 3, 6, 7, u32::MAX] {
            assert_eq!(given(ptr), Ok((vec![], true)), "pointer {ptr}");
        }
    }

    #[test]
    fn bound_on_the_answer_obeyed() {
        assert!(answer(b"\x02\0\0\0ab", 4, 2).is_ok());
    }

    #[test]
    fn bound_on_the_answer_violated() {
        let error = answer(b"\x02\0\0\0ab", 4, 1).unwrap_err();
        assert_eq!(
            error,
            ViewError::Limit("the answer has 2 bytes, a view may give 1".into())
        );
    }
}
