//! (I/O) Comparison of two revisions: the same views, at the same heights.

use std::{fmt::Write as _, time::Duration};

use crds::{CompareView, Comparison, Revision, ViewDifference};

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

/// One call to be made to both.
struct Question<'a> {
    view: &'a CompareView,
    height: u32,
}

/// Calls every view of `rollout.compareViews` on both revisions.
///
/// # Errors
/// Why they cannot be compared now, for people.
pub async fn compare(
    valid: &ValidIndexer,
    observed: &Observed,
    active: &Revision,
    candidate: &Revision,
    client: &PodClient,
) -> Result<Comparison, String> {
    let (ours, our_height) = furthest(observed, active)?;
    let (theirs, their_height) = furthest(observed, candidate)?;
    let questions = questions(&valid.rollout.compare_views, our_height.min(their_height))?;
    let timeout = Duration::from_millis(valid.views.timeout_ms) + ON_THE_WAY;
    let mut differences = Vec::new();
    let mut different = 0;
    for question in &questions {
        let ask = |target| {
            let CompareView { function, input, .. } = question.view;
            client.view(target, function, input, question.height, timeout)
        };
        let (from_active, from_candidate) = futures::future::join(ask(ours), ask(theirs)).await;
        let (from_active, from_candidate) = (from_active?, from_candidate?);
        if from_active.hash != from_candidate.hash {
            different += 1;
            if differences.len() < DIFFERENCES_MAX {
                differences.push(difference(question, from_active, from_candidate));
            }
        }
    }
    Ok(Comparison {
        active: active.clone(),
        candidate: candidate.clone(),
        asked: u32::try_from(questions.len()).unwrap_or(u32::MAX),
        different,
        differences,
    })
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

/// Every view at each of its heights. `common` is the newest height that both revisions have.
fn questions(views: &[CompareView], common: u32) -> Result<Vec<Question<'_>>, String> {
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
        questions.extend(heights.iter().map(|height| Question { view, height: *height }));
    }
    Ok(questions)
}

fn difference(question: &Question<'_>, active: Answer, candidate: Answer) -> ViewDifference {
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
}
