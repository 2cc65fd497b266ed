//! A pod that is added, or that lost its volume, begins with a copy of the others'.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use crds::Indexer;
use e2e::{index::Index, manifest::Manifest, node::Node, trial::in_namespace, wait};
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod};
use kube::{
    ResourceExt as _,
    api::{DeleteParams, ListParams},
};
use serde_json::json;

/// At 25 ms a block, half a minute to index.
const HEIGHT: u32 = 1_200;

#[tokio::test]
async fn a_pod_without_data_copies_it_from_one_that_has_it() -> Result<()> {
    in_namespace("sibling", async |namespace| {
        let node = Node::start(namespace, HEIGHT).await?;
        let started = Instant::now();
        let index = Manifest::of("slow").apply(namespace).await?;
        index.follows_to(HEIGHT).await?;
        let indexing = started.elapsed();

        let started = Instant::now();
        index.change(json!({"replicas": 2})).await?;
        index.wait_until("the second pod is ready", are_ready).await?;
        let copying = started.elapsed();
        begun_with(&index, ["NoCopy", "Seeded"]).await?;
        ensure!(
            copying + Duration::from_secs(10) < indexing,
            "a copy took {copying:?}, indexing {indexing:?}"
        );

        // The first pod loses its volume: the second one has what it needs.
        let claims = namespace.api::<PersistentVolumeClaim>();
        let found = claims.list(&ListParams::default()).await?.items;
        let first = found.iter().find(|claim| claim.name_any().ends_with("-0"));
        let claim = first.context("the claim of the first pod")?.name_any();
        claims.delete(&claim, &DeleteParams::default()).await?;
        let pods = index.pods().await?;
        let first = pods.iter().find(|pod| pod.name_any().ends_with("-0"));
        let pod = first.context("the first pod")?.name_any();
        namespace.api::<Pod>().delete(&pod, &DeleteParams::default()).await?;
        wait::until("the first pod begins with a copy", wait::PATIENCE, async || {
            begun_with(&index, ["Seeded", "Seeded"]).await
        })
        .await?;
        index.wait_until("both pods are ready", are_ready).await?;
        node.mine_to(HEIGHT + 1).await?;
        index.follows_to(HEIGHT + 1).await?;
        Ok(())
    })
    .await
}

fn are_ready(indexer: &Indexer) -> bool {
    indexer.status.as_ref().is_some_and(|status| status.ready_replicas == 2)
}

/// What the pods say of how they began.
async fn begun_with(index: &Index, expected: [&str; 2]) -> Result<()> {
    let mut reasons: Vec<_> = index
        .reports()
        .await?
        .into_iter()
        .map(|report| report.seed.reason)
        .collect();
    reasons.sort_unstable();
    ensure!(reasons == expected, "{reasons:?}");
    Ok(())
}
