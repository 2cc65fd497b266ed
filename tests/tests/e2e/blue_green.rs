//! A new module builds its index next to the serving one, takes over without a lost query, and can be reverted at once.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use crds::conditions::{reasons, types};
use e2e::{
    asker::{Asker, as_answered},
    edition::{edition, stored},
    index::{Index, Says},
    manifest::Manifest,
    namespace::Namespace,
    node::Node,
    rollout::{active, candidate},
    trial::in_namespace,
    wait,
};
use serde_json::json;

const HEIGHT: u32 = 120;
/// The height of the clients' queries.
const ASKED: u32 = 100;
/// From the change of the manifest until the Service selects the previous revision.
const WAY_BACK: Duration = Duration::from_secs(10);

fn manifest() -> Manifest {
    Manifest::of("plain").named("one").soaking("5s").delete_volumes()
}

/// Applies an edition and waits until it serves and is Ready.
async fn released(namespace: &Namespace, manifest: &Manifest, number: u32) -> Result<Index> {
    let index = manifest.apply_with(namespace, &edition(number)?).await?;
    index.follows_to(HEIGHT).await?;
    Ok(index)
}

/// The revision that the newest status calls the candidate.
async fn candidate_of(index: &Index) -> Result<String> {
    let seen = index.wait_until("a candidate", |i| candidate(i).is_some()).await?;
    Ok(candidate(&seen).map(|c| c.revision.to_string()).unwrap_or_default())
}

#[tokio::test]
async fn a_new_module_takes_over_without_a_failed_query_and_the_way_back_is_instant() -> Result<()> {
    in_namespace("bluegreen", async |namespace| {
        let _node = Node::start(namespace, HEIGHT).await?;
        let manifest = manifest().set("replicas", json!(2));
        let index = released(namespace, &manifest, 1).await?;
        let first = index.served().await?;
        let asker = Asker::start(&index, "get", b"height", ASKED, 300).await?;

        let committed = Instant::now();
        let second = takes_over(&index, &manifest, &first).await?;
        println!("from commit to switched: {:.1?}, of it 5 s soak", committed.elapsed());
        let asked = asker.receives(&stored(2, ASKED), wait::PATIENCE).await?;
        let answers = [1, 2, 1].map(|edition| as_answered(&stored(edition, ASKED)));
        ensure!(asked.is_exactly(&answers[..2]), "{asked:?}");
        is_over(&index, &first, &second).await?;

        let reverted = Instant::now();
        goes_back(&index, &manifest, &first).await?;
        println!("from revert to active again: {:.1?}", reverted.elapsed());
        let asked = asker.receives(&stored(1, ASKED), wait::PATIENCE).await?;
        ensure!(asked.is_exactly(&answers), "{asked:?}");
        println!("a client was answered {} times", asked.questions);
        Ok(())
    })
    .await
}

/// Applies the second edition. Returns its revision once that serves.
async fn takes_over(index: &Index, manifest: &Manifest, first: &str) -> Result<String> {
    manifest.apply_with(&index.namespace, &edition(2)?).await?;
    let second = candidate_of(index).await?;
    index
        .wait_until("it soaks", |i| {
            i.condition(types::ROLLOUT_IN_PROGRESS)
                .is_some_and(|c| c.reason == reasons::SOAKING)
        })
        .await?;
    ensure!(index.served().await? == first, "clients were moved before their time");
    ensure!(
        index.get().await?.is_true(types::READY),
        "Ready speaks of the revision that serves"
    );
    index.serves(&second, wait::PATIENCE).await?;
    Ok(second)
}

/// Waits until the resource reports that the second revision serves and that the first one is kept.
async fn is_over(index: &Index, first: &str, second: &str) -> Result<()> {
    let done = index
        .wait_until("the rollout is over", |i| {
            i.is_true(types::READY)
                && i.is_false(types::ROLLOUT_IN_PROGRESS, reasons::NO_ROLLOUT)
                && i.is_false(types::RECONCILING, reasons::AS_EXPECTED)
        })
        .await?;
    let previous = done.status.as_ref().and_then(|status| status.previous.as_ref());
    ensure!(
        active(&done).is_some_and(|revision| revision.as_str() == second)
            && previous.is_some_and(|previous| previous.revision.as_str() == first),
        "{:?}",
        done.status
    );
    Ok(())
}

