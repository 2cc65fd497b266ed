//! The first commit.

use std::time::Duration;

use anyhow::{Result, ensure};
use crds::{conditions::types, pod::source_reasons};
use e2e::{index::Says, manifest::Manifest, node::Node, trial::in_namespace, wait};

use crate::team::{Team, documents};

/// Flux checks the health of what it has applied every five seconds.
const SEVERAL_LOOKS: Duration = Duration::from_secs(20);

#[tokio::test]
async fn a_first_commit_is_delivered_only_when_the_index_follows_the_chain() -> Result<()> {
    const HEIGHT: u32 = 60;
    in_namespace("flux-first", async |namespace| {
        let node = Node::start(namespace, HEIGHT).await?;
        node.stop().await?;
        let plain = documents(namespace, "plain", &Manifest::of("plain"))?;
        let team = Team::with(namespace, &[("plain.yaml", plain)]).await?;
        let index = team.index("plain");
        index
            .wait_until("no node to index from", |i| {
                i.is_false(types::CHAIN_SOURCE_READY, source_reasons::UNREACHABLE)
            })
            .await?;
        wait::throughout("Flux waits for the index", SEVERAL_LOOKS, async || {
            let state = team.flux.state().await?;
            ensure!(!state.has_ever_applied(&team.commit), "{state:?}");
            Ok(())
        })
        .await?;

        node.restart().await?;
        team.flux.applied(&team.commit).await?;
        let delivered = index.get().await?;
        ensure!(
            delivered.is_true(types::READY) && delivered.height() == Some(HEIGHT),
            "Flux is content with {:?}",
            delivered.status
        );
        Ok(())
    })
    .await
}
