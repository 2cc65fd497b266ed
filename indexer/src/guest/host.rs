//! The host's side of one instance: what it works on, what it may use, and what to say when it fails.

use bytes::Bytes;
use crds::pod::FaultClass;
use wasmtime::{Memory, PoolConcurrencyLimitError, Trap};

use super::{
    flush::Flushed,
    interrupt::{Interrupt, Interrupted},
    limits::MemoryLimits,
    log::{GuestLog, Speaker},
};
use crate::{chain::Height, fault::Fault, state::State};

/// Belongs to one instance for all its life.
pub(super) struct Host {
    /// The memory `memory`; none until the instance is complete.
    pub(super) memory: Option<Memory>,
    /// How much memory it may have.
    pub(super) limits: MemoryLimits,
    /// When it must stop.
    pub(super) interrupt: Interrupt,
    /// What it logged in this run.
    pub(super) log: GuestLog,
    /// What it works on; none while it is instantiated. So whatever its start section does, it cannot depend on a
    /// block: an instance that is built ahead of a block is like one that is built for it.
    pub(super) job: Option<Job>,
}

/// One block or one view.
pub(super) struct Job {
    kind: Kind,
    height: Height,
    input: Bytes,
    state: Box<dyn State>,
    /// Guests ask for the length of a value and then for the value: one read serves both.
    last_read: Option<(Vec<u8>, Option<Bytes>)>,
    flushed: Flushed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Block,
    /// A block of a preview; what is flushed may cost the host so many bytes.
    Preview {
        flushed_bytes_max: u64,
    },
    View,
}

/// Why a run ended early.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// Guest, limit or machine.
    Fault(Fault),
    /// It was stopped from outside.
    Interrupted(Interrupted),
}

impl Host {
    /// Of an instance that is about to be built.
    pub(super) fn new(limits: MemoryLimits, interrupt: Interrupt) -> Self {
        Self {
            memory: None,
            limits,
            interrupt,
            log: GuestLog::default(),
            job: None,
        }
    }

    /// A run begins: nothing is left of the one before.
    pub(super) fn begin(&mut self, job: Job, interrupt: Interrupt) {
        self.limits.begin_run();
        self.log = GuestLog::default();
        self.interrupt = interrupt;
        self.job = Some(job);
    }

    /// The block or view at work; host functions that need one fail without.
    pub(super) fn job(&mut self, function: &str) -> Result<&mut Job, Fault> {
        self.job.as_mut().ok_or_else(|| {
            Fault::guest(format!(
                "called {function} in its start section, before there is any input"
            ))
        })
    }

    /// The guest says something.
    pub(super) fn log_line(&mut self, bytes: &[u8]) {
        let speaker = self.job.as_ref().map_or(Speaker::Start, Job::speaker);
        self.log.line(speaker, bytes);
    }

    /// What it means that instantiation or a call returned an error.
    pub(super) fn failure(&self, error: &wasmtime::Error) -> Failure {
        if let Some(interrupted) = error.downcast_ref::<Interrupted>() {
            return Failure::Interrupted(*interrupted);
        }
        let fault = if let Some(fault) = error.downcast_ref::<Fault>() {
            fault.clone()
        } else if let Some(trap) = error.downcast_ref::<Trap>() {
            trap_fault(*trap)
        } else if error.is::<PoolConcurrencyLimitError>() {
            Fault::host(format!("no room for another guest: {error:#}"))
        } else if self.limits.refused().is_some() {
            // The module declares more memory than it may have, so not even an instance can be made.
            Fault::guest(format!("{error:#}"))
        } else {
            Fault::host(format!("run the guest: {error:#}"))
        };
        Failure::Fault(self.explain(fault))
    }

    /// Adds what is known besides: a guest that was refused memory most likely failed for that, and its last line often
    /// says more than the trap.
    pub(super) fn explain(&self, mut fault: Fault) -> Fault {
        if fault.class != FaultClass::Guest {
            return fault;
        }
        if let Some(refused) = self.limits.refused() {
            fault.class = FaultClass::Limit;
            fault.message.push_str(&format!(
                "; before that it was refused memory: it wanted {} bytes, its limit is {}",
                refused.wanted_bytes, refused.limit_bytes
            ));
        }
        if let Some(words) = self.log.last_words() {
            fault.message.push_str(&format!("; its last log line: {words}"));
        }
        fault
    }
}

impl Failure {
    /// As a failure of a block. One that was stopped is nobody's fault and will be run again: class `Host`.
    pub(super) fn into_fault(self) -> Fault {
        match self {
            Self::Fault(fault) => fault,
            Self::Interrupted(interrupted) => Fault::host(format!("the guest was {interrupted}")),
        }
    }
}

impl Job {
    /// A block to index.
    pub(super) fn block(height: Height, block: Bytes, state: Box<dyn State>) -> Self {
        Self::new(Kind::Block, height, block, state)
    }

    /// A block to preview.
    pub(super) fn preview(height: Height, block: Bytes, state: Box<dyn State>, flushed_bytes_max: u64) -> Self {
        Self::new(Kind::Preview { flushed_bytes_max }, height, block, state)
    }

    /// A request to answer.
    pub(super) fn view(height: Height, request: Bytes, state: Box<dyn State>) -> Self {
        Self::new(Kind::View, height, request, state)
    }

    fn new(kind: Kind, height: Height, input: Bytes, state: Box<dyn State>) -> Self {
        Self {
            kind,
            height,
            input,
            state,
            last_read: None,
            flushed: Flushed::default(),
        }
    }

    /// What the guest loads: the height, then the block or request.
    pub(super) fn input(&self) -> ([u8; 4], &Bytes) {
        (self.height.0.to_le_bytes(), &self.input)
    }

    /// The value of a key as of the height below the block, or of the view's.
    pub(super) fn read(&mut self, key: &[u8]) -> Result<Option<Bytes>, Fault> {
        if let Some((last_key, value)) = &self.last_read
            && last_key == key
        {
            return Ok(value.clone());
        }
        let value = self.state.get(key)?;
        self.last_read = Some((key.to_vec(), value.clone()));
        Ok(value)
    }

    /// Takes one flush of a block; a view's changes nothing.
    pub(super) fn flush(&mut self, message: &[u8]) -> Result<(), Fault> {
        self.flushed.add(message)?;
        match self.kind {
            // Looked at after the message is taken: it is bounded by the memory of the guest that it came from.
            Kind::Preview { flushed_bytes_max } if self.flushed.cost_bytes() > flushed_bytes_max => Err(Fault {
                class: FaultClass::Limit,
                message: format!("the block flushed more than {flushed_bytes_max} bytes, which is what a preview may"),
            }),
            Kind::Preview { .. } | Kind::Block | Kind::View => Ok(()),
        }
    }

    /// Whether this is a view.
    pub(super) fn is_view(&self) -> bool {
        self.kind == Kind::View
    }

    /// All that was flushed.
    pub(super) fn into_flushed(self) -> Flushed {
        self.flushed
    }

    fn speaker(&self) -> Speaker {
        match self.kind {
            Kind::Block => Speaker::Block(self.height),
            Kind::Preview { .. } => Speaker::Preview(self.height),
            Kind::View => Speaker::View(self.height),
        }
    }
}

fn trap_fault(trap: Trap) -> Fault {
    match trap {
        Trap::StackOverflow => Fault::guest("stack overflow: the guest's calls nest deeper than its 1 MiB of stack"),
        trap => Fault::guest(trap.to_string()),
    }
}
