//! Why a step of the fetch stage failed.

use crate::{fault::Fault, source};

/// What failed: the chain source, or the store that was asked for the hash of an indexed block.
pub(super) enum Failure {
    Source(source::Error),
    Store(Fault),
}

impl From<source::Error> for Failure {
    fn from(error: source::Error) -> Self {
        Self::Source(error)
    }
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        Self::Store(fault)
    }
}
