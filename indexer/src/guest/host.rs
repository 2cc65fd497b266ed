//! The host's side of one instance: what it works on, what it may use, and what to say when it fails.

use std::sync::Arc;

use crds::pod::FaultClass;
use wasmtime::{Memory, PoolConcurrencyLimitError, Trap};

use super::{
    backtrace,
    interrupt::{Interrupt, Interrupted},
    job::Job,
    limits::MemoryLimits,
    log::{GuestLog, Speaker},
    log_rate::LogRate,
};
use crate::fault::Fault;

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
    pub(super) fn new(limits: MemoryLimits, interrupt: Interrupt, log_rate: &Arc<LogRate>) -> Self {
        Self {
            memory: None,
            limits,
            interrupt,
            log: GuestLog::new(Arc::clone(log_rate)),
            job: None,
        }
    }

    /// A run begins: nothing is left of the one before.
    pub(super) fn begin(&mut self, job: Job, interrupt: Interrupt) {
        self.limits.begin_run();
        self.log.begin_run();
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

    /// The guest logs something.
    pub(super) fn log_text(&mut self, bytes: &[u8]) {
        if !self.is_silent() {
            self.log.text(self.speaker(), bytes);
        }
    }

    /// The guest has returned or trapped. Gives the job back: the reader it holds must not outlive the run.
    pub(super) fn end_run(&mut self) -> Option<Job> {
        if !self.is_silent() {
            self.log.end(self.speaker());
        }
        self.job.take()
    }

    fn is_silent(&self) -> bool {
        self.job.as_ref().is_some_and(Job::is_silent)
    }

    fn speaker(&self) -> Speaker {
        self.job.as_ref().map_or(Speaker::Start, Job::speaker)
    }

    /// What it means that instantiation or a call returned an error.
    pub(super) fn failure(&self, error: &wasmtime::Error) -> Failure {
        if let Some(interrupted) = error.downcast_ref::<Interrupted>() {
            return Failure::Interrupted(*interrupted);
        }
        let fault = if let Some(fault) = error.downcast_ref::<Fault>() {
            fault.clone()
        } else if let Some(trap) = error.downcast_ref::<Trap>() {
            let mut fault = self.explain(trap_fault(*trap));
            if let Some(functions) = backtrace::shown(error) {
                fault.message.push_str(&format!("; in {functions}"));
            }
            return Failure::Fault(fault);
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

    /// Adds what is known besides: a guest that was refused memory most likely failed for that, and its last lines
    /// often say more than the trap.
    pub(super) fn explain(&self, mut fault: Fault) -> Fault {
        if fault.class != FaultClass::Guest {
            return fault;
        }
        if let Some(refused) = self.limits.refused() {
            fault.class = FaultClass::Limit;
            fault.message.push_str(&format!(
                "; before that it was refused memory: it wanted {} bytes, {} is {}",
                refused.wanted_bytes, refused.setting, refused.limit_bytes
            ));
        }
        if let Some(words) = self.log.last_words() {
            fault.message.push_str(&format!("; last log lines: {words}"));
        }
        fault
    }
}

impl Failure {
    /// As a failure of a block. One that was stopped will be run again: class `Host`.
    pub(super) fn into_fault(self) -> Fault {
        match self {
            Self::Fault(fault) => fault,
            Self::Interrupted(interrupted) => Fault::host(format!("the guest was {interrupted}")),
        }
    }
}

fn trap_fault(trap: Trap) -> Fault {
    match trap {
        Trap::StackOverflow => Fault::guest("stack overflow: the guest's calls nest deeper than its 1 MiB of stack"),
        trap => Fault::guest(trap.to_string()),
    }
}
