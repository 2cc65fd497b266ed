//! What does not need the operator, and what it does when it starts. It is switched off here, so this runs alone: cargo
//! runs test files one after the other.

use std::time::Duration;

use anyhow::Result;
use crds::Indexer;
use e2e::{cluster::Cluster, manifest::Manifest, node::Node, trial::in_namespace};
use serde_json::json;
use tokio::sync::Mutex;

/// Replicas of the operator as the chart installs it.
const INSTALLED: i32 = 1;
const NAMESPACE_GONE: Duration = Duration::from_secs(120);
/// More than it looks at at once.
const MANY: usize = 12;

/// One test at a time has it.
static OPERATOR: Mutex<()> = Mutex::const_new(());

#[tokio::test]
async fn a_namespace_can_be_deleted_while_the_operator_is_down() -> Result<()> {
    let _operator = OPERATOR.lock().await;
    in_namespace("alone", async |namespace| {
        let _node = Node::start(namespace, 10).await?;
        Manifest::of("plain").apply(namespace).await?.follows_to(10).await?;

        let cluster: &Cluster = &namespace.cluster;
        // Whatever happens in between, the operator comes back: other tests need it.
        let deleted = async {
            cluster.scale_operator(0).await?;
            namespace.delete_within(NAMESPACE_GONE).await
        }
        .await;
        cluster.scale_operator(INSTALLED).await?;
        deleted
    })
    .await
}

#[tokio::test]
async fn an_operator_that_starts_looks_at_every_indexer_there_is() -> Result<()> {
    let _operator = OPERATOR.lock().await;
    in_namespace("many", async |namespace| {
        let cluster: &Cluster = &namespace.cluster;
        let mut indexes = Vec::new();
        for n in 0..MANY {
            let manifest = Manifest::of("plain").named(&format!("many-{n}"));
            indexes.push(manifest.set("suspend", json!(true)).apply(namespace).await?);
        }
        let changed: Result<()> = async {
            cluster.scale_operator(0).await?;
            for index in &indexes {
                index.change(json!({"memory": {"threshold": "96Mi"}})).await?;
            }
            Ok(())
        }
        .await;
        cluster.scale_operator(INSTALLED).await?;
        changed?;
        for index in &indexes {
            let is_seen = |i: &Indexer| {
                let seen = i.status.as_ref().map(|status| status.observed_generation);
                seen == i.metadata.generation
            };
            index.wait_until("it is looked at", is_seen).await?;
        }
        Ok(())
    })
    .await
}
