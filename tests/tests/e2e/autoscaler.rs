//! The cluster's own `HorizontalPodAutoscaler` scales an Indexer, and keeps its field.

use anyhow::{Context, Result, ensure};
use crds::Indexer;
use e2e::{index::Index, manifest::Manifest, node::Node, trial::in_namespace};
use k8s_openapi::{api::autoscaling::v2::HorizontalPodAutoscaler, apimachinery::pkg::apis::meta::v1::FieldsV1};
use kube::api::PostParams;
use serde_json::json;

const HEIGHT: u32 = 20;
/// As the operator's writes are marked.
const OPERATOR: &str = "shrewd-operator";

#[tokio::test]
async fn what_the_clusters_autoscaler_sets_is_followed_and_stays() -> Result<()> {
    in_namespace("autoscaler", async |namespace| {
        let _node = Node::start(namespace, HEIGHT).await?;
        let index = Manifest::of("plain").apply(namespace).await?;
        index.follows_to(HEIGHT).await?;
        // It needs no metric for the least number of pods, and there are none of them here.
        let autoscaler: HorizontalPodAutoscaler = serde_json::from_value(json!({
            "apiVersion": "autoscaling/v2",
            "kind": "HorizontalPodAutoscaler",
            "metadata": {"name": index.name},
            "spec": {
                "scaleTargetRef": {"apiVersion": "shrewd.dev/v1alpha1", "kind": "Indexer", "name": index.name},
                "minReplicas": 2,
                "maxReplicas": 3,
                "metrics": [{"type": "Resource", "resource": {
                    "name": "cpu", "target": {"type": "AverageValue", "averageValue": "1"}}}],
            },
        }))?;
        let autoscalers = namespace.api::<HorizontalPodAutoscaler>();
        autoscalers.create(&PostParams::default(), &autoscaler).await?;
        both_are_at_the_tip(&index).await?;

        // A pass over a spec that somebody else changes.
        index.change(json!({"rollout": {"soak": "7s"}})).await?;
        let handled = |i: &Indexer| i.status.as_ref().map(|status| status.observed_generation) == i.metadata.generation;
        index.wait_until("the change is seen", handled).await?;
        let now = both_are_at_the_tip(&index).await?;
        let managed = now.metadata.managed_fields.context("the server says who wrote what")?;
        let of_the_operator = || {
            managed
                .iter()
                .filter(|entry| entry.manager.as_deref() == Some(OPERATOR))
        };
        ensure!(of_the_operator().count() > 0, "it has written nothing: {managed:?}");
        let writes_replicas = |fields: &FieldsV1| !fields.0["f:spec"]["f:replicas"].is_null();
        let has_written = of_the_operator().any(|entry| entry.fields_v1.as_ref().is_some_and(writes_replicas));
        ensure!(!has_written, "the operator has written the replicas: {managed:?}");
        Ok(())
    })
    .await
}

async fn both_are_at_the_tip(index: &Index) -> Result<Indexer> {
    index
        .wait_until("two pods at the tip", |i| {
            let status = i.status.as_ref();
            let at_the_tip = status.map(|s| s.pods.iter().filter(|pod| pod.height == Some(HEIGHT)).count());
            i.spec.replicas == 2 && status.is_some_and(|s| s.ready_replicas == 2) && at_the_tip == Some(2)
        })
        .await
}
