//! What earlier passes leave to later ones.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use crds::{CompareView, Comparison, IndexerStatus, Revision};
use k8s_openapi::jiff::Timestamp;

use super::progress::{Progress, Seen};
use crate::objects::{Key, Served};

/// First and last pause after a failed pass; it doubles in between.
const BACKOFF: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));

/// Failures in a row and the last status written, by Indexer.
#[derive(Debug, Default)]
pub struct History(Mutex<HashMap<Key, Entry>>);

#[derive(Debug, Default)]
struct Entry {
    failures: u32,
    /// What was logged last about the annotations.
    request_problem: Option<String>,
    /// With the unique id of the resource it was written to.
    written: Option<(String, IndexerStatus)>,
    /// The revision that is to serve next.
    candidate: Option<Candidate>,
    /// What the Service said before clients were moved, and since.
    moved: Option<(Option<Served>, Served)>,
}

#[derive(Debug)]
struct Candidate {
    revision: Revision,
    progress: Progress,
    /// With the questions it answers.
    comparison: Option<(Vec<CompareView>, Comparison)>,
}

impl History {
    /// The last status written to this resource. The watch cache lags behind it for a moment, in which a pass would
    /// write the same change, and tell of it, a second time.
    #[must_use]
    pub fn written(&self, key: &Key, uid: &str) -> Option<IndexerStatus> {
        let entries = self.entries();
        let (of, status) = entries.get(key)?.written.as_ref()?;
        (of == uid).then(|| status.clone())
    }

    /// Notes a written status.
    pub fn note_written(&self, key: &Key, uid: &str, status: IndexerStatus) {
        self.entries().entry(key.clone()).or_default().written = Some((uid.to_owned(), status));
    }

    /// Notes a pass that did well.
    pub fn note_success(&self, key: &Key) {
        if let Some(entry) = self.entries().get_mut(key) {
            entry.failures = 0;
        }
    }

    /// Notes a failed pass. Returns the pause until the next try.
    #[must_use]
    pub fn note_failure(&self, key: &Key) -> Duration {
        let mut entries = self.entries();
        let failures = &mut entries.entry(key.clone()).or_default().failures;
        let (first, last) = BACKOFF;
        let pause = first.saturating_mul(1 << (*failures).min(16)).min(last);
        *failures = failures.saturating_add(1);
        pause
    }

    /// Notes what is wrong with the annotations, if anything. Returns whether that is news.
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

    /// What the Service says: the watch cache lags behind a write for a moment, in which a pass would take the switch for
    /// not made.
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

    /// There is no candidate, or none any more.
    pub fn forget_candidate(&self, key: &Key) {
        if let Some(entry) = self.entries().get_mut(key) {
            entry.candidate = None;
        }
    }

    /// Drops what is known of an Indexer that is gone.
    pub fn forget(&self, key: &Key) {
        self.entries().remove(key);
    }

    fn entries(&self) -> MutexGuard<'_, HashMap<Key, Entry>> {
        // Nothing below the lock can leave the map half changed.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::{self, key};

    #[test]
    fn pauses_double_up_to_a_minute_and_start_over_after_success() {
        let history = History::default();
        let pauses: Vec<u64> = (0..8).map(|_| history.note_failure(&key()).as_secs()).collect();
        assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 60, 60]);
        history.note_success(&key());
        assert_eq!(history.note_failure(&key()).as_secs(), 1);
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

    #[test]
    fn a_status_of_a_namesake_does_not_count() {
        let history = History::default();
        history.note_written(&key(), "uid-1", IndexerStatus::default());
        assert!(history.written(&key(), "uid-1").is_some());
        assert!(history.written(&key(), "uid-2").is_none());
    }
}
