//! Passes that ended because what they had decided on changed meanwhile.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use crate::objects::Key;

/// Until the next pass looks again: the watches bring what changed within milliseconds.
pub(super) const LOOK_AGAIN: Duration = Duration::from_millis(500);
/// So many passes in a row may end like this before it is treated and shown as any other failed call. Together with
/// [`LOOK_AGAIN`] they take longer than a watch that went silent takes to be noticed.
const IN_A_ROW_MAX: u32 = 60;

/// How many passes in a row ended like this, by Indexer.
#[derive(Debug, Default)]
pub(super) struct Staleness(Mutex<HashMap<Key, u32>>);

impl Staleness {
    /// Notes one more. Returns whether it is still nothing to worry about.
    pub(super) fn note(&self, key: &Key) -> bool {
        let mut counts = self.counts();
        let count = counts.entry(key.clone()).or_default();
        *count = count.saturating_add(1);
        *count <= IN_A_ROW_MAX
    }

    /// Whether the last one was still nothing to worry about.
    pub(super) fn is_passing(&self, key: &Key) -> bool {
        self.counts().get(key).is_none_or(|count| *count <= IN_A_ROW_MAX)
    }

    /// Notes a pass that did not, or drops what is known of an Indexer that is gone.
    pub(super) fn forget(&self, key: &Key) {
        self.counts().remove(key);
    }

    fn counts(&self) -> MutexGuard<'_, HashMap<Key, u32>> {
        // Nothing below the lock can leave the map half changed.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{fixtures::key, objects::WATCH_SILENT_MAX};

    #[test]
    fn only_what_outlasts_a_silent_watch_is_a_failure() {
        let staleness = Staleness::default();
        assert!(LOOK_AGAIN * IN_A_ROW_MAX > WATCH_SILENT_MAX);
        for _ in 0..IN_A_ROW_MAX {
            assert!(staleness.note(&key()) && staleness.is_passing(&key()));
        }
        assert!(!staleness.note(&key()) && !staleness.is_passing(&key()));
        staleness.forget(&key());
        assert!(staleness.is_passing(&key()) && staleness.note(&key()));
    }
}
