//! Pods that were to go and were held back by disruption budgets: what to say of it, and when to try again.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use crds::conditions::events;

use crate::{apply::Removal, facts::ObservedPod, objects::Key};

/// First and last pause between two tries: a quarter of the time it was refused for so far. A budget takes seconds to see
/// that a pod became ready; one that holds for hours is not asked every few seconds.
const AGAIN: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(60));
/// So long a budget may say no without an event: each replacement of a pod ends with a few seconds of it.
const NEWS_AFTER: Duration = Duration::from_secs(60);

/// Since when which pod is held back, by Indexer. One pod goes at a time.
#[derive(Debug, Default)]
pub(super) struct Evictions(Mutex<HashMap<Key, Refused>>);

#[derive(Debug)]
struct Refused {
    uid: String,
    since: Instant,
}

/// A pod that stays for now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct HeldBack {
    /// What holds it, and what to do.
    pub(super) words: String,
    /// The reason of the event that tells of it, once it is worth one.
    pub(super) event: Option<&'static str>,
    /// When to try again.
    pub(super) again_after: Duration,
}

impl Evictions {
    /// Notes what became of a pod that was to go. Returns what to say if it stays.
    pub(super) fn note(&self, key: &Key, pod: &ObservedPod, removal: Removal, now: Instant) -> Option<HeldBack> {
        let mut refused = self.refused();
        let (name, words, overlap) = match removal {
            Removal::Done => {
                refused.remove(key);
                return None;
            }
            Removal::NotNow(words) => (&pod.name, words, None),
            Removal::Overlap(budgets) => (&pod.name, String::new(), Some(budgets)),
        };
        let fresh = Refused {
            uid: pod.uid.clone(),
            since: now,
        };
        let known = refused.entry(key.clone()).or_insert(fresh);
        if known.uid != pod.uid {
            (known.uid, known.since) = (pod.uid.clone(), now);
        }
        let held = now.saturating_duration_since(known.since);
        let (first, last) = AGAIN;
        let again_after = (held / 4).clamp(first, last);
        Some(match overlap {
            None => HeldBack {
                words: format!("{name} has an outdated template and cannot be evicted now: {words}"),
                event: (held >= NEWS_AFTER).then_some(events::EVICTION_REFUSED),
                again_after,
            },
            Some(budgets) => HeldBack {
                words: format!(
                    "{name} has an outdated template and cannot be evicted, because Kubernetes allows one \
                     PodDisruptionBudget for a pod and these select it: {}; the first of the name of this Indexer is the \
                     operator's, so delete the others or have them select other pods",
                    budgets.join(", ")
                ),
                event: Some(events::BUDGETS_OVERLAP),
                again_after,
            },
        })
    }

    /// Drops what is known of an Indexer: it is gone, or none of its pods is to go.
    pub(super) fn forget(&self, key: &Key) {
        self.refused().remove(key);
    }

    fn refused(&self) -> MutexGuard<'_, HashMap<Key, Refused>> {
        // Nothing below the lock can leave the map half changed.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::{key, observed_pod};

    #[test]
    fn a_budget_that_holds_for_a_minute_is_an_event_and_is_asked_ever_less() {
        let (evictions, start) = (Evictions::default(), Instant::now());
        let note = |pod: &str, removal: Removal, second: u64| {
            evictions.note(&key(), &observed_pod(pod), removal, start + Duration::from_secs(second))
        };
        let refused = || Removal::NotNow("it would violate the budget.".into());
        let told = |pod: &str, second| {
            let held = note(pod, refused(), second).unwrap();
            (held.event, held.again_after.as_secs())
        };
        assert_eq!(told("one-0", 0), (None, 5));
        assert_eq!(told("one-0", 59), (None, 14));
        assert_eq!(told("one-0", 60), (Some("EvictionRefused"), 15));
        assert_eq!(told("one-0", 7_200), (Some("EvictionRefused"), 60));
        assert_eq!(told("one-1", 7_201), (None, 5), "another pod");
        assert_eq!(note("one-1", Removal::Done, 7_300), None);
        assert_eq!(told("one-1", 7_400), (None, 5), "it went meanwhile");
    }

    #[test]
    fn two_budgets_are_named_with_the_cure_at_once() {
        let overlap = Removal::Overlap(vec!["mine".into(), "one".into()]);
        let held = Evictions::default().note(&key(), &observed_pod("one-0"), overlap, Instant::now());
        let held = held.unwrap();
        assert_eq!(held.event, Some("BudgetsOverlap"));
        assert!(held.words.contains("these select it: mine, one; "), "{}", held.words);
    }
}
