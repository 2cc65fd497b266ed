//! Another revision begins to serve, and from then on publishes: into the same place, and without a pod that starts anew.

use anyhow::{Context as _, Result, ensure};
use crds::pod::{seed_reasons, snapshot_reasons};
use e2e::{
    edition::edition,
    index::{Index, Says as _},
    node::Node,
    pod::restarts,
    recording::Recording,
    rollout::candidate,
    s3::{BUCKET, Listed, S3},
    trial::in_namespace,
    wait,
};
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt as _;
use sha2::{Digest as _, Sha256};

use super::snapshots::{beginning, published, publisher};

#[tokio::test]
async fn the_revision_that_serves_publishes_and_what_the_one_before_published_stays() -> Result<()> {
    in_namespace("publisher", async |namespace| {
        let node = Node::start(namespace, 10).await?;
        let server = S3::start(namespace).await?;
        let (one, two) = (edition(1)?, edition(2)?);
        // Long enough for a snapshot to be published while both are at the tip.
        let manifest = publisher().soaking("40s");
        let index = manifest.apply_with(namespace, &one).await?;
        index.follows_to(10).await?;
        published(&index, 10).await?;
        let first = index.served().await?;
        let pods = Recording::start(namespace.api::<Pod>(), index.selected()).await?;

        manifest.apply_with(namespace, &two).await?;
        let second = candidate_at(&index, 10).await?;
        node.mine_to(20).await?;
        let oldest = published(&index, 20).await?;
        candidate_at(&index, 20).await?;
        says(&index, &second, snapshot_reasons::NOT_SERVING).await?;
        let list = async || server.list(namespace, &format!("s3://{BUCKET}/prefix")).await;
        let of = |module: &[u8], heights: &[u32]| -> Vec<Listed> {
            let module = hex::encode(Sha256::digest(module));
            let listed = |height: &u32| Listed {
                height: *height,
                module: module[..12].to_owned(),
            };
            heights.iter().map(listed).collect()
        };
        ensure!(list().await? == of(&one, &[10, 20]), "{:?}", list().await?);
        ensure!(index.served().await? == first, "the other revision serves already");

        index.serves(&second, wait::PATIENCE).await?;
        // The kubelets renew a file of each pod, in no order.
        says(&index, &first, snapshot_reasons::NOT_SERVING).await?;
        says(&index, &second, snapshot_reasons::PUBLISHED).await?;
        node.mine_to(30).await?;
        let newest = published(&index, 30).await?;
        let mut both = [of(&one, &[10, 20]), of(&two, &[20, 30])].concat();
        both.sort_unstable();
        ensure!(list().await? == both, "{:?}", list().await?);

        let again = beginning("again", &oldest).apply_with(namespace, &one).await?;
        let again_at = again.follows_to(30).await?;
        let report = again.report().await?;
        ensure!(report.seed.reason == seed_reasons::SEEDED, "{:?}", report.seed);
        let kept = index.report_of(&publisher_of(&index, &first).await?).await?;
        ensure!(
            kept.height == Some(30) && kept.digest.as_deref() == again_at.digest() && kept.digest.is_some(),
            "{kept:?}, {:?}",
            again_at.status
        );
        ensure!(newest.digest != oldest.digest, "they are of one index");
        only_began(&pods.end().await?)
    })
    .await
}

/// Waits until the candidate has indexed up to a height. Gives its revision.
async fn candidate_at(index: &Index, height: u32) -> Result<String> {
    wait::until(&format!("a candidate at {height}"), wait::PATIENCE, async || {
        let indexer = index.get().await?;
        let revision = candidate(&indexer).context("no candidate")?.revision.to_string();
        let report = index.report_of(&publisher_of(index, &revision).await?).await?;
        ensure!(report.height == Some(height), "it is at {:?}", report.height);
        Ok(revision)
    })
    .await
}

/// Waits until the pod of a revision says this of the snapshots that it is to publish.
async fn says(index: &Index, revision: &str, reason: &str) -> Result<()> {
    wait::until(&format!("{revision}: {reason}"), wait::PATIENCE, async || {
        let report = index.report_of(&publisher_of(index, revision).await?).await?;
        let snapshots = report.snapshots.context("it says nothing of snapshots")?;
        ensure!(snapshots.check.reason == reason, "{:?}", snapshots.check);
        Ok(())
    })
    .await
}

/// The only pod of a revision.
async fn publisher_of(index: &Index, revision: &str) -> Result<Pod> {
    let pods = index.pods_of(revision).await?;
    ensure!(pods.len() == 1, "{} pods", pods.len());
    pods.into_iter().next().context("there is none")
}

/// Looks that two pods began, one for each revision, and that none was replaced or started anew.
fn only_began(states: &[Pod]) -> Result<()> {
    let mut began: Vec<String> = states.iter().filter_map(|pod| pod.uid()).collect();
    began.sort_unstable();
    began.dedup();
    ensure!(began.len() == 2, "{} pods began", began.len());
    for pod in states {
        ensure!(
            restarts(pod) == 0 && pod.metadata.deletion_timestamp.is_none(),
            "{} went: {:?}",
            pod.name_any(),
            pod.status
        );
    }
    Ok(())
}
