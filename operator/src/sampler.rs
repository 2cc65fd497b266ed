//! (I/O) Polls `/status` of every pod, keeps the latest answers, and wakes the reconciler when one has changed
//! materially.
//!
//! The reconciler declares which pods to poll ([`Sampler::observe`]) and gets the latest answers; later answers are
//! compared with those. A pod that is new is polled on the spot, so that an operator that has just started does not
//! mistake healthy pods for dead ones.

use std::{
    collections::HashMap,
    panic::AssertUnwindSafe,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use futures::{FutureExt, StreamExt, stream, stream::FuturesUnordered};
use tokio::{sync::mpsc, time::MissedTickBehavior};
use tokio_util::sync::CancellationToken;

mod polled;
mod steadiness;

use crate::{
    facts::{
        Sample, Target,
        change::{Change, change},
    },
    metrics::Metrics,
    objects::Key,
    pod_client::PodClient,
};
use polled::Polled;

/// How often the list of pods is looked through, and more often while more are due than may be asked at a time.
const TICK: Duration = Duration::from_millis(500);
/// Requests in flight to pods that answered last time, in a millisecond as a rule.
const ANSWERING_IN_FLIGHT: usize = 64;
/// Requests in flight to pods that did not: each takes its whole timeout, so they wait for each other and for nobody
/// else.
const SILENT_IN_FLIGHT: usize = 32;
/// Requests in flight of one pass to pods that are new: as many as three revisions of sixteen pods have, so that a pass
/// waits for one timeout at most.
const NEW_IN_FLIGHT: usize = 48;
/// A pass that was called for has looked by then, or the call was lost.
const CALL_MAX: Duration = Duration::from_secs(10);

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
    /// When a pass was called for that has not looked yet.
    woken_at: Option<Instant>,
    max_behind: u32,
}

/// How many more requests may be sent to pods of each kind.
#[derive(Clone, Copy)]
struct Room {
    answering: usize,
    silent: usize,
}

/// A pod that is due.
struct Due {
    key: Key,
    target: Target,
    is_silent: bool,
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
        let (mut answering, mut silent) = (FuturesUnordered::new(), FuturesUnordered::new());
        // Whether pods may be left that were due when there was no room for them.
        let mut is_full = false;
        loop {
            let looks = tokio::select! {
                () = stop.cancelled() => return,
                // Half of the room at a time: each look goes through all pods.
                Some(()) = answering.next() => is_full && answering.len() <= ANSWERING_IN_FLIGHT / 2,
                Some(()) = silent.next() => false,
                _ = ticks.tick() => true,
            };
            if !looks {
                continue;
            }
            let room = Room {
                answering: ANSWERING_IN_FLIGHT.saturating_sub(answering.len()),
                silent: SILENT_IN_FLIGHT.saturating_sub(silent.len()),
            };
            for due in self.take_due(room, Instant::now()) {
                let lane = if due.is_silent { &silent } else { &answering };
                lane.push(self.poll(due.key, due.target));
            }
            is_full = answering.len() >= ANSWERING_IN_FLIGHT;
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
            .buffer_unordered(NEW_IN_FLIGHT)
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
                woken_at: None,
                max_behind,
            });
            group.max_behind = max_behind;
            group.pods.retain(|target, _| targets.contains(target));
            group.pods.extend(
                polled
                    .into_iter()
                    .map(|(target, sample)| (target, Polled::new(sample, now))),
            );
            (group.shown_at, group.woken_at) = (now, None);
            for polled in group.pods.values_mut() {
                polled.show();
            }
        }
        self.count(&groups);
        groups
            .get(key)
            .map(|g| g.pods.iter().map(|(t, p)| (t.clone(), p.latest().clone())).collect())
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

    /// The pods to ask now, those that waited longest first. Each is asked again at its time even if this request is lost.
    fn take_due(&self, room: Room, now: Instant) -> Vec<Due> {
        let mut groups = self.groups();
        let mut waiting: Vec<(&Key, &Target, &mut Polled)> = groups
            .iter_mut()
            .flat_map(|(key, group)| group.pods.iter_mut().map(move |(target, polled)| (key, target, polled)))
            .filter(|(_, _, polled)| polled.is_due(now))
            .collect();
        waiting.sort_by_key(|(_, _, polled)| polled.due());
        let (mut taken, mut room) = (Vec::new(), room);
        for (key, target, polled) in waiting {
            let is_silent = polled.is_silent();
            let left = if is_silent {
                &mut room.silent
            } else {
                &mut room.answering
            };
            if *left == 0 {
                continue;
            }
            *left -= 1;
            polled.note_request(now);
            taken.push(Due {
                key: key.clone(),
                target: target.clone(),
                is_silent,
            });
        }
        taken
    }

    /// A defect that one pod's answer brings to light is that pod's: it counts as no answer, and is logged.
    async fn poll(&self, key: Key, target: Target) {
        let polled = AssertUnwindSafe(self.ask_and_note(&key, &target)).catch_unwind().await;
        if polled.is_err() {
            self.metrics.sample_panicked();
            tracing::error!(indexer = %key, pod = target.pod, "a defect of the operator: the pod's answer made it panic");
        }
    }

    async fn ask_and_note(&self, key: &Key, target: &Target) {
        let asked = self.ask(target).await;
        if self.note(key, target, asked, Instant::now()) {
            self.wake(key);
        }
    }

    /// Calls for a pass.
    pub fn wake(&self, key: &Key) {
        // A full channel means that the reconciler is behind; the next sample tries again.
        let _ = self.wake.try_send(key.clone());
    }

    /// Keeps an answer. Returns whether it is time for a pass.
    fn note(&self, key: &Key, target: &Target, asked: Result<Sample, String>, now: Instant) -> bool {
        let mut groups = self.groups();
        let Some(group) = groups.get_mut(key) else { return false };
        let Some(polled) = group.pods.get_mut(target) else {
            return false;
        };
        polled.note(asked, now);
        // The status covers the Indexer as a whole, so its pods share the interval.
        let news = group
            .pods
            .values()
            .map(|p| change(p.shown(), p.latest(), group.max_behind))
            .max()
            .unwrap_or(Change::Nothing);
        // A second call would come to a second pass, a moment after the first, with a block more to write about.
        let is_called = group.woken_at.is_some_and(|at| now.duration_since(at) < CALL_MAX);
        let calls = !is_called && news.is_due(now.duration_since(group.shown_at));
        if calls {
            group.woken_at = Some(now);
        }
        calls
    }

    async fn ask(&self, target: &Target) -> Result<Sample, String> {
        let started = Instant::now();
        let status = self.pods.status(target).await;
        self.metrics.sampled(started.elapsed(), status.is_ok());
        status.map(|status| Sample::Answer(Box::new(status)))
    }

    fn groups(&self) -> MutexGuard<'_, HashMap<Key, Group>> {
        // No code under the lock can leave the map half changed.
        self.groups.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
