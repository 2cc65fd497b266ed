//! What people should learn that no condition turns for, each told once as an event.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Mutex, MutexGuard, PoisonError},
};

use crds::conditions::events;
use k8s_openapi::api::core::v1::ObjectReference;
use kube::runtime::events::{Event, EventType};

use super::carried::Carried;
use crate::{
    facts::{Observed, Stranger},
    names,
    objects::Key,
    storage::Growth,
    transitions::shortened,
};

/// Something that needs a person's attention for as long as it is so.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Notice {
    /// One of `crds::conditions::events`.
    pub(super) reason: &'static str,
    /// What is so and what to do. It holds no figure that moves by itself.
    pub(super) note: String,
    /// Whether it is as it should be.
    pub(super) is_well: bool,
    /// The object it is about, beside the Indexer.
    pub(super) about: Option<ObjectReference>,
}

/// What holds of an Indexer. `carried` is what carrying out the decision on it came to, if that went well.
pub(super) fn notices(observed: &Observed, carried: Option<&Carried>) -> Vec<Notice> {
    let held_back = carried.and_then(|carried| carried.held_back.as_ref());
    let held_back = held_back.and_then(|held| {
        Some(Notice {
            reason: held.event?,
            note: held.words.clone(),
            is_well: false,
            about: None,
        })
    });
    let overdue = carried.map(|carried| carried.overdue.as_slice()).unwrap_or_default();
    let refresh = (!overdue.is_empty()).then(|| refresh_overdue(overdue));
    let refused = carried.and_then(|carried| carried.snapshot_refused.as_deref());
    let refused = refused.map(snapshot_refused);
    let strangers = observed.strangers.iter().map(foreign_pod);
    let grown = carried.map(|carried| carried.grown.as_slice()).unwrap_or_default();
    let grown = grown.iter().filter_map(volumes_grow);
    let requests = refresh.into_iter().chain(refused);
    strangers.chain(held_back).chain(requests).chain(grown).collect()
}

fn volumes_grow(growth: &Growth) -> Option<Notice> {
    let Growth {
        revision,
        pod,
        from,
        to,
    } = growth;
    Some(Notice {
        reason: events::VOLUMES_GROW,
        note: format!(
            "volumes of revision {revision} grow from {} to {}, because {pod} had too little room",
            from.text,
            to.as_ref()?.text
        ),
        is_well: true,
        about: None,
    })
}

fn refresh_overdue(pods: &[String]) -> Notice {
    Notice {
        reason: events::REFRESH_OVERDUE,
        note: format!(
            "{} did not carry out the refresh that the annotation {} requests, though asked several times: see the log of \
             the pod; a block that is being run is ended first",
            pods.join(", "),
            names::ANNOTATION_REFRESH
        ),
        is_well: false,
        about: None,
    }
}

fn snapshot_refused(why: &str) -> Notice {
    Notice {
        reason: events::SNAPSHOT_REQUEST_REFUSED,
        note: format!(
            "no snapshot is published for the annotation {}: {why}",
            names::ANNOTATION_SNAPSHOT
        ),
        is_well: false,
        about: None,
    }
}

/// A pass that ended by a defect of the operator's own.
pub(super) fn defect(words: &str) -> Notice {
    Notice {
        reason: events::INTERNAL_ERROR,
        note: format!("a defect of the operator ended a pass over this Indexer, which is repeated: {words}"),
        is_well: false,
        about: None,
    }
}

fn foreign_pod(stranger: &Stranger) -> Notice {
    let Stranger { name, uid } = stranger;
    Notice {
        reason: events::FOREIGN_POD,
        note: format!(
            "pod {name} carries labels of this Indexer and does not belong to it, so it is ignored, but a Service may send \
             clients to it; delete it, or remove its label {}",
            names::LABEL_INDEXER
        ),
        is_well: false,
        about: Some(ObjectReference {
            api_version: Some("v1".into()),
            kind: Some("Pod".into()),
            name: Some(name.clone()),
            uid: Some(uid.clone()),
            ..ObjectReference::default()
        }),
    }
}

/// What was announced and still holds, by Indexer.
#[derive(Debug, Default)]
pub(super) struct Notices(Mutex<HashMap<Key, BTreeSet<String>>>);

impl Notices {
    /// Of what holds now, the events that were not published yet. What no longer holds is forgotten, so that it is news
    /// when it comes back.
    pub(super) fn news(&self, key: &Key, current: &[Notice]) -> Vec<Event> {
        let mut announced = self.announced();
        let before = announced.remove(key).unwrap_or_default();
        if !current.is_empty() {
            announced.insert(key.clone(), current.iter().map(Notice::id).collect());
        }
        let news = current.iter().filter(|notice| !before.contains(&notice.id()));
        news.map(Notice::event).collect()
    }

    /// Whether this was not published yet.
    pub(super) fn is_news(&self, key: &Key, notice: &Notice) -> bool {
        !self.announced().get(key).is_some_and(|ids| ids.contains(&notice.id()))
    }

    /// Drops what is known of an Indexer that is gone.
    pub(super) fn forget(&self, key: &Key) {
        self.announced().remove(key);
    }

    fn announced(&self) -> MutexGuard<'_, HashMap<Key, BTreeSet<String>>> {
        // Nothing below the lock can leave the map half changed.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Notice {
    /// Two with the same id are the same news.
    fn id(&self) -> String {
        format!("{} {}", self.reason, self.note)
    }

    fn event(&self) -> Event {
        Event {
            type_: if self.is_well {
                EventType::Normal
            } else {
                EventType::Warning
            },
            reason: self.reason.to_owned(),
            note: Some(shortened(&self.note)),
            action: "Reconcile".to_owned(),
            secondary: self.about.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::key;

    fn notice(note: &str) -> Notice {
        Notice {
            reason: "ForeignPod",
            note: note.into(),
            is_well: false,
            about: None,
        }
    }

    #[test]
    fn what_holds_is_news_once_and_again_after_it_was_gone() {
        let notices = Notices::default();
        let news = |current: &[&str]| {
            let current: Vec<Notice> = current.iter().map(|note| notice(note)).collect();
            let events = notices.news(&key(), &current).into_iter();
            events.filter_map(|event| event.note).collect::<Vec<_>>()
        };
        assert_eq!(news(&["a"]), ["a"]);
        assert_eq!(news(&["a"]), [""; 0]);
        assert_eq!(news(&["a", "b"]), ["b"]);
        assert_eq!(news(&[]), [""; 0]);
        assert_eq!(news(&["a"]), ["a"]);
        notices.forget(&key());
        assert_eq!(news(&["a"]), ["a"]);
    }
}