/// Applies the first edition again.
async fn goes_back(index: &Index, manifest: &Manifest, first: &str) -> Result<()> {
    manifest.apply_with(&index.namespace, &edition(1)?).await?;
    index.serves(first, WAY_BACK).await?;
    let back = index
        .wait_until("the previous revision is active", |i| {
            active(i).is_some_and(|revision| revision.as_str() == first)
        })
        .await?;
    ensure!(
        back.height() == Some(HEIGHT) && back.is_true(types::SYNCED),
        "{:?}",
        back.status
    );
    Ok(())
}

#[tokio::test]
async fn a_third_module_replaces_a_candidate_and_the_previous_revision_is_removed_in_the_end() -> Result<()> {
    in_namespace("third", async |namespace| {
        let node = Node::start(namespace, HEIGHT).await?;
        let manifest = manifest().with("rollout", "keepPrevious", json!("10s"));
        let index = released(namespace, &manifest, 1).await?;
        let first = index.served().await?;

        // A candidate that waits for a height is replaced by the next one.
        let waiting = manifest.clone().with("rollout", "activateAt", json!(HEIGHT + 5));
        waiting.apply_with(namespace, &edition(2)?).await?;
        let second = candidate_of(&index).await?;
        index
            .wait_until("it is blocked", |i| {
                i.condition(types::ROLLOUT_IN_PROGRESS)
                    .is_some_and(|c| c.reason == reasons::BLOCKED && c.message.contains("activateAt"))
            })
            .await?;
        waiting.apply_with(namespace, &edition(3)?).await?;
        wait::until("another candidate, and only that", wait::PATIENCE, async || {
            let revisions = index.revisions().await?;
            ensure!(
                revisions.len() == 2 && !revisions.contains(&second) && revisions.contains(&first),
                "{revisions:?}"
            );
            Ok(())
        })
        .await?;
        let third = candidate_of(&index).await?;
        ensure!(third != second && index.served().await? == first, "{third}");

        // Clients are moved at the height, and not before.
        index
            .wait_until("it is blocked", |i| {
                i.condition(types::ROLLOUT_IN_PROGRESS)
                    .is_some_and(|c| c.reason == reasons::BLOCKED)
            })
            .await?;
        node.mine_to(HEIGHT + 4).await?;
        index
            .wait_until("one before the height", |i| {
                i.height() == Some(HEIGHT + 4) && candidate(i).is_some_and(|c| c.height == Some(HEIGHT + 4))
            })
            .await?;
        ensure!(index.served().await? == first, "the height was not reached");
        node.mine_to(HEIGHT + 5).await?;
        index.serves(&third, wait::PATIENCE).await?;

        // The previous revision is removed with its volumes, as set by `storage.retention`.
        wait::until("one revision is left", wait::PATIENCE, async || {
            let (revisions, claims) = (index.revisions().await?, index.claims().await?);
            ensure!(
                revisions == [third.clone()] && claims.len() == 1,
                "{revisions:?}, {claims:?}"
            );
            Ok(())
        })
        .await?;
        index.follows_to(HEIGHT + 5).await?;
        Ok(())
    })
    .await
}

#[tokio::test]
async fn volumes_of_a_removed_revision_stay_when_they_are_to_be_retained() -> Result<()> {
    in_namespace("retained", async |namespace| {
        let _node = Node::start(namespace, HEIGHT).await?;
        let manifest = Manifest::of("plain")
            .named("one")
            .soaking("1s")
            .with("rollout", "keepPrevious", json!("1s"));
        let index = released(namespace, &manifest, 1).await?;
        let first = index.claims().await?;
        manifest.apply_with(namespace, &edition(2)?).await?;
        let second = candidate_of(&index).await?;
        index.serves(&second, wait::PATIENCE).await?;
        wait::until("one revision is left", wait::PATIENCE, async || {
            ensure!(
                index.revisions().await? == [second.clone()],
                "{:?}",
                index.revisions().await?
            );
            Ok(())
        })
        .await?;
        let claims = index.claims().await?;
        ensure!(claims.len() == 2 && claims.contains(&first[0]), "{claims:?}");
        // With an owner it would still be deleted, only later.
        let ownerless = index.claims_without_owner().await?;
        ensure!(ownerless.contains(&first[0]), "{ownerless:?}");
        Ok(())
    })
    .await
}
