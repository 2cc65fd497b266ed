//! A foreign disruption budget over an Indexer's pods.

use anyhow::{Result, ensure};
use crds::conditions::types;
use e2e::{
    events,
    index::{Index, Says},
    manifest::Manifest,
    node::Node,
    recording::Recording,
    trial::in_namespace,
    wait,
};
use k8s_openapi::api::{core::v1::Pod, policy::v1::PodDisruptionBudget};
use kube::api::DeleteParams;
use serde_json::json;

const HEIGHT: u32 = 30;
const CHANGED: &str = "96Mi";
const CHANGED_BYTES: u64 = 96 << 20;
const BUDGET: &str = "of-the-platform-team";

/// Kubernetes evicts no pod that two budgets select, even if both allow it.
#[tokio::test]
async fn a_second_budget_over_the_pods_is_reported_and_no_pod_is_deleted_against_it() -> Result<()> {
    in_namespace("budgets", async |namespace| {
        let _node = Node::start(namespace, HEIGHT).await?;
        let index = Manifest::of("plain").named("one").apply(namespace).await?;
        index.follows_to(HEIGHT).await?;
        let selector = json!({"matchLabels": {"shrewd.dev/indexer": "one"}});
        let budget = json!({"metadata": {"name": BUDGET}, "spec": {"minAvailable": 1, "selector": selector}});
        namespace.apply::<PodDisruptionBudget>(&budget).await?;
        let old = index.pod().await?.metadata.uid;

        let pods = Recording::start(namespace.api::<Pod>(), index.selected()).await?;
        // A change that requires a new pod.
        index.change(json!({"memory": {"threshold": CHANGED}})).await?;
        wait::until("the operator says why the pod stays", wait::PATIENCE, async || {
            let words = words(&index).await?;
            ensure!(
                words.iter().any(|words| words.contains("PodDisruptionBudget")),
                "{words:?}"
            );
            Ok(())
        })
        .await?;
        for pod in pods.end().await? {
            ensure!(
                pod.metadata.deletion_timestamp.is_none() && pod.metadata.uid == old,
                "it was deleted: {:?}",
                pod.metadata
            );
        }

        let budgets = namespace.api::<PodDisruptionBudget>();
        budgets.delete(BUDGET, &DeleteParams::default()).await?;
        index
            .wait_until("the change is carried out", |i| {
                i.is_true(types::READY) && i.memory().threshold_bytes == CHANGED_BYTES
            })
            .await?;
        ensure!(index.pod().await?.metadata.uid != old, "it is the old pod");
        Ok(())
    })
    .await
}

/// The messages of the operator's conditions and events.
async fn words(index: &Index) -> Result<Vec<String>> {
    let status = index.get().await?.status.unwrap_or_default();
    let conditions = status.conditions.into_iter().map(|condition| condition.message);
    let events = events::of_the_operator(&index.namespace).await?;
    Ok(conditions
        .chain(events.into_iter().filter_map(|event| event.message))
        .collect())
}
