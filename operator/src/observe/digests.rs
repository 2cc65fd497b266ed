//! (I/O) Digests of pods at one height. At the tip their reports have them; while they are apart, those ahead are asked
//! for theirs at the height of the one behind.

use std::collections::BTreeMap;

use crds::Revision;
use futures::future::{join, join_all};

use crate::{
    facts::{Built, Consistency, Difference, ObservedPod, comparable, compare},
    pod_client::PodClient,
};

/// A pod that has reported, and how far it is.
type Reported<'a> = (&'a ObservedPod, Built<'a>);

/// Compares the pods of each revision.
pub(super) async fn compare_pods(client: &PodClient, pods: &[ObservedPod]) -> BTreeMap<Revision, Consistency> {
    let mut by_revision: BTreeMap<&Revision, Vec<Reported<'_>>> = BTreeMap::new();
    for pod in pods.iter().filter(|pod| !pod.terminating) {
        if let Some(built) = built(pod) {
            by_revision.entry(&pod.revision).or_default().push((pod, built));
        }
    }
    let mut found = BTreeMap::new();
    for (revision, pods) in by_revision {
        if let Some(consistency) = compare_revision(client, &pods).await {
            found.insert(revision.clone(), consistency);
        }
    }
    found
}

fn built(pod: &ObservedPod) -> Option<Built<'_>> {
    let status = pod.sample.answer()?;
    Some(Built {
        height: status.height?,
        module: &status.module_sha256,
        lineage: &status.lineage,
    })
}

/// The first difference that is found; else equal, if anything could be compared.
async fn compare_revision(client: &PodClient, pods: &[Reported<'_>]) -> Option<Consistency> {
    let built: Vec<Built<'_>> = pods.iter().map(|(_, built)| *built).collect();
    let mut outcome = None;
    for comparison in comparable(&built) {
        let of_pods: Vec<Reported<'_>> = comparison.pods.iter().map(|i| pods[*i]).collect();
        // At most 16 pods, as the schema bounds replicas.
        let digests = of_pods.iter().map(|pod| digest_at(client, *pod, comparison.height));
        let digests: Vec<(String, String)> = join_all(digests).await.into_iter().flatten().collect();
        match compare(&digests) {
            None => {}
            Some(Consistency::Equal) => outcome = Some(Consistency::Equal),
            Some(Consistency::Differ(difference)) => {
                let first_height = locate(client, &of_pods, &difference, comparison.height).await;
                return Some(Consistency::Differ(Difference {
                    first_height,
                    ..difference
                }));
            }
        }
    }
    outcome
}

/// The lowest height at which pods differ that differ at `height`. It stays the same while the pods index on, which the
/// height of the comparison does not. None: one of them could not be asked.
async fn locate(client: &PodClient, pods: &[Reported<'_>], difference: &Difference, height: u32) -> Option<u32> {
    let target = |name: &String| pods.iter().find(|(pod, _)| pod.name == *name)?.0.target.as_ref();
    let wrong = target(difference.minority.first()?)?;
    let right = target(difference.majority.first().or(difference.minority.get(1))?)?;
    let agree_at = |at| async move {
        let (wrong, right) = join(client.state_root(wrong, at), client.state_root(right, at)).await;
        agree(&wrong, &right)
    };
    first_difference(height, agree_at).await
}

/// Halves the heights up to one at which two pods differ: digests are chained, so the pods agree below the first
/// difference and nowhere above it. None: `agree_at` does not know.
async fn first_difference<F>(height: u32, agree_at: impl Fn(u32) -> F) -> Option<u32>
where
    F: Future<Output = Option<bool>>,
{
    let (mut equal_below, mut differs) = (0, height);
    while equal_below < differs {
        let middle = equal_below + (differs - equal_below) / 2;
        if agree_at(middle).await? {
            equal_below = middle + 1;
        } else {
            differs = middle;
        }
    }
    Some(differs)
}

/// Whether two pods have the same digest at a height. They also agree where neither has a block, below the first one.
/// None: it is not known, because one gave no answer, or has no block where the other has one.
fn agree(a: &Result<Option<String>, String>, b: &Result<Option<String>, String>) -> Option<bool> {
    match (a, b) {
        (Ok(Some(a)), Ok(Some(b))) => Some(a == b),
        (Ok(None), Ok(None)) => Some(true),
        _ => None,
    }
}

/// None: the pod does not report it just now, which is no difference.
async fn digest_at(client: &PodClient, (pod, built): Reported<'_>, at: u32) -> Option<(String, String)> {
    let digest = if built.height == at {
        pod.sample.answer()?.digest.clone()?
    } else {
        client.state_root(pod.target.as_ref()?, at).await.ok()??
    };
    Some((pod.name.clone(), digest))
}

#[cfg(test)]
mod tests {
    use std::future::ready;

    use super::*;

    #[tokio::test]
    async fn the_first_difference_is_found_and_a_lost_answer_is_not_taken_for_equality() {
        for first in [0, 1, 7, 99, 100] {
            let found = first_difference(100, |at| ready(Some(at < first))).await;
            assert_eq!(found, Some(first));
            // Whichever question is lost, no height is claimed.
            for lost in [25, 50, 75] {
                let found = first_difference(100, |at| ready((at != lost).then_some(at < first))).await;
                assert!(
                    found.is_none_or(|found| found == first),
                    "{lost}: {found:?} for {first}"
                );
            }
            assert_eq!(first_difference(100, |_| ready(None)).await, None);
        }
    }

    #[test]
    fn two_answers_agree_differ_or_say_nothing() {
        let digest = |text: &str| Ok(Some(text.to_owned()));
        let silent = || Err("no answer in time".to_owned());
        let cases = [
            (digest("x"), digest("x"), Some(true)),
            (digest("x"), digest("y"), Some(false)),
            (Ok(None), Ok(None), Some(true)),
            (digest("x"), Ok(None), None),
            (digest("x"), silent(), None),
            (silent(), silent(), None),
        ];
        for (a, b, expected) in cases {
            assert_eq!(agree(&a, &b), expected, "{a:?}, {b:?}");
            assert_eq!(agree(&b, &a), expected, "{b:?}, {a:?}");
        }
    }
}
