//! A block or a view that failed: what kind of failure, and in whose words.

pub(crate) mod point;

use std::fmt;

use crds::pod::FaultClass;

/// A failure that carries what to do about it. Loops match on [`Fault::class`], never on the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What kind of failure.
    pub class: FaultClass,
    /// What happened, for people: the action, the facts, the causes.
    pub message: String,
}

/// What the loop that sees a fault must do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remedy {
    /// Run the block again on a fresh instance, a bounded number of times, then halt.
    RetryThenHalt,
    /// Try again with a growing, capped pause, for ever.
    Backoff,
    /// Stop here and say so.
    Halt,
}

impl Fault {
    /// A failure of the guest's own making.
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

    /// What to do.
    #[must_use]
    pub fn remedy(&self) -> Remedy {
        match self.class {
            FaultClass::Guest | FaultClass::Limit => Remedy::RetryThenHalt,
            FaultClass::Host | FaultClass::Source => Remedy::Backoff,
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
