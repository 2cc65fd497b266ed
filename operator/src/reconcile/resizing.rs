//! Pods that were to get other memory: what was asked for, why it was refused, and when to try again.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use crate::{
    facts::ContainerMemory,
    memory::{Resize, ResizeRefusal},
    objects::Key,
};

/// The same resize is not asked for again before this: nothing that is watched tells of a larger quota or a granted right,
/// and what the API server accepts and a webhook takes back must not be asked for in every pass.
const AGAIN: Duration = Duration::from_secs(60);
/// When to look again at a pod that cannot be resized, to have it recreated.
const SOON: Duration = Duration::from_secs(1);

/// What was asked for last, by Indexer. At most one for each pod that it has.
#[derive(Debug, Default)]
pub(super) struct Resizing(Mutex<HashMap<Key, Vec<Attempt>>>);

#[derive(Debug)]
struct Attempt {
    uid: String,
    memory: ContainerMemory,
    refusal: Option<ResizeRefusal>,
    at: Instant,
}

impl Attempt {
    fn is_of(&self, resize: &Resize<'_>) -> bool {
        resize.pod.uid == self.uid && resize.memory == self.memory
    }
}

impl Resizing {
    /// Of the pods to be resized, those for which the same was not asked a moment ago. What is known of others is forgotten.
    pub(super) fn due<'a>(&self, key: &Key, resizes: Vec<Resize<'a>>, now: Instant) -> Vec<Resize<'a>> {
        let mut all = self.attempts();
        let Some(attempts) = all.get_mut(key) else {
            return resizes;
        };
        attempts.retain(|attempt| resizes.iter().any(|resize| attempt.is_of(resize)));
        let is_due = |resize: &Resize<'_>| {
            let attempt = attempts.iter().find(|attempt| attempt.is_of(resize));
            attempt.is_none_or(|attempt| now.saturating_duration_since(attempt.at) >= AGAIN)
        };
        let due = resizes.into_iter().filter(is_due).collect();
        if attempts.is_empty() {
            all.remove(key);
        }
        due
    }

    /// Notes that a pod was to be resized, and why it was not.
    pub(super) fn note(&self, key: &Key, resize: &Resize<'_>, refusal: Option<ResizeRefusal>, now: Instant) {
        let mut all = self.attempts();
        let attempts = all.entry(key.clone()).or_default();
        attempts.retain(|attempt| attempt.uid != resize.pod.uid);
        attempts.push(Attempt {
            uid: resize.pod.uid.clone(),
            memory: resize.memory,
            refusal,
            at: now,
        });
    }

    /// What was refused last.
    pub(super) fn refusals(&self, key: &Key) -> Vec<ResizeRefusal> {
        let all = self.attempts();
        let of_indexer = all.get(key).into_iter().flatten();
        of_indexer.filter_map(|attempt| attempt.refusal.clone()).collect()
    }

    /// When a resize that has not shown is to be asked for again.
    pub(super) fn again_after(&self, key: &Key, now: Instant) -> Option<Duration> {
        let all = self.attempts();
        let attempts = all.get(key)?.iter();
        attempts
            .map(|attempt| {
                let passed = now.saturating_duration_since(attempt.at);
                let is_impossible = attempt.refusal.as_ref().is_some_and(|refusal| refusal.is_impossible);
                let wait = if is_impossible && passed < SOON { SOON } else { AGAIN };
                wait.saturating_sub(passed)
            })
            .min()
    }

    /// Drops what is known of an Indexer that is gone.
    pub(super) fn forget(&self, key: &Key) {
        self.attempts().remove(key);
    }

    fn attempts(&self) -> MutexGuard<'_, HashMap<Key, Vec<Attempt>>> {
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
    fn a_resize_is_repeated_after_a_minute_and_another_one_asked_for_at_once() {
        let (resizing, start) = (Resizing::default(), Instant::now());
        let pod = observed_pod("one-0");
        let memory = |limit| ContainerMemory {
            request: None,
            limit: Some(limit),
        };
        let resize = |limit| Resize {
            pod: &pod,
            memory: memory(limit),
        };
        let is_due = |limit, second| {
            let resize = resize(limit);
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
        resizing.note(&key(), &resize(2), Some(refusal(false)), start);
        assert!(!is_due(2, 59) && is_due(2, 60));
        assert_eq!(resizing.refusals(&key()), [refusal(false)]);
        assert_eq!(resizing.again_after(&key(), start), Some(AGAIN));
        resizing.note(&key(), &resize(2), Some(refusal(true)), start);
        assert_eq!(resizing.again_after(&key(), start), Some(SOON), "it is recreated");
        assert_eq!(resizing.again_after(&key(), start + SOON), Some(AGAIN - SOON));

        resizing.note(&key(), &resize(2), None, start);
        assert_eq!(resizing.refusals(&key()), []);
        assert!(!is_due(2, 59) && is_due(2, 60), "it was accepted and does not show");

        assert!(is_due(3, 1), "what was refused is not asked for any more");
        assert_eq!(
            (resizing.refusals(&key()), resizing.again_after(&key(), start)),
            (vec![], None)
        );
    }
}
