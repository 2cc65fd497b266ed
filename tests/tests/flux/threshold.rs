//! A commit that changes an Indexer in place.

use anyhow::{Result, ensure};
use crds::conditions::types;
use e2e::{index::Says, manifest::Manifest, node::Node, trial::in_namespace};

use crate::team::{Team, documents};

#[tokio::test]
async fn a_commit_with_another_threshold_is_delivered_when_a_new_pod_follows_the_chain_with_it() -> Result<()> {
    const HEIGHT: u32 = 60;
    const LOWERED: u64 = 64 << 20;
    in_namespace("flux-threshold", async |namespace| {
        let node = Node::start(namespace, HEIGHT).await?;
        let leaky = Manifest::of("leaky").on_threshold("128Mi");
        let team = Team::with(namespace, &[("leaky.yaml", documents(namespace, "leaky", &leaky)?)]).await?;
        team.flux.applied(&team.commit).await?;
        let index = team.index("leaky");
        let before = index.pod().await?.metadata.uid;

        let lowered = leaky.on_threshold("64Mi");
        let commit = team
            .commits("leaky.yaml", &documents(namespace, "leaky", &lowered)?)
            .await?;
        team.flux.applied(&commit).await?;
        let delivered = index.get().await?;
        ensure!(
            delivered.is_true(types::READY) && delivered.memory().threshold_bytes == LOWERED,
            "Flux is content with {:?}",
            delivered.status
        );
        ensure!(index.pod().await?.metadata.uid != before, "the pod is the old one");
        node.mine_to(HEIGHT + 2).await?;
        index.follows_to(HEIGHT + 2).await?;
        Ok(())
    })
    .await
}
