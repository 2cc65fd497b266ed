//! Claims that were to grow and were refused: why, and when to try again.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use crate::{
    objects::Key,
    storage::{Raise, Refusal},
};

/// A refused raise is tried again after this long: nothing that is watched tells of a larger quota or another class.
pub(super) const AGAIN: Duration = Duration::from_secs(60);

/// What was refused last, by Indexer and claim.
#[derive(Debug)]
pub(super) struct Raising {
    refused: Mutex<HashMap<Key, BTreeMap<String, Refused>>>,
    again: Duration,
}

#[derive(Debug)]
struct Refused {
    refusal: Refusal,
    at: Instant,
}

impl Raising {
    /// With the pause before a refused raise is tried again.
    pub(super) fn new(again: Duration) -> Self {
        Self {
            refused: Mutex::default(),
            again,
        }
    }

    /// Of the claims to be raised, those that were not refused the same size a moment ago. What is known of others is
    /// forgotten.
    pub(super) fn due<'a>(&self, key: &Key, raises: Vec<Raise<'a>>, now: Instant) -> Vec<Raise<'a>> {
        let mut all = self.refused();
        let Some(refused) = all.get_mut(key) else {
            return raises;
        };
        let size_of = |claim: &String| {
            raises
                .iter()
                .find(|raise| raise.claim.name == *claim)
                .map(|raise| &raise.size.text)
        };
        refused.retain(|claim, refused| size_of(claim) == Some(&refused.refusal.size));
        let is_due = |raise: &Raise<'_>| {
            let refused = refused.get(&raise.claim.name);
            refused.is_none_or(|refused| now.saturating_duration_since(refused.at) >= self.again)
        };
        let due = raises.into_iter().filter(is_due).collect();
        if refused.is_empty() {
            all.remove(key);
        }
        due
    }

    /// Notes that a claim was raised, or why not.
    pub(super) fn note(&self, key: &Key, claim: &str, refused: Option<Refusal>, now: Instant) {
        let mut all = self.refused();
        match refused {
            Some(refusal) => {
                let refused = Refused { refusal, at: now };
                all.entry(key.clone()).or_default().insert(claim.to_owned(), refused);
            }
            None => {
                if let Some(of_indexer) = all.get_mut(key) {
                    of_indexer.remove(claim);
                }
            }
        }
    }

    /// What was refused last, by claim.
    pub(super) fn refusals(&self, key: &Key) -> Vec<Refusal> {
        let all = self.refused();
        let of_indexer = all.get(key).into_iter().flat_map(BTreeMap::values);
        of_indexer.map(|refused| refused.refusal.clone()).collect()
    }

    /// When a refused claim is to be tried again.
    pub(super) fn again_after(&self, key: &Key, now: Instant) -> Option<Duration> {
        let all = self.refused();
        let refused = all.get(key)?.values();
        refused
            .map(|refused| self.again.saturating_sub(now.saturating_duration_since(refused.at)))
            .min()
    }

    /// Drops what is known of an Indexer that is gone.
    pub(super) fn forget(&self, key: &Key) {
        self.refused().remove(key);
    }

    fn refused(&self) -> MutexGuard<'_, HashMap<Key, BTreeMap<String, Refused>>> {
        // Nothing below the lock can leave the map half changed.
        self.refused.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        facts::{Size, VolumeClaim},
        fixtures::{bound_claim, key},
        storage::Obstacle,
    };

    #[test]
    fn a_refused_raise_is_repeated_after_a_minute_and_another_size_at_once() {
        let (raising, start) = (Raising::new(AGAIN), Instant::now());
        let claim = VolumeClaim::read(&bound_claim("data-one-0", "1Gi")).unwrap();
        let is_due = |gib: u64, second| {
            let raise = Raise {
                claim: &claim,
                size: Size::of(gib << 30),
            };
            let due = raising.due(&key(), vec![raise], start + Duration::from_secs(second));
            !due.is_empty()
        };
        assert!(is_due(2, 0));
        let refusal = Refusal {
            claim: claim.name.clone(),
            size: "2Gi".into(),
            obstacle: Obstacle::Quota,
            words: "no".into(),
        };
        raising.note(&key(), &claim.name, Some(refusal.clone()), start);
        assert!(!is_due(2, 59) && is_due(2, 60));
        assert_eq!(raising.refusals(&key()), [refusal]);
        assert_eq!(raising.again_after(&key(), start), Some(AGAIN));

        assert!(is_due(3, 1), "what was refused is not asked for any more");
        assert_eq!(
            (raising.refusals(&key()), raising.again_after(&key(), start)),
            (vec![], None)
        );
    }
}
