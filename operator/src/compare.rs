//! (I/O) Comparison of two revisions: the same views, at the same heights.

use std::{fmt::Write as _, time::Duration};

use crds::{CompareView, Comparison, Revision, ViewDifference};
use futures::{StreamExt, TryStreamExt, future::join, stream};

use crate::{
    facts::{Observed, ObservedPod, Target},
    pod_client::{Answer, PodClient},
    validate::ValidIndexer,
};

/// Differences a status lists, as its schema says.
const DIFFERENCES_MAX: usize = 16;
/// How much of an input is shown, in characters.
const INPUT_MAX: usize = 66;
/// Time for the round trip, in addition to `views.timeout`.
const ON_THE_WAY: Duration = Duration::from_secs(2);
/// Questions in flight: a small part of what a pod answers at the same time by default, so that clients are served beside
/// them.
const AT_ONCE: u32 = 4;
/// The longest time all answers may take. With the default `views.timeout`, 128 questions of which each runs into it take
/// 7 minutes.
const ALL_MAX: Duration = Duration::from_secs(600);

/// One question to both.
#[derive(Clone, Debug, PartialEq)]
struct Question {
    view: CompareView,
    height: u32,
}

/// The questions, and the pods they are put to.
#[derive(Clone, Debug, PartialEq)]
pub struct Questionnaire {
    active: (Revision, Target),
    candidate: (Revision, Target),
    questions: Vec<Question>,
    /// The longest time one answer may take.
    timeout: Duration,
    /// So many are asked at the same time.
    at_once: usize,
}

/// Prepares the questions of `rollout.compareViews` to both revisions.
///
/// # Errors
/// Why they cannot be asked now, for people.
pub fn questionnaire(
    valid: &ValidIndexer,
    observed: &Observed,
    active: &Revision,
    candidate: &Revision,
) -> Result<Questionnaire, String> {
    let (ours, our_height) = furthest(observed, active)?;
    let (theirs, their_height) = furthest(observed, candidate)?;
    Ok(Questionnaire {
        active: (active.clone(), ours.clone()),
        candidate: (candidate.clone(), theirs.clone()),
        questions: questions(&valid.rollout.compare_views, our_height.min(their_height))?,
        timeout: Duration::from_millis(valid.views.timeout_ms).saturating_add(ON_THE_WAY),
        at_once: usize::try_from(valid.views.max_concurrent.clamp(1, AT_ONCE)).unwrap_or(1),
    })
}

impl Questionnaire {
    /// Asks everything, a few questions at a time.
    ///
    /// # Errors
    /// If an answer is missing, or all of them take too long; for people.
    pub async fn ask(self, client: &PodClient) -> Result<Comparison, String> {
        let answers = tokio::time::timeout(ALL_MAX, self.answers(client)).await;
        let answers = answers.map_err(|_| {
            format!(
                "the answers to rollout.compareViews took longer than {} minutes; list fewer views and heights",
                ALL_MAX.as_secs() / 60
            )
        })??;
        let differences = self
            .questions
            .iter()
            .zip(answers)
            .filter(|(_, (a, b))| a.hash != b.hash);
        let differences: Vec<ViewDifference> = differences
            .map(|(question, (a, b))| difference(question, a, b))
            .collect();
        let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        Ok(Comparison {
            asked: count(self.questions.len()),
            different: count(differences.len()),
            differences: differences.into_iter().take(DIFFERENCES_MAX).collect(),
            active: self.active.0,
            candidate: self.candidate.0,
        })
    }

    /// The answers of both, in the order of the questions.
    async fn answers(&self, client: &PodClient) -> Result<Vec<(Answer, Answer)>, String> {
        let answers = (0..self.questions.len()).map(|i| self.answer(&self.questions[i], client));
        stream::iter(answers).buffered(self.at_once).try_collect().await
    }

    async fn answer(&self, question: &Question, client: &PodClient) -> Result<(Answer, Answer), String> {
        let CompareView { function, input, .. } = &question.view;
        let ask = |target| client.view(target, function, input, question.height, self.timeout);
        let (active, candidate) = join(ask(&self.active.1), ask(&self.candidate.1)).await;
        Ok((active?, candidate?))
    }
}

/// The pod of a revision that is furthest ahead, and its height.
fn furthest<'a>(observed: &'a Observed, revision: &Revision) -> Result<(&'a Target, u32), String> {
    let height = |pod: &ObservedPod| pod.sample.answer().and_then(|status| status.height);
    let pod = observed
        .pods_of(revision)
        .filter(|pod| pod.target.is_some())
        .max_by_key(|pod| height(pod));
    let found = pod.and_then(|pod| Some((pod.target.as_ref()?, height(pod)?)));
    found.ok_or_else(|| format!("no pod of revision {revision} is available to answer rollout.compareViews"))
}

/// Every view at each of its heights. `common` is the newest height both revisions have.
fn questions(views: &[CompareView], common: u32) -> Result<Vec<Question>, String> {
    let mut questions = Vec::new();
    for view in views {
        if let Some(height) = view.heights.iter().find(|height| **height > common) {
            return Err(format!(
                "rollout.compareViews names height {height} for {}, which one of the revisions has not reached",
                view.function
            ));
        }
        let heights = if view.heights.is_empty() {
            &[common][..]
        } else {
            &view.heights
        };
        questions.extend(heights.iter().map(|height| Question {
            view: view.clone(),
            height: *height,
        }));
    }
    Ok(questions)
}

fn difference(question: &Question, active: Answer, candidate: Answer) -> ViewDifference {
    let mut input: String = question.view.input.chars().take(INPUT_MAX).collect();
    if input.len() < question.view.input.len() {
        // Writing to a String does not fail.
        let _ = write!(input, "… ({} digits)", question.view.input.len());
    }
    ViewDifference {
        function: question.view.function.clone(),
        input,
        height: question.height,
        active: active.start,
        candidate: candidate.start,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::{answering_pod, valid};

    fn view(heights: &[u32]) -> CompareView {
        CompareView {
            function: "balance".into(),
            input: "0x".into(),
            heights: heights.to_vec(),
        }
    }

    #[test]
    fn a_view_is_asked_at_its_heights_or_at_the_newest_common_one() {
        let heights = |views: &[CompareView]| {
            questions(views, 100).map(|questions| questions.iter().map(|q| q.height).collect::<Vec<_>>())
        };
        assert_eq!(heights(&[view(&[])]), Ok(vec![100]));
        assert_eq!(heights(&[view(&[7, 100]), view(&[])]), Ok(vec![7, 100, 100]));
        assert!(heights(&[view(&[7, 101])]).unwrap_err().contains("101"));
    }

    #[test]
    fn a_few_questions_are_asked_at_once_and_no_more_than_a_pod_answers_at_once() {
        let (active, candidate) = (valid().revision, Revision::parse("0123456789").unwrap());
        let mut other = answering_pod("other-0");
        other.revision = candidate.clone();
        let observed = Observed {
            pods: vec![answering_pod("one-0"), other],
            ..Observed::default()
        };
        for (max_concurrent, at_once) in [(1, 1), (3, 3), (4, 4), (256, 4)] {
            let mut valid = valid();
            valid.views.max_concurrent = max_concurrent;
            let prepared = questionnaire(&valid, &observed, &active, &candidate).unwrap();
            assert_eq!(prepared.at_once, at_once, "{max_concurrent}");
            assert_eq!(prepared.timeout, Duration::from_secs(12));
        }
        let nobody = questionnaire(&valid(), &Observed::default(), &active, &candidate);
        assert!(nobody.unwrap_err().contains("is available to answer"));
    }
}
