//! The memory that pods were seen to have, by Indexer and revision, and what follows from it.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use crds::{Identity, IndexerStatus, MemoryRecommendation, RefreshPolicy, Revision};

use crate::{
    facts::{Observed, ObservedPod},
    memory::{Bounds, Seen, recommend},
    objects::Key,
    rollout::Decision,
    validate::ValidIndexer,
};

/// What was seen for this long may lower a recommendation: a day has every kind of load.
const LONG: Duration = Duration::from_hours(24);

/// What was seen and recommended. At most the revisions with pods of each Indexer.
#[derive(Debug, Default)]
pub(super) struct Peaks(Mutex<HashMap<Key, BTreeMap<Revision, Window>>>);

#[derive(Debug)]
struct Window {
    since: Instant,
    seen: Seen,
    /// Restarts by the unique id of a pod, so that each kill counts once.
    restarts: BTreeMap<String, i32>,
    last: Option<MemoryRecommendation>,
}

impl Peaks {
    /// Adds what is observed, and returns what to recommend for each revision that has objects.
    pub(super) fn recommend(
        &self,
        key: &Key,
        valid: &ValidIndexer,
        decision: &Decision,
        observed: &Observed,
        last_status: Option<&IndexerStatus>,
        now: Instant,
    ) -> BTreeMap<Revision, MemoryRecommendation> {
        let mut all = self.windows();
        let windows = all.entry(key.clone()).or_default();
        windows.retain(|revision, _| decision.record(revision).is_some());
        let sets = decision.sets.iter().filter_map(|(revision, record)| {
            let window = windows
                .entry(revision.clone())
                .or_insert_with(|| Window::new(shown(revision, last_status), now));
            let recommended = window.recommend(valid, &record.identity, revision, observed, now);
            Some((revision.clone(), recommended?))
        });
        sets.collect()
    }

    /// Drops what is known of an Indexer that is gone.
    pub(super) fn forget(&self, key: &Key) {
        self.windows().remove(key);
    }

    fn windows(&self) -> MutexGuard<'_, HashMap<Key, BTreeMap<Revision, Window>>> {
        // Nothing below the lock can leave the map half changed.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the status recommends for a revision: it does so for the one that serves.
fn shown(revision: &Revision, status: Option<&IndexerStatus>) -> Option<MemoryRecommendation> {
    let status = status.filter(|status| {
        status
            .active
            .as_ref()
            .is_some_and(|active| active.revision == *revision)
    })?;
    status.memory.as_ref()?.recommendation.clone()
}

impl Window {
    fn new(last: Option<MemoryRecommendation>, now: Instant) -> Self {
        Self {
            since: now,
            seen: Seen::default(),
            restarts: BTreeMap::new(),
            last,
        }
    }

    fn recommend(
        &mut self,
        valid: &ValidIndexer,
        identity: &Identity,
        revision: &Revision,
        observed: &Observed,
        now: Instant,
    ) -> Option<MemoryRecommendation> {
        let pods: Vec<&ObservedPod> = observed.pods_of(revision).collect();
        self.restarts.retain(|uid, _| pods.iter().any(|pod| pod.uid == *uid));
        for pod in &pods {
            self.seen.add(pod);
            self.add_kill(pod);
        }
        let limits = pods.iter().filter_map(|pod| pod.memory.limit);
        let bounds = Bounds {
            threshold_bytes: (valid.refresh == RefreshPolicy::OnThreshold).then(|| valid.threshold_of(identity)),
            guest_limit_bytes: identity.memory_limit_bytes,
            views: &valid.views,
            cache_bytes: valid.cache_bytes,
            present_limit: limits.min(),
        };
        let is_long = now.saturating_duration_since(self.since) >= LONG;
        self.last = recommend(self.last.as_ref(), &self.seen, &bounds, is_long); // [pure]
        if is_long {
            (self.since, self.seen) = (now, Seen::default());
        }
        self.last.clone()
    }

