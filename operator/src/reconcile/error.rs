//! Failed passes.

use crate::{
    apply::{self, Class},
    observe::Closed,
};

/// A failed pass. The status has been written by then, unless that is what failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The caches are closed: the process ends.
    #[error("observe")]
    Observe(#[source] Closed),
    /// An object could not be written.
    #[error("apply the plan")]
    Apply(#[source] apply::Error),
    /// The pass panicked; with the panic's words. A defect of the operator.
    #[error("a defect of the operator: {0}")]
    Panicked(String),
    /// The status could not be read or written.
    #[error("update the status")]
    Status(#[source] apply::Error),
}

impl Error {
    /// When to retry.
    #[must_use]
    pub fn class(&self) -> Class {
        match self {
            Self::Observe(_) | Self::Panicked(_) => Class::RetryLater,
            Self::Apply(error) | Self::Status(error) => error.class(),
        }
    }

    /// The step that failed, in one word.
    pub(super) fn step(&self) -> &'static str {
        match self {
            Self::Observe(_) => "observe",
            Self::Apply(_) => "apply",
            Self::Panicked(_) => "panic",
            Self::Status(_) => "status",
        }
    }
}
