//! A commit with a module that cannot be run.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use crds::conditions::{reasons, types};
use e2e::{edition::edition, index::Says, manifest::Manifest, node::Node, trial::in_namespace};

use crate::team::{Team, documents};

/// How soon Flux must report a bad commit, counted from the start of the candidate's container: how long a volume takes
/// is up to the cluster.
const PROMISED: Duration = Duration::from_secs(60);

#[tokio::test]
async fn a_commit_with_a_bad_module_fails_within_a_minute_and_its_revert_heals() -> Result<()> {
    const HEIGHT: u32 = 40;
    in_namespace("flux-bad", async |namespace| {
        let node = Node::start(namespace, HEIGHT).await?;
        let feed = Manifest::of("plain").named("feed").soaking("2s").delete_volumes();
        let team = Team::with(namespace, &[("feed.yaml", feed.documents(&edition(1)?))]).await?;
        team.flux.applied(&team.commit).await?;
        let index = team.index("feed");
        let served = index.served().await?;

        let bad = team
            .commits("feed.yaml", &documents(namespace, "no-start", &feed)?)
            .await?;
        index.candidate_starts().await?;
        let failed = team
            .flux
            .wait_until(PROMISED, "the bad commit fails", |state| state.failure(&bad).is_some())
            .await?;
        // Flux names the object, whose status gives the reason.
        let words = failed.failure(&bad).context("it was there")?;
        let culprit = format!("Indexer/{}/feed status: 'Failed'", namespace.name);
        ensure!(words.contains(&culprit), "{words}");
        let indexer = index.get().await?;
        let stalled = indexer.condition(types::STALLED).context("Stalled is there")?;
        ensure!(
            stalled.status == "True"
                && stalled.reason == reasons::CANDIDATE_FAILED
                && stalled.message.contains("_start"),
            "{stalled:?}"
        );
        ensure!(
            indexer.is_true(types::AVAILABLE) && index.served().await? == served,
            "{:?}",
            indexer.status
        );

        let reverted = team.repository.revert().await?;
        team.flux.applied(&reverted).await?;
        ensure!(index.served().await? == served, "clients were moved");
        node.mine_to(HEIGHT + 2).await?;
        index.follows_to(HEIGHT + 2).await?;
        Ok(())
    })
    .await
}
