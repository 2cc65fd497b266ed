//! Requests of one kind that were sent to pods: which are due, which go without an echo for too long, and which are
//! refused.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use crate::{facts::Target, objects::Key};

/// First and last pause until a pod is asked again: it doubles in between. A pod refreshes before its next block, and
/// echoes a snapshot once it is uploaded, so either may be late.
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
    /// What the pod that was asked last has against it.
    refusal: Option<String>,
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
                ..Request::default()
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

    /// Notes whether the request that was just sent was refused, and why.
    pub(super) fn note_refusal(&self, key: &Key, refusal: Option<String>) {
        if let Some(request) = self.requests().get_mut(key) {
            request.refusal = refusal;
        }
    }

    /// Why a pod that was asked several times refuses what is requested. One that is about to be replaced may refuse what
    /// the next one does not, so it is not told at once.
    pub(super) fn refused(&self, key: &Key) -> Option<String> {
        let pod = self.overdue(key).into_iter().next()?;
        let requests = self.requests();
        let refusal = requests.get(key)?.refusal.as_ref()?;
        Some(format!("{pod} {refusal}"))
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

    #[test]
    fn a_refusal_is_told_when_it_lasts_and_gone_when_the_request_is() {
        let (requests, start) = (Requests::default(), Instant::now());
        let (pod, refusal) = (target("one-0"), || Some("takes no requests".to_owned()));
        for (second, expected) in [
            (0, None),
            (5, None),
            (15, None),
            (35, None),
            (75, Some("one-0 takes no requests")),
        ] {
            let due = requests.take_due(&key(), "1", &[&pod], start + Duration::from_secs(second));
            assert_eq!(due.len(), 1);
            requests.note_refusal(&key(), refusal());
            assert_eq!(requests.refused(&key()).as_deref(), expected, "after {second} s");
        }
        requests.note_refusal(&key(), None);
        assert_eq!(requests.refused(&key()), None, "it was accepted");
        requests.note_refusal(&key(), refusal());
        requests.take_due(&key(), "2", &[&pod], start);
        assert_eq!(requests.refused(&key()), None, "another request");
    }
}
