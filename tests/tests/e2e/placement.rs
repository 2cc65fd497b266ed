//! Where pods run, and what they are given beside their container.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, Result, ensure};
use crds::{
    Indexer,
    conditions::{reasons, types},
};
use e2e::{
    index::{Index, Says},
    manifest::Manifest,
    node::Node,
    nodes::CONTROL_PLANE,
    trial::in_namespace,
};
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod};
use kube::{ResourceExt as _, api::ListParams};
use serde_json::json;

#[tokio::test]
async fn replicas_are_on_different_nodes_and_move_with_their_data() -> Result<()> {
    in_namespace("placement", async |namespace| {
        let node = Node::start(namespace, 5).await?;
        let index = Manifest::of("plain")
            .set("replicas", json!(2))
            .with(
                "placement",
                "tolerations",
                json!([{"key": CONTROL_PLANE, "operator": "Exists"}]),
            )
            .apply(namespace)
            .await?;
        index.wait_until("both pods are ready", are_ready).await?;
        index.follows_to(5).await?;
        let before = index.pods().await?;
        let nodes: BTreeSet<&str> = before.iter().filter_map(node_of).collect();
        ensure!(nodes.len() == 2, "both pods are on {nodes:?}");
        let claims = claims(&index).await?;

        // In place: new pods, one after the other, with the volumes of the old ones.
        let metadata = json!({"labels": {"team": "data"}, "annotations": {"a": "b"}});
        index
            .change(json!({"podMetadata": metadata, "imagePullSecrets": [{"name": "registry"}]}))
            .await?;
        index
            .wait_until("both pods are ready again", |indexer| {
                are_ready(indexer) && indexer.is_true(types::READY)
            })
            .await?;
        let after = index.pods().await?;
        for pod in &after {
            ensure!(pod.labels().get("team").is_some_and(|team| team == "data"), "{pod:?}");
            ensure!(pod.annotations().get("a").is_some_and(|a| a == "b"), "{pod:?}");
            let secrets = pod.spec.as_ref().and_then(|spec| spec.image_pull_secrets.as_ref());
            let secrets: Vec<&str> = secrets.into_iter().flatten().map(|it| it.name.as_str()).collect();
            // A cluster may add some of its own.
            ensure!(secrets.contains(&"registry"), "{secrets:?}");
            ensure!(before.iter().all(|old| old.uid() != pod.uid()), "it was not replaced");
        }
        ensure!(self::claims(&index).await? == claims, "volumes changed");
        node.mine_to(6).await?;
        index.follows_to(6).await?;

        // What Kubernetes refuses is named, and nothing else happens.
        let wrong = json!([{"key": CONTROL_PLANE, "operator": "Like"}]);
        index.change(json!({"placement": {"tolerations": wrong}})).await?;
        let named = index
            .wait_until("Stalled=True", |indexer| indexer.is_true(types::STALLED))
            .await?;
        let condition = named.condition(types::STALLED).context("Stalled")?;
        let path = "spec.template.spec.tolerations[0].operator";
        ensure!(
            condition.reason == reasons::APPLY_FAILED && condition.message.contains(path),
            "{condition:?}"
        );
        let uids = |pods: &[Pod]| pods.iter().map(|pod| pod.uid()).collect::<BTreeSet<_>>();
        ensure!(uids(&index.pods().await?) == uids(&after), "a pod was replaced");
        Ok(())
    })
    .await
}

fn are_ready(indexer: &Indexer) -> bool {
    indexer.status.as_ref().is_some_and(|status| status.ready_replicas == 2)
}

fn node_of(pod: &Pod) -> Option<&str> {
    pod.spec.as_ref()?.node_name.as_deref()
}

async fn claims(index: &Index) -> Result<BTreeMap<String, Option<String>>> {
    let claims = index.namespace.api::<PersistentVolumeClaim>();
    let selector = ListParams::default().labels(&index.selector().await?);
    let found = claims.list(&selector).await?;
    Ok(found.iter().map(|claim| (claim.name_any(), claim.uid())).collect())
}
