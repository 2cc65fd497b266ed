//! How running guests are stopped: a thread advances the engine's epoch, and each guest checks its flag and its
//! deadline whenever it notices a new one.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use wasmtime::{Engine, EngineWeak};

/// Between two checks of flag and deadline. Stopping a guest takes about this long; a check costs well below a
/// microsecond, so a hundred a second cost nothing.
const TICK: Duration = Duration::from_millis(10);

/// Tells a running guest to stop. Clones share the flag; once set, it stays set.
#[derive(Clone, Debug, Default)]
pub struct CancelFlag(Arc<AtomicBool>);

/// When a guest has to stop before it is done.
#[derive(Clone, Debug, Default)]
pub(super) struct Interrupt {
    /// Set from outside.
    pub(super) cancel: CancelFlag,
    /// None: it may take as long as it needs.
    pub(super) deadline: Option<Instant>,
}

/// Why a guest was stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Interrupted {
    /// Its flag was set.
    #[error("stopped before it was done")]
    Cancelled,
    /// Its deadline passed.
    #[error("ran longer than it may")]
    Deadline,
}

impl CancelFlag {
    /// A flag that is not set.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the flag. The guest is gone about 10 ms later, or when the host function it called returns.
    pub fn cancel(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether the flag is set.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

impl Interrupt {
    /// Whether the guest may continue.
    pub(super) fn check(&self) -> Result<(), Interrupted> {
        if self.cancel.is_cancelled() {
            return Err(Interrupted::Cancelled);
        }
        match self.deadline {
            Some(deadline) if Instant::now() >= deadline => Err(Interrupted::Deadline),
            _ => Ok(()),
        }
    }
}

/// Starts the thread that advances the epoch. It holds the engine weakly and ends with it.
pub(super) fn start_ticking(engine: &Engine) -> std::io::Result<()> {
    let engine = engine.weak();
    thread::Builder::new()
        .name("guest-ticks".into())
        .spawn(move || tick(&engine))?;
    Ok(())
}

fn tick(engine: &EngineWeak) {
    while let Some(engine) = engine.upgrade() {
        engine.increment_epoch();
        drop(engine);
        thread::sleep(TICK);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flag_is_shared_between_clones() {
        let flag = CancelFlag::new();
        let interrupt = Interrupt {
            cancel: flag.clone(),
            deadline: None,
        };
        assert_eq!(interrupt.check(), Ok(()));
        flag.cancel();
        assert_eq!(interrupt.check(), Err(Interrupted::Cancelled));
    }

    #[test]
    fn deadline_counts_from_the_instant_itself() {
        let at = |deadline| {
            Interrupt {
                cancel: CancelFlag::new(),
                deadline: Some(deadline),
            }
            .check()
        };
        assert_eq!(at(Instant::now()), Err(Interrupted::Deadline));
        assert_eq!(at(Instant::now() + Duration::from_secs(60)), Ok(()));
    }
}
