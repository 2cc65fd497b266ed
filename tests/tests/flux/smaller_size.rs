//! A commit with smaller volumes, delivered with `force`: Flux takes any spec that the API server refuses for a change of
//! an immutable field, and deletes the object to create it anew.

use anyhow::{Result, ensure};
use crds::conditions::{reasons, types};
use e2e::{index::Says, manifest::Manifest, node::Node, trial::in_namespace};
use kube::ResourceExt;
use serde_json::json;

use crate::team::{Team, documents};

#[tokio::test]
async fn a_commit_with_a_smaller_size_deletes_nothing_even_with_force() -> Result<()> {
    const HEIGHT: u32 = 30;
    in_namespace("flux-smaller", async |namespace| {
        let _node = Node::start(namespace, HEIGHT).await?;
        let plain = Manifest::of("plain").delete_volumes();
        let team = Team::with(namespace, &[("plain.yaml", documents(namespace, "plain", &plain)?)]).await?;
        team.flux.applied(&team.commit).await?;
        let index = team.index("plain");
        let (before, pod) = (index.get().await?.uid(), index.pod().await?.uid());

        team.flux.force().await?;
        let smaller = plain.with("storage", "size", json!("128Mi"));
        let commit = team
            .commits("plain.yaml", &documents(namespace, "plain", &smaller)?)
            .await?;
        team.flux.applied(&commit).await?;
        index
            .wait_until("the size is refused by the operator", |i| {
                i.is_false(types::STORAGE_READY, reasons::SIZE_REFUSED)
            })
            .await?;
        ensure!(index.get().await?.uid() == before, "it is another Indexer");
        ensure!(index.pod().await?.uid() == pod, "it is another pod");
        Ok(())
    })
    .await
}
