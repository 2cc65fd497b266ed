//! Requests to refresh that were sent to pods: which are due, and which go without an echo for too long.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use crate::{facts::Target, objects::Key};

/// First and last pause until a pod is asked again: it doubles in between. A pod carries a request out before its next
/// block, so one that runs a long block echoes late.
const AGAIN: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(300));
/// After so many requests without an echo, half a minute or more, an event is published.
const TOLD_AFTER: u32 = 4;

/// The request that pods are to carry out, by Indexer.
#[derive(Debug, Default)]
pub(super) struct Requests(Mutex<HashMap<Key, Request>>);

#[derive(Debug, Default)]
struct Request {
    id: String,
    sent: HashMap<Target, Sent>,
}

#[derive(Debug)]
struct Sent {
    times: u32,
    again_at: Instant,
}

impl Requests {
    /// Of the pods that have not carried out a request, those that are to be asked now. They count as asked.
    pub(super) fn take_due<'a>(&self, key: &Key, id: &str, waiting: &[&'a Target], now: Instant) -> Vec<&'a Target> {
        let mut requests = self.requests();
        let request = requests.entry(key.clone()).or_default();
        if request.id != id {
            *request = Request {
                id: id.to_owned(),
                sent: HashMap::new(),
            };
        }
        request.sent.retain(|target, _| waiting.contains(&target));
        let is_due = |target: &&Target| request.sent.get(*target).is_none_or(|sent| sent.again_at <= now);
        let due: Vec<&Target> = waiting.iter().copied().filter(is_due).collect();
        for target in &due {
            let times = request.sent.get(*target).map_or(0, |sent| sent.times).saturating_add(1);
            let again_at = now + pause(times);
            request.sent.insert((*target).clone(), Sent { times, again_at });
        }
        due
    }

    /// When the next pod is to be asked again; none if all have carried out what was requested.
    pub(super) fn again_after(&self, key: &Key, now: Instant) -> Option<Duration> {
        let requests = self.requests();
        let next = requests.get(key)?.sent.values().map(|sent| sent.again_at).min()?;
        Some(next.saturating_duration_since(now))
    }

    /// The pods that were asked several times and have not carried out what was requested, by name.
    pub(super) fn overdue(&self, key: &Key) -> Vec<String> {
        let requests = self.requests();
        let sent = requests.get(key).into_iter().flat_map(|request| &request.sent);
        let overdue = sent.filter(|(_, sent)| sent.times > TOLD_AFTER);
        let mut pods: Vec<String> = overdue.map(|(target, _)| target.pod.clone()).collect();
        pods.sort();
        pods
    }

    /// Drops what is known of an Indexer: it is gone, or has no request.
    pub(super) fn forget(&self, key: &Key) {
        self.requests().remove(key);
    }

    fn requests(&self) -> MutexGuard<'_, HashMap<Key, Request>> {
        // Nothing below the lock can leave the map half changed.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The pause after so many requests.
fn pause(times: u32) -> Duration {
    let (first, last) = AGAIN;
    first.saturating_mul(1 << times.saturating_sub(1).min(16)).min(last)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::{key, target};

    #[test]
    fn a_pod_that_never_echoes_is_asked_ever_less_and_named() {
        let (requests, start) = (Requests::default(), Instant::now());
        let (echoes, deaf, new) = (target("one-0"), target("one-1"), target("one-2"));
        let at = |second| start + Duration::from_secs(second);
        let due = |id: &str, waiting: &[&Target], second| {
            let due = requests.take_due(&key(), id, waiting, at(second));
            due.into_iter().map(|target| target.pod.clone()).collect::<Vec<_>>()
        };
        assert_eq!(due("1", &[&echoes, &deaf], 0), ["one-0", "one-1"]);
        assert_eq!(due("1", &[&deaf, &new], 2), ["one-2"], "a new pod is asked at once");
        assert_eq!(requests.again_after(&key(), at(2)), Some(Duration::from_secs(3)));
        // Every pass asks what is due; passes come every second.
        let asked: Vec<u64> = (3..2_000)
            .filter(|second| !due("1", &[&deaf], *second).is_empty())
            .collect();
        assert_eq!(asked, [5, 15, 35, 75, 155, 315, 615, 915, 1_215, 1_515, 1_815]);
        assert_eq!(requests.overdue(&key()), ["one-1"]);
        assert_eq!(due("2", &[&deaf], 2_000), ["one-1"], "another request");
        assert_eq!(requests.overdue(&key()), [""; 0]);
        assert_eq!(due("2", &[], 2_001), [""; 0]);
        assert_eq!(requests.again_after(&key(), at(2_001)), None, "it has carried it out");
    }
}
