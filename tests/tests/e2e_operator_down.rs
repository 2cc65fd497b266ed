//! Deletion does not need the operator. It is switched off here, so this runs alone: cargo runs test files one after
//! the other.

use std::time::Duration;

use anyhow::Result;
use e2e::{cluster::Cluster, manifest::Manifest, node::Node, trial::in_namespace};

/// Replicas of the operator as the chart installs it.
const INSTALLED: i32 = 1;
const NAMESPACE_GONE: Duration = Duration::from_secs(120);

#[tokio::test]
async fn a_namespace_can_be_deleted_while_the_operator_is_down() -> Result<()> {
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
