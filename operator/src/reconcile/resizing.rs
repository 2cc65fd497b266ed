//! Pods that were to get other memory and were refused: why, and when to try again.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use crate::{
    memory::{Resize, ResizeRefusal},
    objects::Key,
};

/// A refused resize is tried again after this long: nothing that is watched tells of a larger quota or a granted right.
const AGAIN: Duration = Duration::from_secs(60);
/// When to look again at a pod that cannot be resized, to have it recreated.
const SOON: Duration = Duration::from_secs(1);

/// What was refused last, by Indexer. At most one for each pod that it has.
#[derive(Debug, Default)]
pub(super) struct Resizing(Mutex<HashMap<Key, Vec<Refused>>>);

#[derive(Debug)]
struct Refused {
    refusal: ResizeRefusal,
    at: Instant,
}

impl Resizing {
    /// Of the pods to be resized, those that were not refused the same a moment ago. What is known of others is
    /// forgotten.
    pub(super) fn due<'a>(&self, key: &Key, resizes: Vec<Resize<'a>>, now: Instant) -> Vec<Resize<'a>> {
        let mut all = self.refused();
        let Some(refused) = all.get_mut(key) else {
            return resizes;
        };
        let is_same = |refusal: &ResizeRefusal, resize: &Resize<'_>| {
            resize.pod.uid == refusal.uid && resize.memory == refusal.memory
        };
        refused.retain(|refused| resizes.iter().any(|resize| is_same(&refused.refusal, resize)));
        let is_due = |resize: &Resize<'_>| {
            let refused = refused.iter().find(|refused| is_same(&refused.refusal, resize));
            refused.is_none_or(|refused| now.saturating_duration_since(refused.at) >= AGAIN)
        };
        let due = resizes.into_iter().filter(is_due).collect();
        if refused.is_empty() {
            all.remove(key);
        }
        due
    }

    /// Notes that a pod was resized, or why not.
    pub(super) fn note(&self, key: &Key, uid: &str, refusal: Option<ResizeRefusal>, now: Instant) {
        let mut all = self.refused();
        let refused = all.entry(key.clone()).or_default();
        refused.retain(|refused| refused.refusal.uid != uid);
        refused.extend(refusal.map(|refusal| Refused { refusal, at: now }));
        if refused.is_empty() {
            all.remove(key);
        }
    }

    /// What was refused last.
    pub(super) fn refusals(&self, key: &Key) -> Vec<ResizeRefusal> {
        let all = self.refused();
        let of_indexer = all.get(key).into_iter().flatten();
        of_indexer.map(|refused| refused.refusal.clone()).collect()
    }

    /// When a refused resize is to be tried again.
    pub(super) fn again_after(&self, key: &Key, now: Instant) -> Option<Duration> {
        let all = self.refused();
        let refused = all.get(key)?.iter();
        refused
            .map(|refused| {
                let passed = now.saturating_duration_since(refused.at);
                let is_new = refused.refusal.is_impossible && passed < SOON;
                (if is_new { SOON } else { AGAIN }).saturating_sub(passed)
            })
            .min()
    }

    /// Drops what is known of an Indexer that is gone.
    pub(super) fn forget(&self, key: &Key) {
        self.refused().remove(key);
    }

    fn refused(&self) -> MutexGuard<'_, HashMap<Key, Vec<Refused>>> {
        // Nothing below the lock can leave the map half changed.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        facts::ContainerMemory,
        fixtures::{key, observed_pod},
    };

    #[test]
    fn a_refused_resize_is_repeated_after_a_minute_and_another_one_at_once() {
        let (resizing, start) = (Resizing::default(), Instant::now());
        let pod = observed_pod("one-0");
        let memory = |limit| ContainerMemory {
            request: None,
            limit: Some(limit),
        };
        let is_due = |limit, second| {
            let resize = Resize {
                pod: &pod,
                memory: memory(limit),
            };
            !resizing
                .due(&key(), vec![resize], start + Duration::from_secs(second))
                .is_empty()
        };
        let refusal = |is_impossible| ResizeRefusal {
            pod: "one-0".into(),
            uid: pod.uid.clone(),
            memory: memory(2),
            is_impossible,
            words: "no".into(),
        };
        assert!(is_due(2, 0));
        resizing.note(&key(), &pod.uid, Some(refusal(false)), start);
        assert!(!is_due(2, 59) && is_due(2, 60));
        assert_eq!(resizing.refusals(&key()), [refusal(false)]);
        assert_eq!(resizing.again_after(&key(), start), Some(AGAIN));
        resizing.note(&key(), &pod.uid, Some(refusal(true)), start);
        assert_eq!(resizing.again_after(&key(), start), Some(SOON), "it is recreated");
        assert_eq!(resizing.again_after(&key(), start + SOON), Some(AGAIN - SOON));

        assert!(is_due(3, 1), "what was refused is not asked for any more");
        assert_eq!(
            (resizing.refusals(&key()), resizing.again_after(&key(), start)),
            (vec![], None)
        );
    }
}
