//! A commit with another module.

use anyhow::{Result, ensure};
use crds::conditions::types;
use e2e::{
    edition::edition,
    index::Says,
    manifest::Manifest,
    node::Node,
    rollout::{active, candidate},
    trial::in_namespace,
};

use crate::team::Team;

#[tokio::test]
async fn a_commit_with_another_module_is_delivered_when_clients_have_been_moved_to_it() -> Result<()> {
    const HEIGHT: u32 = 40;
    in_namespace("flux-next", async |namespace| {
        let _node = Node::start(namespace, HEIGHT).await?;
        let feed = Manifest::of("plain").named("feed").soaking("2s").delete_volumes();
        let team = Team::with(namespace, &[("feed.yaml", feed.documents(&edition(1)?))]).await?;
        team.flux.applied(&team.commit).await?;
        let index = team.index("feed");
        let before = index.served().await?;

        let next = team.commits("feed.yaml", &feed.documents(&edition(2)?)).await?;
        team.flux.applied(&next).await?;
        let delivered = index.get().await?;
        let after = index.served().await?;
        let declared = active(&delivered).map(|revision| revision.as_str());
        ensure!(
            after != before && declared == Some(&after) && candidate(&delivered).is_none(),
            "Flux is content with {:?}, {before} served before",
            delivered.status
        );
        ensure!(
            delivered.is_true(types::READY) && delivered.height() == Some(HEIGHT),
            "{:?}",
            delivered.status
        );
        Ok(())
    })
    .await
}
