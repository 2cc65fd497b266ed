//! What passes remember for later ones.

use std::{
    collections::HashMap,
    hash::{DefaultHasher, Hash, Hasher},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use crds::{CompareView, Comparison, IndexerStatus, Revision};
use k8s_openapi::jiff::Timestamp;
use kube::Resource;

use super::{
    progress::{Progress, Seen},
    watched::Watched,
};
use crate::objects::{Key, Served, is_older};

/// Failures in a row and the last status written, by Indexer.
#[derive(Debug, Default)]
pub struct History(Mutex<HashMap<Key, Entry>>);

#[derive(Debug, Default)]
struct Entry {
    failures: u32,
    /// What was logged last about the annotations.
    request_problem: Option<String>,
    /// What the watch showed last of what is declared, as a hash.
    declared: Option<u64>,
    /// The status that is being written.
    writing: Option<Arc<IndexerStatus>>,
    written: Option<Written>,
    /// The last status whose turns were published, and the unique id of its resource.
    reported: Option<(String, Arc<IndexerStatus>)>,
    /// The revision that is to serve next.
    candidate: Option<Candidate>,
    /// What the Service said before clients were moved, and says since.
    moved: Option<(Option<Served>, Served)>,
}

/// A written status.
#[derive(Debug)]
struct Written {
    /// The unique id of the resource.
    uid: String,
    /// The version of the resource that has it.
    version: Option<String>,
    status: Arc<IndexerStatus>,
}

#[derive(Debug)]
struct Candidate {
    revision: Revision,
    progress: Progress,
    /// With the questions it answers.
    comparison: Option<(Vec<CompareView>, Comparison)>,
}

impl Entry {
    fn written_to(&self, uid: &str) -> Option<&Written> {
        self.written.as_ref().filter(|written| written.uid == uid)
    }
}

impl History {
    /// The status of a resource, of which the watch cache has this one at this version. The cache lags behind a write
    /// for a moment, in which a pass would write the same change, and report it, a second time; a status newer than the
    /// last write is somebody else's change and is taken as it is.
    #[must_use]
    pub fn status(
        &self,
        key: &Key,
        uid: &str,
        version: Option<&str>,
        cached: Option<IndexerStatus>,
    ) -> Option<IndexerStatus> {
        let entries = self.entries();
        match entries.get(key).and_then(|entry| entry.written_to(uid)) {
            Some(written) if is_older(version, written.version.as_deref()) => Some((*written.status).clone()),
            _ => cached,
        }
    }

    /// The last status of this resource whose turns this process published.
    #[must_use]
    pub fn reported(&self, key: &Key, uid: &str) -> Option<IndexerStatus> {
        let entries = self.entries();
        let (of, status) = entries.get(key)?.reported.as_ref()?;
        (of == uid).then(|| (**status).clone())
    }

    /// Notes a status whose turns are published.
    pub fn note_reported(&self, key: &Key, uid: String, status: Arc<IndexerStatus>) {
        self.entries().entry(key.clone()).or_default().reported = Some((uid, status));
    }

    /// The version of a resource of which the watch cache has this one: after a write it is known before the watch brings
    /// it.
    #[must_use]
    pub fn newest_version(&self, key: &Key, uid: &str, cached: Option<String>) -> Option<String> {
        let entries = self.entries();
        let written = entries
            .get(key)
            .and_then(|entry| entry.written_to(uid)?.version.clone());
        if is_older(cached.as_deref(), written.as_deref()) {
            written
        } else {
            cached
        }
    }

    /// Notes that a write was refused because the resource has another version: from now on the watch is believed.
    pub fn distrust_version(&self, key: &Key) {
        if let Some(written) = self.entries().get_mut(key).and_then(|entry| entry.written.as_mut()) {
            written.version = None;
        }
    }

    /// Notes a status that is about to be written: the watch may bring it before the call returns.
    pub fn note_writing(&self, key: &Key, status: Arc<IndexerStatus>) {
        self.entries().entry(key.clone()).or_default().writing = Some(status);
    }

    /// Notes a written status, and the version of the resource that has it.
    pub fn note_written(&self, key: &Key, uid: &str, version: Option<String>, status: Arc<IndexerStatus>) {
        let mut entries = self.entries();
        let entry = entries.entry(key.clone()).or_default();
        entry.writing = None;
        entry.written = Some(Written {
            uid: uid.to_owned(),
            version,
            status,
        });
    }

    /// Whether an event of the watch calls for a pass: the spec or the annotations changed, or somebody else changed
    /// the status. Writes of this process are ignored.
    #[must_use]
    pub fn is_news(&self, watched: &Watched) -> bool {
        let meta = watched.meta();
        let mut entries = self.entries();
        let entry = entries.entry(Key::of(meta)).or_default();
        let declared = declared(watched);
        let is_declared_anew = entry.declared.replace(declared) != Some(declared);
        let uid = meta.uid.as_deref().unwrap_or_default();
        let is_ours = |status: Option<&IndexerStatus>| match entry.written_to(uid) {
            None => true,
            Some(written) => {
                let version = meta.resource_version.as_deref();
                let ours = [Some(&*written.status), entry.writing.as_deref()];
                is_older(version, written.version.as_deref()) || (status.is_some() && ours.contains(&status))
            }
        };
        let is_status_foreign = watched
            .0
            .as_ref()
            .is_ok_and(|indexer| !is_ours(indexer.status.as_ref()));
        is_declared_anew || is_status_foreign
    }

    /// Notes a successful pass.
    pub fn note_success(&self, key: &Key) {
        if let Some(entry) = self.entries().get_mut(key) {
            entry.failures = 0;
        }
    }

    /// Notes a failed pass. Returns the delay until the next attempt: `first` after one that succeeded, and twice as long
    /// after each further one, up to `longest`.
    #[must_use]
    pub fn note_failure(&self, key: &Key, (first, longest): (Duration, Duration)) -> Duration {
        let mut entries = self.entries();
        let failures = &mut entries.entry(key.clone()).or_default().failures;
        let pause = first.saturating_mul(1 << (*failures).min(16)).min(longest);
        *failures = failures.saturating_add(1);
        pause
    }

    /// Notes what is wrong with the annotations, if anything. Returns whether it is a new problem.
    #[must_use]
    pub fn note_request_problem(&self, key: &Key, problem: Option<&str>) -> bool {
        let mut entries = self.entries();
        let last = &mut entries.entry(key.clone()).or_default().request_problem;
        let is_news = problem.is_some() && last.as_deref() != problem;
        *last = problem.map(str::to_owned);
        is_news
    }

    /// Notes what is seen of a candidate, and returns what is known of it by now.
    #[must_use]
    pub(super) fn note_progress(&self, key: &Key, revision: &Revision, seen: Seen, now: Timestamp) -> Progress {
        let mut entries = self.entries();
        let candidate = &mut entries.entry(key.clone()).or_default().candidate;
        let known = match candidate {
            Some(known) if known.revision == *revision => known,
            _ => candidate.insert(Candidate {
                revision: revision.clone(),
                progress: Progress::begun(now),
                comparison: None,
            }),
        };
        known.progress.note(seen, now);
        known.progress
    }

    /// The comparison made for a candidate, unless other views are to be compared by now.
    #[must_use]
    pub fn comparison(&self, key: &Key, revision: &Revision, views: &[CompareView]) -> Option<Comparison> {
        let entries = self.entries();
        let candidate = entries
            .get(key)?
            .candidate
            .as_ref()
            .filter(|known| known.revision == *revision)?;
        let (asked, comparison) = candidate.comparison.as_ref()?;
        (asked == views).then(|| comparison.clone())
    }

    /// Notes the comparison made for a candidate.
    pub fn note_comparison(&self, key: &Key, revision: &Revision, views: &[CompareView], comparison: Comparison) {
        let mut entries = self.entries();
        let candidate = entries.get_mut(key).and_then(|entry| entry.candidate.as_mut());
        if let Some(known) = candidate.filter(|known| known.revision == *revision) {
            known.comparison = Some((views.to_vec(), comparison));
        }
    }

    /// Notes that clients were moved.
    pub fn note_moved(&self, key: &Key, before: Option<Served>, after: Served) {
        self.entries().entry(key.clone()).or_default().moved = Some((before, after));
    }

    /// The revisions named by the Service. The watch cache lags behind a write for a moment, in which a pass would
    /// assume that the switch was not made.
    #[must_use]
    pub fn served(&self, key: &Key, cached: Option<Served>) -> Option<Served> {
        let mut entries = self.entries();
        let Some(entry) = entries.get_mut(key) else {
            return cached;
        };
        match &entry.moved {
            Some((before, after)) if *before == cached => Some(after.clone()),
            _ => {
                entry.moved = None;
                cached
            }
        }
    }

    /// Notes that there is no candidate, or no longer one.
    pub fn forget_candidate(&self, key: &Key) {
        if let Some(entry) = self.entries().get_mut(key) {
            entry.candidate = None;
        }
    }

    /// Forgets an Indexer that is gone.
    pub fn forget(&self, key: &Key) {
        self.entries().remove(key);
    }

    fn entries(&self) -> MutexGuard<'_, HashMap<Key, Entry>> {
        // No code under the lock can leave the map half changed.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a pass acts on of a resource, as a hash: its spec, by the generation, its annotations, and whose it is.
fn declared(watched: &Watched) -> u64 {
    let (meta, mut hasher) = (watched.meta(), DefaultHasher::new());
    (&meta.uid, &meta.generation, &meta.annotations).hash(&mut hasher);
    let status = watched.0.as_ref().ok().and_then(|indexer| indexer.status.as_ref());
    let operator = status.and_then(|status| status.operator.as_ref());
    let operator = operator.map(|of| (&of.installation, &of.class, &of.settings));
    operator.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use kube::core::DeserializeGuard;

    use super::{super::pauses::Pauses, *};
    use crate::fixtures::{self, key};

    #[test]
    fn pauses_double_up_to_a_minute_and_start_over_after_success() {
        let (history, pauses) = (History::default(), Pauses::default().failed);
        let took: Vec<u64> = (0..8).map(|_| history.note_failure(&key(), pauses).as_secs()).collect();
        assert_eq!(took, [1, 2, 4, 8, 16, 32, 60, 60]);
        history.note_success(&key());
        assert_eq!(history.note_failure(&key(), pauses).as_secs(), 1);
    }

    #[test]
    fn a_bad_request_is_news_once() {
        let history = History::default();
        let news = [Some("long"), Some("long"), None, Some("long")].map(|c| history.note_request_problem(&key(), c));
        assert_eq!(news, [true, false, false, true]);
    }

    #[test]
    fn a_switch_counts_before_the_cache_has_it_and_an_edit_by_hand_after_it() {
        let history = History::default();
        let served = |text: &str| {
            Some(Served {
                revision: Revision::parse(text).unwrap(),
                previous: None,
            })
        };
        let (a, b, c) = (served("aaaaaaaaaa"), served("bbbbbbbbbb"), served("cccccccccc"));
        assert_eq!(history.served(&key(), a.clone()), a);
        history.note_moved(&key(), a.clone(), b.clone().unwrap());
        assert_eq!(history.served(&key(), a.clone()), b, "the cache lags behind");
        assert_eq!(history.served(&key(), b.clone()), b);
        assert_eq!(history.served(&key(), a.clone()), a, "somebody moved them back");
        assert_eq!(history.served(&key(), c.clone()), c);
    }

    #[test]
    fn another_candidate_and_one_that_comes_back_begin_anew() {
        let history = History::default();
        let at = |second| Timestamp::from_second(second).unwrap();
        let (one, two) = (fixtures::valid().revision, Revision::parse("0123456789").unwrap());
        let healthy = Seen {
            is_healthy: true,
            ..Seen::default()
        };
        let since = |revision: &Revision, second| {
            let progress = history.note_progress(&key(), revision, healthy, at(second));
            progress.healthy_since()
        };
        assert_eq!(since(&one, 1), Some(at(1)));
        assert_eq!(since(&one, 2), Some(at(1)));
        assert_eq!(since(&two, 3), Some(at(3)));
        assert_eq!(since(&one, 4), Some(at(4)));
        history.forget_candidate(&key());
        assert_eq!(since(&one, 5), Some(at(5)));
    }

    fn status_at(height: u32) -> IndexerStatus {
        IndexerStatus {
            observed_generation: i64::from(height),
            ..IndexerStatus::default()
        }
    }

    #[test]
    fn the_cache_is_believed_unless_it_lags_behind_a_write() {
        let history = History::default();
        let (ours, theirs) = (status_at(1), status_at(2));
        let status = |uid: &str, version: &str, cached: Option<&IndexerStatus>| {
            history.status(&key(), uid, Some(version), cached.cloned())
        };
        assert_eq!(
            status("uid-1", "9", Some(&theirs)),
            Some(theirs.clone()),
            "nothing written"
        );
        history.note_written(&key(), "uid-1", Some("10".into()), Arc::new(ours.clone()));
        assert_eq!(status("uid-1", "9", None), Some(ours.clone()), "the cache lags behind");
        assert_eq!(status("uid-1", "10", Some(&ours)), Some(ours.clone()));
        assert_eq!(status("uid-1", "11", None), None, "erased");
        assert_eq!(status("uid-1", "11", Some(&theirs)), Some(theirs.clone()), "restored");
        assert_eq!(status("uid-2", "9", None), None, "a namesake");
        history.note_reported(&key(), "uid-1".into(), Arc::new(ours.clone()));
        assert_eq!(history.reported(&key(), "uid-1"), Some(ours));
        assert_eq!(history.reported(&key(), "uid-2"), None);
    }

    #[test]
    fn another_declaration_and_a_foreign_status_are_news_and_writes_of_our_own_are_not() {
        let history = History::default();
        let watched = |version: &str, generation: i64, status: Option<IndexerStatus>| {
            let mut indexer = fixtures::indexer();
            indexer.metadata.resource_version = Some(version.into());
            indexer.metadata.generation = Some(generation);
            indexer.status = status;
            DeserializeGuard(Ok(indexer))
        };
        let is_news = |version: &str, generation, status| history.is_news(&watched(version, generation, status));
        assert!(is_news("8", 1, None), "new");
        assert!(!is_news("9", 1, Some(status_at(7))), "nothing written yet");
        history.note_writing(&key(), Arc::new(status_at(1)));
        assert!(!is_news("10", 1, Some(status_at(1))), "ours, before the call returns");
        history.note_written(&key(), "uid-1", Some("10".into()), Arc::new(status_at(1)));
        assert!(!is_news("9", 1, None), "the watch lags behind");
        assert!(!is_news("10", 1, Some(status_at(1))), "ours");
        assert!(!is_news("11", 1, Some(status_at(1))), "a label was added");
        history.note_writing(&key(), Arc::new(status_at(2)));
        assert!(
            !is_news("12", 1, Some(status_at(2))),
            "ours again, before the call returns"
        );
        assert!(is_news("13", 1, None), "erased");
        assert!(is_news("13", 1, Some(status_at(9))), "restored");
        assert!(is_news("14", 2, Some(status_at(1))), "declared anew");
        assert!(!is_news("15", 2, Some(status_at(1))));
    }
}