    /// A process that was killed for its memory had all that its container may have, whatever it reported last. Who looks
    /// for the first time does not know which limit an earlier one had met.
    fn add_kill(&mut self, pod: &ObservedPod) {
        let before = self.restarts.insert(pod.uid.clone(), pod.restarts);
        let is_news = before.map_or(pod.target.is_none(), |before| before < pod.restarts);
        if let Some(limit) = pod.memory.limit.filter(|_| is_news && pod.out_of_memory) {
            self.seen.add_process(&pod.name, limit);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        facts::{ContainerMemory, Sample},
        fixtures::{following, key, observed_pod, settled, valid},
    };

    const MIB: u64 = 1 << 20;
    const HOUR: u64 = 3_600;

    fn pod(resident: u64) -> ObservedPod {
        let mut report = following(100);
        report.memory.refreshes.block = 500;
        report.memory.resident_bytes = resident;
        ObservedPod {
            sample: Sample::Answer(Box::new(report)),
            memory: ContainerMemory {
                request: Some(512 * MIB),
                limit: Some(1024 * MIB),
            },
            ..observed_pod("one-0")
        }
    }

    struct Watched {
        peaks: Peaks,
        start: Instant,
    }

    impl Watched {
        fn new() -> Self {
            Self {
                peaks: Peaks::default(),
                start: Instant::now(),
            }
        }

        /// The request that is recommended at a second, on what a pod is then.
        fn at(&self, second: u64, pod: ObservedPod, status: Option<&IndexerStatus>) -> Option<String> {
            let valid = valid();
            let observed = Observed {
                pods: vec![pod],
                ..Observed::default()
            };
            let now = self.start + Duration::from_secs(second);
            let found = self
                .peaks
                .recommend(&key(), &valid, &settled(&valid), &observed, status, now);
            found.get(&valid.revision).map(|it| it.request.0.clone())
        }
    }

    #[test]
    fn a_day_without_the_peak_lowers_it() {
        let watched = Watched::new();
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(watched.at(0, pod(900 * MIB), None), some("1152Mi"));
        assert_eq!(watched.at(HOUR, pod(100 * MIB), None), some("1152Mi"));
        assert_eq!(
            watched.at(24 * HOUR, pod(100 * MIB), None),
            some("1152Mi"),
            "the peak is of this day"
        );
        assert_eq!(watched.at(47 * HOUR, pod(100 * MIB), None), some("1152Mi"));
        assert_eq!(watched.at(48 * HOUR, pod(100 * MIB), None), some("128Mi"));
        watched.peaks.forget(&key());
        assert_eq!(watched.at(49 * HOUR, observed_pod("one-0"), None), None);
    }

    #[test]
    fn an_operator_that_begins_goes_on_from_what_the_status_says_of_this_revision() {
        let status = |revision: &str| -> IndexerStatus {
            let recommendation = serde_json::json!({"request": "2Gi", "limit": "8Gi", "reason": "before"});
            serde_json::from_value(serde_json::json!({
                "active": {"revision": revision, "moduleSha256": "ab".repeat(32)},
                "memory": {"recommendation": recommendation},
            }))
            .unwrap()
        };
        let silent = || observed_pod("one-0");
        let own = status(valid().revision.as_str());
        assert_eq!(Watched::new().at(0, silent(), Some(&own)), Some("2Gi".into()));
        assert_eq!(Watched::new().at(0, silent(), Some(&status("0123456789"))), None);
    }

    #[test]
    fn a_process_that_was_killed_for_its_memory_had_all_of_it_and_counts_once() {
        let killed = |restarts, limit: u64| {
            let mut pod = pod(100 * MIB);
            (pod.restarts, pod.out_of_memory) = (restarts, true);
            pod.memory.limit = Some(limit);
            pod
        };
        let some = |text: &str| Some(text.to_owned());
        let watched = Watched::new();
        assert_eq!(
            watched.at(0, killed(1, 512 * MIB), None),
            some("128Mi"),
            "it was before, and who knows with what"
        );
        assert_eq!(watched.at(1, killed(2, 512 * MIB), None), some("640Mi"));
        assert_eq!(
            watched.at(2, killed(2, 1024 * MIB), None),
            some("640Mi"),
            "the same kill"
        );
        assert_eq!(watched.at(3, killed(3, 1024 * MIB), None), some("1280Mi"));
        let mut down = killed(7, 512 * MIB);
        down.target = None;
        assert_eq!(Watched::new().at(0, down, None), some("640Mi"), "it is down for it now");
    }
}
