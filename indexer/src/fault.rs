//! Failures of blocks and views, by class.

pub(crate) mod point;

use std::fmt;

use crds::pod::FaultClass;

/// A failure and its class, which decides what is done about it. Loops match on [`Fault::class`], never on the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What kind of failure.
    pub class: FaultClass,
    /// What happened, in words: the action, the facts, the causes.
    pub message: String,
}

/// How a loop reacts to a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remedy {
    /// Rerun the block on a fresh instance, a bounded number of times, then halt.
    RetryThenHalt,
    /// Retry indefinitely, with a growing, capped pause.
    Backoff,
    /// Stop here and report it.
    Halt,
}

impl Fault {
    /// A failure caused by the guest.
    pub fn guest(message: impl Into<String>) -> Self {
        Self {
            class: FaultClass::Guest,
            message: message.into(),
        }
    }

    /// A failure of this machine.
    pub fn host(message: impl Into<String>) -> Self {
        Self {
            class: FaultClass::Host,
            message: message.into(),
        }
    }

    /// A failure of the chain source.
    pub fn source(message: impl Into<String>) -> Self {
        Self {
            class: FaultClass::Source,
            message: message.into(),
        }
    }

    /// How to react to it.
    #[must_use]
    pub fn remedy(&self) -> Remedy {
        match self.class {
            FaultClass::Guest | FaultClass::Limit => Remedy::RetryThenHalt,
            FaultClass::Host | FaultClass::DiskFull | FaultClass::Source => Remedy::Backoff,
            FaultClass::Reorg | FaultClass::Nondeterminism => Remedy::Halt,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Fault {}
