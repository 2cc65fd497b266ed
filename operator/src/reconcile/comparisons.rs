//! Comparisons of views, made beside the passes: with the longest timeout and the most questions one takes many minutes,
//! in which a pass would hold one of the few slots that all Indexers share.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    time::{Duration, Instant},
};

use crds::{CompareView, Comparison, Revision};
use tokio::task::JoinHandle;

use crate::{compare::Questionnaire, objects::Key, pod_client::PodClient, sampler::Sampler};

/// Between two comparisons that could not be made.
const AGAIN: Duration = Duration::from_secs(30);

/// What is compared: the revision that serves, the candidate, and the views.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Subject {
    pub(super) serving: Revision,
    pub(super) candidate: Revision,
    pub(super) views: Vec<CompareView>,
}

type Outcome = Result<Comparison, String>;

/// The comparison under way, by Indexer: one at a time.
#[derive(Debug, Default)]
pub(super) struct Comparisons(Mutex<HashMap<Key, UnderWay>>);

#[derive(Debug)]
struct UnderWay {
    subject: Subject,
    /// Ends, and with it the requests, when this is dropped.
    task: Option<(Task, Arc<OnceLock<Outcome>>)>,
    /// Why the last one could not be made, and when that turned out. It stays shown until the next one is made.
    failed: Option<(String, Instant)>,
}

/// A task that ends with its handle.
#[derive(Debug)]
struct Task(JoinHandle<()>);

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Comparisons {
    /// What a comparison came to, once it is made; begins one if none is under way. `prepare` says what to ask whom.
    /// When it is made, `sampler` wakes the Indexer.
    pub(super) fn outcome(
        &self,
        key: &Key,
        subject: &Subject,
        prepare: impl FnOnce() -> Result<Questionnaire, String>,
        pods: &PodClient,
        sampler: &Arc<Sampler>,
        now: Instant,
    ) -> Option<Outcome> {
        let mut all = self.all();
        let begun = |subject: &Subject| UnderWay {
            subject: subject.clone(),
            task: None,
            failed: None,
        };
        let under_way = all.entry(key.clone()).or_insert_with(|| begun(subject));
        if under_way.subject != *subject {
            *under_way = begun(subject);
        }
        match under_way.take_outcome() {
            Some(Ok(made)) => {
                all.remove(key);
                return Some(Ok(made));
            }
            Some(Err(why)) => under_way.failed = Some((why, now)),
            None => {}
        }
        let pauses = |(_, at): &(String, Instant)| now.saturating_duration_since(*at) < AGAIN;
        if under_way.task.is_none() && !under_way.failed.as_ref().is_some_and(pauses) {
            match prepare() {
                Ok(questions) => under_way.task = Some(begin(key, questions, pods.clone(), Arc::clone(sampler))),
                Err(why) => under_way.failed = Some((why, now)),
            }
        }
        under_way.failed.as_ref().map(|(why, _)| Err(why.clone()))
    }

    /// Ends a comparison: its Indexer is gone, or has no candidate.
    pub(super) fn forget(&self, key: &Key) {
        self.all().remove(key);
    }

    fn all(&self) -> MutexGuard<'_, HashMap<Key, UnderWay>> {
        // Nothing below the lock can leave the map half changed.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl UnderWay {
    fn take_outcome(&mut self) -> Option<Outcome> {
        let (task, slot) = self.task.as_ref()?;
        let outcome = match slot.get() {
            Some(outcome) => outcome.clone(),
            None if task.0.is_finished() => Err("a defect of the operator ended the comparison".to_owned()),
            None => return None,
        };
        self.task = None;
        Some(outcome)
    }
}

fn begin(
    key: &Key,
    questions: Questionnaire,
    pods: PodClient,
    sampler: Arc<Sampler>,
) -> (Task, Arc<OnceLock<Outcome>>) {
    let slot = Arc::new(OnceLock::new());
    let (filled, key) = (Arc::clone(&slot), key.clone());
    let task = tokio::spawn(async move {
        let outcome = questions.ask(&pods).await;
        // It is filled once, here.
        let _ = filled.set(outcome);
        sampler.wake(&key);
    });
    (Task(task), slot)
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use tokio::sync::mpsc;

    use super::*;
    use crate::{
        compare::questionnaire,
        facts::Observed,
        fixtures::{answering_pod, key, valid},
        metrics::Metrics,
        validate::ValidIndexer,
    };

    /// A candidate, and pods of both revisions at an address that no connection can be made to.
    fn situation() -> (ValidIndexer, Observed, Subject) {
        let mut valid = valid();
        valid.rollout.compare_views = vec![CompareView {
            function: "tip".into(),
            input: "0x".into(),
            heights: vec![7, 8, 9],
        }];
        let subject = Subject {
            serving: valid.revision.clone(),
            candidate: Revision::parse("0123456789").unwrap(),
            views: valid.rollout.compare_views.clone(),
        };
        let pods = [&subject.serving, &subject.candidate].map(|revision| {
            let mut pod = answering_pod(&format!("{revision}-0"));
            pod.revision = revision.clone();
            pod.target.as_mut().unwrap().address = Ipv4Addr::BROADCAST.into();
            pod
        });
        let observed = Observed {
            pods: pods.into(),
            ..Observed::default()
        };
        (valid, observed, subject)
    }

    #[tokio::test]
    async fn a_pass_waits_for_no_answer_and_is_woken_by_the_last() {
        let (wake, mut woken) = mpsc::channel(1);
        let pods = PodClient::new().unwrap();
        let sampler = Arc::new(Sampler::new(pods.clone(), wake, Metrics::new().unwrap()));
        let (comparisons, start) = (Comparisons::default(), Instant::now());
        let (valid, observed, subject) = situation();
        let prepare = || questionnaire(&valid, &observed, &subject.serving, &subject.candidate);
        let outcome = |prepare: &dyn Fn() -> Result<Questionnaire, String>, subject: &Subject, second| {
            let now = start + Duration::from_secs(second);
            comparisons.outcome(&key(), subject, prepare, &pods, &sampler, now)
        };
        let not_yet = || panic!("it is too early to ask again");
        assert_eq!(outcome(&prepare, &subject, 0), None, "they are being asked");
        assert_eq!(woken.recv().await, Some(key()));
        let failed = outcome(&not_yet, &subject, 1).unwrap().unwrap_err();
        assert_eq!(
            failed,
            format!("{}-0 does not answer tip: no connection", subject.serving)
        );
        assert_eq!(
            outcome(&not_yet, &subject, 30),
            Some(Err(failed.clone())),
            "it stays shown"
        );
        assert_eq!(
            outcome(&prepare, &subject, 31),
            Some(Err(failed)),
            "while they are asked again"
        );
        let other = Subject {
            views: vec![],
            ..subject.clone()
        };
        assert_eq!(outcome(&prepare, &other, 32), None, "another comparison begins at once");
        let impossible = || Err("no pod can be asked".into());
        comparisons.forget(&key());
        assert_eq!(
            outcome(&impossible, &subject, 33),
            Some(Err("no pod can be asked".into()))
        );
    }
}
