//! Claims that were to grow and were refused: why, and when to try again.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use crate::{
    apply,
    objects::Key,
    storage::{Raise, Refusal},
};

/// A refused raise is tried again after this long: nothing that is watched tells of a larger quota or another class.
const AGAIN: Duration = Duration::from_secs(60);

/// What was refused last, by Indexer and claim.
#[derive(Debug, Default)]
pub(super) struct Raising(Mutex<HashMap<Key, BTreeMap<String, Refused>>>);

#[derive(Debug)]
struct Refused {
    refusal: Refusal,
    at: Instant,
}

impl Raising {
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
            refused.is_none_or(|refused| now.saturating_duration_since(refused.at) >= AGAIN)
        };
        let due = raises.into_iter().filter(is_due).collect();
        if refused.is_empty() {
            all.remove(key);
        }
        due
    }

    /// Notes what became of a claim that was to be raised.
    pub(super) fn note(&self, key: &Key, raise: &Raise<'_>, outcome: Result<(), &apply::Error>, now: Instant) {
        let mut all = self.refused();
        let of_indexer = all.entry(key.clone()).or_default();
        match outcome {
            Ok(()) => drop(of_indexer.remove(&raise.claim.name)),
            Err(error) => {
                let refusal = Refusal {
                    claim: raise.claim.name.clone(),
                    size: raise.size.text.clone(),
                    obstacle: error.obstacle(),
                    words: error.explanation(),
                };
                of_indexer.insert(raise.claim.name.clone(), Refused { refusal, at: now });
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
            .map(|refused| AGAIN.saturating_sub(now.saturating_duration_since(refused.at)))
            .min()
    }

    /// Drops what is known of an Indexer that is gone.
    pub(super) fn forget(&self, key: &Key) {
        self.refused().remove(key);
    }

    fn refused(&self) -> MutexGuard<'_, HashMap<Key, BTreeMap<String, Refused>>> {
        // Nothing below the lock can leave the map half changed.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
