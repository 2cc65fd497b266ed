//! Which recorder publishes an event. One recorder counts events that differ in nothing but their note as one, for which
//! it keeps the first note; what has other words is to be read.

use std::{
    collections::HashMap,
    fmt,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use kube::runtime::events::{Event, Recorder};

use crate::objects::Key;

/// A recorder remembers for six minutes what it published.
const REMEMBERED: Duration = Duration::from_secs(6 * 60);

/// Recorders that are kept, the newest ones: each takes 6 KiB. More kinds of events than that within six minutes are many
/// Indexers that change, not one that flaps.
const RECORDERS_MAX: usize = 64;

/// The last recorder for each kind of event.
#[derive(Debug, Default)]
pub(super) struct Recorders(Mutex<HashMap<Kind, Last>>);

/// What tells an event about an Indexer from others, but for its note.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Kind {
    key: Key,
    action: String,
    reason: String,
}

struct Last {
    note: Option<String>,
    at: Instant,
    recorder: Recorder,
}

impl fmt::Debug for Last {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Last").field("note", &self.note).finish_non_exhaustive()
    }
}

impl Recorders {
    /// The recorder of the last event of the same kind if that had the same note, otherwise a new one.
    pub(super) fn of(&self, key: &Key, event: &Event, now: Instant, new: impl FnOnce() -> Recorder) -> Recorder {
        // Nothing below the lock can leave the map half changed.
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|_, last| now.saturating_duration_since(last.at) < REMEMBERED);
        let kind = Kind {
            key: key.clone(),
            action: event.action.clone(),
            reason: event.reason.clone(),
        };
        let same = all.remove(&kind).filter(|last| last.note == event.note);
        let recorder = same.map_or_else(new, |last| last.recorder);
        let last = Last {
            note: event.note.clone(),
            at: now,
            recorder: recorder.clone(),
        };
        all.insert(kind, last);
        if all.len() > RECORDERS_MAX {
            let oldest = all.iter().min_by_key(|(_, last)| last.at).map(|(kind, _)| kind.clone());
            oldest.and_then(|kind| all.remove(&kind));
        }
        recorder
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::ObjectReference;
    use kube::runtime::events::{EventType, Reporter};

    use super::*;
    use crate::fixtures::{api_server, key};

    #[tokio::test]
    async fn only_the_same_words_are_counted_as_one_event() {
        let (client, calls) = api_server(|_| None);
        let recorders = Recorders::default();
        let start = Instant::now();
        let new = || Recorder::new(client.clone(), Reporter::from("test"));
        for (second, note) in [(0, "to 1Gi"), (1, "to 1Gi"), (2, "to 2Gi"), (3, "to 2Gi")] {
            let event = Event {
                type_: EventType::Normal,
                reason: "VolumesGrow".into(),
                note: Some(note.into()),
                action: "Reconcile".into(),
                secondary: None,
            };
            let recorder = recorders.of(&key(), &event, start + Duration::from_secs(second), new);
            recorder.publish(&event, &ObjectReference::default()).await.unwrap();
        }
        let made: Vec<(String, String, u64)> = calls
            .lock()
            .unwrap()
            .iter()
            .map(|(call, body)| {
                let method = call.split(' ').next().unwrap().to_owned();
                let note = body["note"].as_str().unwrap().to_owned();
                (method, note, body["series"]["count"].as_u64().unwrap_or(1))
            })
            .collect();
        let expected = [
            ("POST", "to 1Gi", 1),
            ("PATCH", "to 1Gi", 2),
            ("POST", "to 2Gi", 1),
            ("PATCH", "to 2Gi", 2),
        ];
        assert_eq!(
            made,
            expected.map(|(call, note, count)| (call.to_owned(), note.to_owned(), count))
        );
    }

    #[tokio::test]
    async fn what_recorders_have_forgotten_is_not_kept() {
        let (client, _) = api_server(|_| None);
        let recorders = Recorders::default();
        let start = Instant::now();
        let event = |reason: &str| Event {
            type_: EventType::Normal,
            reason: reason.into(),
            note: None,
            action: "Reconcile".into(),
            secondary: None,
        };
        let kept_after = |reason: &str, seconds| {
            let new = || Recorder::new(client.clone(), Reporter::from("test"));
            recorders.of(&key(), &event(reason), start + Duration::from_secs(seconds), new);
            recorders.0.lock().unwrap().len()
        };
        assert_eq!(kept_after("A", 0), 1);
        assert_eq!(kept_after("B", 359), 2);
        assert_eq!(kept_after("C", 360), 2, "the first is gone");
    }

    #[tokio::test]
    async fn no_more_are_kept_than_their_bound() {
        let (client, _calls) = api_server(|_| None);
        let recorders = Recorders::default();
        let start = Instant::now();
        for i in 0..u64::try_from(RECORDERS_MAX).unwrap() + 10 {
            let event = Event {
                type_: EventType::Normal,
                reason: format!("Reason{i}"),
                note: None,
                action: "Reconcile".into(),
                secondary: None,
            };
            let new = || Recorder::new(client.clone(), Reporter::from("test"));
            recorders.of(&key(), &event, start + Duration::from_millis(i), new);
        }
        let kept = recorders.0.lock().unwrap();
        assert_eq!(kept.len(), RECORDERS_MAX);
        assert!(kept.keys().all(|kind| kind.reason != "Reason0"));
    }
}
