//! Which Indexers may have their index built again now, because the operator's version does not read their data: a few at a
//! time, so that an upgrade does not double everything there is at once.

use std::{
    collections::{HashMap, HashSet},
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use crate::objects::Key;

/// So long a turn lasts before the `StatefulSet` of the candidate is seen. A watch is silent for at most 25 s.
const UNSEEN: Duration = Duration::from_secs(60);
/// When an Indexer looks again whether it is its turn.
pub(super) const LOOK_AGAIN: Duration = Duration::from_secs(30);

/// Turns given whose candidates are not seen yet.
#[derive(Debug, Default)]
pub(super) struct Turns(Mutex<HashMap<Key, Instant>>);

impl Turns {
    /// Takes a turn, unless as many as `max` are taken. `underway` are the Indexers with such a candidate; it counts until
    /// clients are moved to it, so one that fails keeps the others waiting.
    pub(super) fn take(&self, key: &Key, underway: &HashSet<Key>, max: u16, now: Instant) -> bool {
        // Nothing below the lock can leave the map half changed.
        let mut given = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        given.retain(|of, at| !underway.contains(of) && now.saturating_duration_since(*at) < UNSEEN);
        let others = underway.iter().chain(given.keys()).filter(|of| *of != key).count();
        let has_turn = underway.contains(key) || others < usize::from(max);
        if has_turn && !underway.contains(key) {
            given.insert(key.clone(), now);
        }
        has_turn
    }

    /// Drops what is known of an Indexer that is gone.
    pub(super) fn forget(&self, key: &Key) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_have_a_turn_at_a_time_and_one_whose_candidate_never_comes_loses_it() {
        let key = |name: &str| Key {
            namespace: "ns".into(),
            name: name.into(),
        };
        let (turns, start) = (Turns::default(), Instant::now());
        let take = |name: &str, underway: &[&str], max, second| {
            let underway = underway.iter().map(|name| key(name)).collect();
            turns.take(&key(name), &underway, max, start + Duration::from_secs(second))
        };
        assert!(take("a", &[], 1, 0) && take("a", &[], 1, 1), "asked again");
        assert!(!take("b", &[], 1, 2), "its set is not seen yet");
        assert!(!take("b", &["a"], 1, 3), "it is underway");
        assert!(take("a", &["a"], 1, 4));
        assert!(take("b", &["a"], 2, 5) && !take("c", &["a"], 2, 6));
        assert!(take("c", &[], 1, 70), "neither of them is there");
        assert!(!take("d", &[], 1, 71));
        turns.forget(&key("c"));
        assert!(take("d", &[], 1, 72));
    }
}
