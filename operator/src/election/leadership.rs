//! Whether this process may write: asked before each write, and awaited beside it.

use tokio::{
    sync::watch,
    time::{Instant, sleep_until},
};

/// The right to write, shared by all clones. Once it is over it does not come back.
#[derive(Clone, Debug)]
pub struct Leadership(watch::Sender<Term>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Term {
    Forever,
    Until(Instant),
    Over,
}

impl Term {
    fn is_over(self, now: Instant) -> bool {
        match self {
            Self::Forever => false,
            Self::Until(end) => now >= end,
            Self::Over => true,
        }
    }
}

impl Leadership {
    /// Of a process that is the only one.
    #[must_use]
    pub fn unchallenged() -> Self {
        Self(watch::Sender::new(Term::Forever))
    }

    /// Of a process that must extend it before this moment of the monotonic clock.
    #[must_use]
    pub fn until(end: Instant) -> Self {
        Self(watch::Sender::new(Term::Until(end)))
    }

    /// Whether a write may be sent now.
    #[must_use]
    pub fn may_write(&self) -> bool {
        !self.0.borrow().is_over(Instant::now())
    }

    /// Waits until it is over.
    pub async fn over(&self) {
        let mut terms = self.0.subscribe();
        loop {
            let term = *terms.borrow_and_update();
            // The sender lives as long as `self`, so there is always a change to wait for.
            match term {
                Term::Over => return,
                Term::Forever => drop(terms.changed().await),
                Term::Until(end) => tokio::select! {
                    biased;
                    _ = terms.changed() => {}
                    () = sleep_until(end) => return,
                },
            }
        }
    }

    /// Moves the end, unless it has passed.
    pub(super) fn extend(&self, end: Instant) {
        let now = Instant::now();
        self.0.send_if_modified(|term| {
            let is_modified = !term.is_over(now);
            if is_modified {
                *term = Term::Until(end);
            }
            is_modified
        });
    }

    pub(super) fn end(&self) {
        self.0.send_replace(Term::Over);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn it_ends_in_time_and_does_not_come_back() {
        let start = Instant::now();
        let leadership = Leadership::until(start + 8 * SECOND);
        let clone = leadership.clone();
        let over = tokio::spawn(async move {
            clone.over().await;
            Instant::now()
        });
        tokio::time::sleep(5 * SECOND).await;
        assert!(leadership.may_write());
        leadership.extend(start + 13 * SECOND);
        tokio::time::sleep(7 * SECOND).await;
        assert!(leadership.may_write(), "extended");
        let ended = over.await.unwrap().duration_since(start);
        assert!(ended >= 13 * SECOND && ended < 14 * SECOND, "{ended:?}");
        assert!(!leadership.may_write());
        leadership.extend(Instant::now() + SECOND);
        assert!(!leadership.may_write(), "an answer that comes late brings nothing back");
    }

    #[tokio::test(start_paused = true)]
    async fn an_end_is_heard_at_once() {
        for leadership in [Leadership::unchallenged(), Leadership::until(Instant::now() + SECOND)] {
            assert!(leadership.may_write());
            let start = Instant::now();
            leadership.end();
            leadership.over().await;
            assert!(start.elapsed() < SECOND && !leadership.may_write());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn who_is_alone_is_never_over() {
        let leadership = Leadership::unchallenged();
        let over = tokio::time::timeout(Duration::from_secs(1_000_000), leadership.over());
        assert!(over.await.is_err());
        assert!(leadership.may_write());
    }
}
