//! (I/O) Digests of pods at one height. At the tip their reports have them; while they are apart, those ahead are asked
//! for theirs at the height of the one behind.

use std::collections::BTreeMap;

use crds::Revision;
use futures::future::{join, join_all};

use crate::{
    facts::{Consistency, Difference, ObservedPod, compare},
    pod_client::PodClient,
};

/// Compares the pods of each revision.
pub(super) async fn compare_pods(client: &PodClient, pods: &[ObservedPod]) -> BTreeMap<Revision, Consistency> {
    let mut by_revision: BTreeMap<&Revision, Vec<(&ObservedPod, u32)>> = BTreeMap::new();
    for pod in pods.iter().filter(|pod| !pod.terminating) {
        if let Some(height) = pod.sample.answer().and_then(|status| status.height) {
            by_revision.entry(&pod.revision).or_default().push((pod, height));
        }
    }
    let mut found = BTreeMap::new();
    for (revision, pods) in by_revision.into_iter().filter(|(_, pods)| pods.len() > 1) {
        let Some(lowest) = pods.iter().map(|(_, height)| *height).min() else {
            continue;
        };
        // At most 16 pods, as the schema bounds replicas.
        let told = join_all(pods.iter().map(|(pod, height)| digest_at(client, pod, *height, lowest))).await;
        let digests: Vec<(String, String)> = told.into_iter().flatten().collect();
        match compare(lowest, &digests) {
            None => {}
            Some(Consistency::Equal) => {
                found.insert(revision.clone(), Consistency::Equal);
            }
            Some(Consistency::Differ(difference)) => {
                let height = first_difference(client, &pods, &difference).await;
                found.insert(
                    revision.clone(),
                    Consistency::Differ(Difference { height, ..difference }),
                );
            }
        }
    }
    found
}

/// The lowest height at which two of the pods differ: digests are chained, so that they agree below it and nowhere above.
/// It stays the same while the pods go on, which the height of the comparison does not.
async fn first_difference(client: &PodClient, pods: &[(&ObservedPod, u32)], difference: &Difference) -> u32 {
    let target = |name: &String| pods.iter().find(|(pod, _)| pod.name == *name)?.0.target.as_ref();
    let wrong = difference.minority.first().and_then(target);
    let right = difference
        .majority
        .first()
        .or(difference.minority.get(1))
        .and_then(target);
    let (Some(wrong), Some(right)) = (wrong, right) else {
        return difference.height;
    };
    let (mut equal_below, mut differs) = (0, difference.height);
    while equal_below < differs {
        let middle = equal_below + (differs - equal_below) / 2;
        let roots = join(client.state_root(wrong, middle), client.state_root(right, middle)).await;
        // A height that neither has, below the first block, is none at which they differ.
        match roots {
            (Ok(wrong), Ok(right)) if wrong != right => differs = middle,
            _ => equal_below = middle + 1,
        }
    }
    differs
}

/// None: it does not tell just now, which is no difference.
async fn digest_at(client: &PodClient, pod: &ObservedPod, height: u32, at: u32) -> Option<(String, String)> {
    let digest = if height == at {
        pod.sample.answer()?.digest.clone()?
    } else {
        client.state_root(pod.target.as_ref()?, at).await.ok()?
    };
    Some((pod.name.clone(), digest))
}
