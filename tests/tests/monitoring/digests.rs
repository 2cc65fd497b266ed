//! A replica with another index than its siblings.

use anyhow::{Result, ensure};
use crds::conditions::{reasons, types};
use e2e::{index::Says as _, manifest::Manifest, node::Node, tamper::tamper, trial::in_namespace, wait};
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod};
use kube::api::DeleteParams;
use serde_json::json;

use crate::{FIVE_MINUTES, SOON, alert};

const HEIGHT: u32 = 40;

#[tokio::test]
async fn replicas_with_different_indexes_differ_until_the_wrong_one_is_made_anew() -> Result<()> {
    in_namespace("differ", async |namespace| {
        let differ = alert(namespace, "ShrewdIndexerDigestsDiffer", "critical");
        let node = Node::start(namespace, HEIGHT).await?;
        let manifest = Manifest::of("plain").named("one").set("replicas", json!(3));
        let index = manifest.apply(namespace).await?;
        index.follows_to(HEIGHT).await?;
        let equal = |i: &crds::Indexer| {
            let consistent = i.condition(types::CONSISTENT);
            consistent.is_some_and(|c| c.status == "True" && c.reason == reasons::AS_EXPECTED)
        };
        index.wait_until("equal digests", equal).await?;
        let wrong = format!("one-{}-1", index.served().await?);

        index.change(json!({"suspend": true})).await?;
        wait::until("all pods are gone", wait::PATIENCE, async || {
            ensure!(index.pods().await?.is_empty(), "not yet");
            Ok(())
        })
        .await?;
        tamper(namespace, &format!("data-{wrong}")).await?;
        index.change(json!({"suspend": false})).await?;
        node.mine_to(HEIGHT + 1).await?;
        differ.fires(SOON * 2).await?;

        // What its runbook says.
        let claims = namespace.api::<PersistentVolumeClaim>();
        claims
            .delete(&format!("data-{wrong}"), &DeleteParams::default())
            .await?;
        namespace.api::<Pod>().delete(&wrong, &DeleteParams::default()).await?;
        differ.ends(FIVE_MINUTES).await?;
        index.wait_until("equal digests again", equal).await?;
        ensure!(!differ.is_firing().await?, "it has only ended for a while");
        Ok(())
    })
    .await
}
