//! (I/O) Polls `/status` of every pod, keeps the latest answers, and wakes the reconciler when one has changed
//! materially.
//!
//! The reconciler declares which pods to poll ([`Sampler::observe`]) and gets the latest answers; later answers are
//! compared with those. A pod that is new is polled on the spot, so that an operator that has just started does not
//! mistake healthy pods for dead ones.

use std::{
    collections::HashMap,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use futures::{StreamExt, stream};
use tokio::{sync::mpsc, time::MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use crate::{
    facts::{
        Sample, Target,
        change::{Change, change},
    },
    metrics::Metrics,
    objects::Key,
    pod_client::PodClient,
};

/// Between two samples of a pod that starts, syncs, waits or fails.
const UNSETTLED_INTERVAL: Duration = Duration::from_secs(2);
/// Between two samples of a pod that sits at the tip. A third of the 15 s in which a crossing must be shown.
const SETTLED_INTERVAL: Duration = Duration::from_secs(5);
/// How often the list of pods is checked for due ones.
const TICK: Duration = Duration::from_millis(500);
/// Concurrent requests. Sixteen pods that time out together delay the others by one timeout.
const CONCURRENCY: usize = 16;
/// A single failed request to a pod that answered before is ignored: a busy node drops one now and then.
const FAILURES_UNTIL_SILENT: u32 = 2;

/// See the module.
pub struct Sampler {
    pods: PodClient,
    groups: Mutex<HashMap<Key, Group>>,
    /// The pods of all groups, as the metric has them.
    counted: AtomicUsize,
    wake: mpsc::Sender<Key>,
    metrics: Metrics,
}

/// The pods of one Indexer.
struct Group {
    pods: HashMap<Target, Polled>,
    shown_at: Instant,
    max_behind: u32,
}

struct Polled {
    latest: Sample,
    shown: Sample,
    failures: u32,
    due: Instant,
}

impl Sampler {
    /// A sampler that sends the key of an Indexer to `wake` when one of its pods has changed materially.
    #[must_use]
    pub fn new(pods: PodClient, wake: mpsc::Sender<Key>, metrics: Metrics) -> Self {
        Self {
            pods,
            groups: Mutex::default(),
            counted: AtomicUsize::new(0),
            wake,
            metrics,
        }
    }

    /// Polls until `stop`.
    pub async fn run(&self, stop: CancellationToken) {
        let mut ticks = tokio::time::interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while stop.run_until_cancelled(ticks.tick()).await.is_some() {
            let due = self.due(Instant::now());
            stream::iter(due)
                .for_each_concurrent(CONCURRENCY, |(key, target)| self.poll(key, target))
                .await;
        }
    }

    /// From now on polls exactly these targets for this Indexer, and returns the latest answers. New targets are polled
    /// first, which takes up to the timeout of a request. A pod that is behind by at most `max_behind` blocks counts as
    /// caught up.
    pub async fn observe(&self, key: &Key, targets: &[Target], max_behind: u32) -> HashMap<Target, Sample> {
        let new = self.not_polled_yet(key, targets);
        let polled: HashMap<Target, Sample> = stream::iter(new)
            .map(|target| async move {
                let sample = self.ask(&target).await.unwrap_or_else(Sample::Silent);
                (target, sample)
            })
            .buffer_unordered(CONCURRENCY)
            .collect()
            .await;
        let mut groups = self.groups();
        if targets.is_empty() {
            groups.remove(key);
        } else {
            let now = Instant::now();
            let group = groups.entry(key.clone()).or_insert_with(|| Group {
                pods: HashMap::new(),
                shown_at: now,
                max_behind,
            });
            group.max_behind = max_behind;
            group.pods.retain(|target, _| targets.contains(target));
            group.pods.extend(
                polled
                    .into_iter()
                    .map(|(target, sample)| (target, Polled::new(sample, now))),
            );
            group.shown_at = now;
            for polled in group.pods.values_mut() {
                polled.shown = polled.latest.clone();
            }
        }
        self.count(&groups);
        groups
            .get(key)
            .map(|g| g.pods.iter().map(|(t, p)| (t.clone(), p.latest.clone())).collect())
            .unwrap_or_default()
    }

    /// Forgets an Indexer that is gone.
    pub fn forget(&self, key: &Key) {
        let mut groups = self.groups();
        groups.remove(key);
        self.count(&groups);
    }

    /// Adds the change in the number of this scope's pods to the metric, which all scopes share.
    fn count(&self, groups: &HashMap<Key, Group>) {
        let pods = groups.values().map(|group| group.pods.len()).sum();
        // Called with the lock on the groups held, so no count is lost between two.
        let before = self.counted.swap(pods, Ordering::Relaxed);
        self.metrics.sampled_pods_changed(before, pods);
    }

    fn not_polled_yet(&self, key: &Key, targets: &[Target]) -> Vec<Target> {
        let groups = self.groups();
        let group = groups.get(key);
        targets
            .iter()
            .filter(|target| !group.is_some_and(|g| g.pods.contains_key(target)))
            .cloned()
            .collect()
    }

    fn due(&self, now: Instant) -> Vec<(Key, Target)> {
        let groups = self.groups();
        let pods = groups
            .iter()
            .flat_map(|(key, group)| group.pods.iter().map(move |(t, p)| (key, t, p)));
        pods.filter(|(_, _, p)| p.due <= now)
            .map(|(key, target, _)| (key.clone(), target.clone()))
            .collect()
    }

    async fn poll(&self, key: Key, target: Target) {
        let answer = self.ask(&target).await;
        if self.note(&key, &target, answer, Instant::now()) {
            // A full channel means that the reconciler is behind; the next sample wakes it again.
            let _ = self.wake.try_send(key);
        }
    }

    /// Stores an answer. Returns whether a pass is due.
    fn note(&self, key: &Key, target: &Target, answer: Result<Sample, String>, now: Instant) -> bool {
        let mut groups = self.groups();
        let Some(group) = groups.get_mut(key) else { return false };
        let Some(polled) = group.pods.get_mut(target) else {
            return false;
        };
        polled.note(answer, now);
        // The status covers the Indexer as a whole, so its pods share the interval.
        let news = group
            .pods
            .values()
            .map(|p| change(&p.shown, &p.latest, group.max_behind))
            .max()
            .unwrap_or(Change::Nothing);
        news.is_due(now.duration_since(group.shown_at))
    }

    async fn ask(&self, target: &Target) -> Result<Sample, String> {
        let status = self.pods.status(target).await;
        self.metrics.sampled(status.is_ok());
        status.map(|status| Sample::Answer(Box::new(status)))
    }

    fn groups(&self) -> MutexGuard<'_, HashMap<Key, Group>> {
        // No code under the lock can leave the map half changed.
        self.groups.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Polled {
    fn new(sample: Sample, now: Instant) -> Self {
        let failures = if sample.answer().is_some() {
            0
        } else {
            FAILURES_UNTIL_SILENT
        };
        Self {
            due: now + interval(&sample, failures),
            shown: sample.clone(),
            latest: sample,
            failures,
        }
    }

    fn note(&mut self, answer: Result<Sample, String>, now: Instant) {
        match answer {
            Ok(sample) => (self.latest, self.failures) = (sample, 0),
            Err(why) => {
                self.failures = self.failures.saturating_add(1);
                if self.failures >= FAILURES_UNTIL_SILENT {
                    self.latest = Sample::Silent(why);
                }
            }
        }
        self.due = now + interval(&self.latest, self.failures);
    }
}

fn interval(latest: &Sample, failures: u32) -> Duration {
    if failures == 0 && latest.is_settled() {
        SETTLED_INTERVAL
    } else {
        UNSETTLED_INTERVAL
    }
}

#[cfg(test)]
mod tests {
    use crds::MAX_BEHIND;

    use super::*;
    use crate::fixtures::{following, target};

    fn answer(height: u32) -> Sample {
        Sample::Answer(Box::new(following(height)))
    }

    #[test]
    fn one_failed_request_is_no_fact_and_two_are() {
        let now = Instant::now();
        let mut polled = Polled::new(answer(100), now);
        assert_eq!(polled.due, now + SETTLED_INTERVAL);
        polled.note(Err("no answer in time".into()), now);
        assert_eq!(polled.latest, answer(100));
        assert_eq!(polled.due, now + UNSETTLED_INTERVAL);
        polled.note(Err("no answer in time".into()), now);
        assert_eq!(polled.latest, Sample::Silent("no answer in time".into()));
        polled.note(Ok(answer(101)), now);
        assert_eq!(polled.latest, answer(101));
    }

    #[tokio::test]
    async fn numbers_wake_once_per_interval_and_rest_never() {
        let (wake, _woken) = mpsc::channel(1);
        let sampler = Sampler::new(PodClient::new().unwrap(), wake, Metrics::new().unwrap());
        let key = Key {
            namespace: "ns".into(),
            name: "one".into(),
        };
        let start = Instant::now();
        let pods = HashMap::from([(target("one-0"), Polled::new(answer(100), start))]);
        sampler.groups().insert(
            key.clone(),
            Group {
                pods,
                shown_at: start,
                max_behind: MAX_BEHIND,
            },
        );
        let at = |seconds| start + Duration::from_secs(seconds);
        assert!(!sampler.note(&key, &target("one-0"), Ok(answer(100)), at(600)));
        assert!(!sampler.note(&key, &target("one-0"), Ok(answer(101)), at(29)));
        assert!(sampler.note(&key, &target("one-0"), Ok(answer(101)), at(30)));
        assert!(
            !sampler.note(&key, &target("another"), Ok(answer(9)), at(60)),
            "this pod is not polled"
        );
    }

    #[tokio::test]
    async fn a_pod_that_does_not_answer_is_silent_from_the_start() {
        let (wake, _woken) = mpsc::channel(1);
        let sampler = Sampler::new(PodClient::new().unwrap(), wake, Metrics::new().unwrap());
        let key = Key {
            namespace: "ns".into(),
            name: "one".into(),
        };
        let found = sampler.observe(&key, &[target("one-0")], MAX_BEHIND).await;
        assert_eq!(found[&target("one-0")], Sample::Silent("no connection".into()));
        assert!(sampler.observe(&key, &[], MAX_BEHIND).await.is_empty());
        assert!(sampler.groups().is_empty(), "an Indexer without pods is not remembered");
    }

    #[tokio::test]
    async fn pods_of_all_scopes_are_counted_together() {
        let metrics = Metrics::new().unwrap();
        let (wake, _woken) = mpsc::channel(1);
        let sampler = || Sampler::new(PodClient::new().unwrap(), wake.clone(), metrics.clone());
        let (one, two) = (sampler(), sampler());
        let key = crate::fixtures::key();
        let gauge = || {
            let text = String::from_utf8(metrics.text().unwrap()).unwrap();
            let line = text
                .lines()
                .find_map(|l| l.strip_prefix("shrewd_operator_sampled_pods "));
            line.unwrap().to_owned()
        };
        one.observe(&key, &[target("one-0"), target("one-1")], MAX_BEHIND).await;
        two.observe(&key, &[target("two-0")], MAX_BEHIND).await;
        assert_eq!(gauge(), "3");
        one.observe(&key, &[target("one-0")], MAX_BEHIND).await;
        assert_eq!(gauge(), "2");
        two.forget(&key);
        assert_eq!(gauge(), "1");
    }
}
