//! Indexers for which something happened that no pass has looked at yet: what the controller's queue holds, which it does
//! not show. Passes that are due by time alone are not among them.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use crate::objects::Key;

/// Since when each one waits. One entry for each Indexer at most.
#[derive(Debug, Default)]
pub(super) struct Waiting(Mutex<HashMap<Key, Instant>>);

impl Waiting {
    /// Something happened. What happens while one waits does not make it wait anew.
    pub(super) fn wanted(&self, key: Key, now: Instant) {
        self.since().entry(key).or_insert(now);
    }

    /// A pass begins, or there is nothing to look at. Returns how long it was waited for; none if it was due by time.
    pub(super) fn taken(&self, key: &Key, now: Instant) -> Option<Duration> {
        let since = self.since().remove(key)?;
        Some(now.saturating_duration_since(since))
    }

    /// How many wait, and for how long the first of them has.
    pub(super) fn all(&self, now: Instant) -> (usize, Duration) {
        let since = self.since();
        let oldest = since.values().min();
        let age = oldest.map_or(Duration::ZERO, |oldest| now.saturating_duration_since(*oldest));
        (since.len(), age)
    }

    fn since(&self) -> MutexGuard<'_, HashMap<Key, Instant>> {
        // No code under the lock can leave the map half changed.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_waits_from_the_first_thing_that_happened() {
        let (waiting, start) = (Waiting::default(), Instant::now());
        let key = |name: &str| Key {
            namespace: "ns".into(),
            name: name.into(),
        };
        let at = |second| start + Duration::from_secs(second);
        assert_eq!(waiting.all(at(0)), (0, Duration::ZERO));
        waiting.wanted(key("a"), at(1));
        waiting.wanted(key("a"), at(5));
        waiting.wanted(key("b"), at(2));
        assert_eq!(waiting.all(at(7)), (2, Duration::from_secs(6)));
        assert_eq!(waiting.taken(&key("a"), at(8)), Some(Duration::from_secs(7)));
        assert_eq!(waiting.taken(&key("a"), at(9)), None, "due by time");
        assert_eq!(waiting.all(at(9)), (1, Duration::from_secs(7)));
    }
}
