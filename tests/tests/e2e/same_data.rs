//! Another module on the same data, or on a copy of it.

use anyhow::{Context, Result, bail, ensure};
use crds::{
    Indexer, LineageStep,
    conditions::{reasons, types},
};
use e2e::{
    edition::{edition, stored},
    index::{Index, Says},
    manifest::Manifest,
    node::Node,
    rollout::active,
    trial::in_namespace,
    wait,
};
use serde_json::json;
use sha2::{Digest, Sha256};

const HEIGHT: u32 = 60;

/// SHA-256 of an edition.
fn digest_of(number: u32) -> Result<String> {
    Ok(hex::encode(Sha256::digest(edition(number)?)))
}

/// Waits until the index is ready with the data of two modules. Returns its lineage.
async fn is_continued(index: &Index) -> Result<Vec<LineageStep>> {
    let lineage = |i: &Indexer| {
        i.status
            .as_ref()
            .and_then(|status| Some(status.active.as_ref()?.lineage.clone()))
    };
    let is_two = |i: &Indexer| lineage(i).is_some_and(|lineage| lineage.len() == 2);
    let done = index
        .wait_until("the second module has taken over", |i| {
            i.is_true(types::READY) && is_two(i)
        })
        .await?;
    lineage(&done).context("a lineage")
}

/// The value of "height" as of a height, read from the only pod.
async fn stored_at(index: &Index, height: u32) -> Result<Vec<u8>> {
    index.view_of_pod("get", b"height", height).await
}

#[tokio::test]
async fn in_place_a_module_continues_at_the_next_height_and_a_revert_returns_there() -> Result<()> {
    in_namespace("inplace", async |namespace| {
        let node = Node::start(namespace, HEIGHT).await?;
        let manifest = Manifest::of("plain")
            .named("one")
            .with("rollout", "strategy", json!("InPlace"));
        let index = manifest.apply_with(namespace, &edition(1)?).await?;
        index.follows_to(HEIGHT).await?;
        let revision = index.served().await?;

        manifest.apply_with(namespace, &edition(2)?).await?;
        let lineage = is_continued(&index).await?;
        let [first, second] = [digest_of(1)?, digest_of(2)?];
        let modules: Vec<&String> = lineage.iter().map(|step| &step.module_sha256).collect();
        ensure!(
            modules == [&first, &second] && lineage[1].from_height == HEIGHT + 1,
            "{lineage:?}"
        );
        node.mine_to(HEIGHT + 3).await?;
        index.follows_to(HEIGHT + 3).await?;
        ensure!(
            index.served().await? == revision && index.revisions().await? == [revision.clone()],
            "not in place"
        );
        ensure!(
            stored_at(&index, HEIGHT).await? == stored(1, HEIGHT),
            "not what the first module wrote"
        );
        ensure!(
            stored_at(&index, HEIGHT + 3).await? == stored(2, HEIGHT + 3),
            "not built by the second module"
        );

        another_limit_is_refused(&index, &manifest).await?;

        manifest.apply_with(namespace, &edition(1)?).await?;
        index
            .wait_until("the first module is back", |i| {
                let active = i.status.as_ref().and_then(|status| status.active.as_ref());
                i.is_true(types::READY)
                    && active.is_some_and(|a| {
                        a.module_sha256 == first && a.height == Some(HEIGHT + 3) && a.lineage.is_empty()
                    })
            })
            .await?;
        ensure!(
            stored_at(&index, HEIGHT + 3).await? == stored(1, HEIGHT + 3),
            "the second module's blocks were not undone"
        );

        // The data is the same as without the second module.
        let fresh = Manifest::of("plain")
            .named("fresh")
            .apply_with(namespace, &edition(1)?)
            .await?;
        let fresh = fresh.follows_to(HEIGHT + 3).await?;
        ensure!(
            fresh.digest().is_some() && fresh.digest() == index.get().await?.digest(),
            "the digests differ: {:?}",
            fresh.status
        );
        Ok(())
    })
    .await
}

/// With another limit it is another index, so the change is refused and nothing is touched.
async fn another_limit_is_refused(index: &Index, manifest: &Manifest) -> Result<()> {
    let pod = index.pod().await?.metadata.uid;
    let smaller = manifest.clone().with("memory", "limit", json!("192Mi"));
    smaller.apply_with(&index.namespace, &edition(2)?).await?;
    let refused = index.wait_until("Stalled", |i| i.is_true(types::STALLED)).await?;
    let stalled = refused.condition(types::STALLED).context("it is there")?;
    ensure!(
        stalled.reason == reasons::IN_PLACE_REFUSED && stalled.message.contains("memory.limit"),
        "{stalled:?}"
    );
    ensure!(
        refused.is_true(types::READY) && index.pod().await?.metadata.uid == pod,
        "it was touched"
    );
    Ok(())
}

#[tokio::test]
async fn a_seeded_candidate_begins_with_a_copy_of_the_serving_data() -> Result<()> {
    const AT: u32 = 40;
    in_namespace("seeded", async |namespace| {
        let node = Node::start(namespace, HEIGHT).await?;
        let manifest = Manifest::of("plain").named("one").soaking("1s");
        let index = manifest.apply_with(namespace, &edition(1)?).await?;
        index.follows_to(HEIGHT).await?;
        let first = index.served().await?;

        let seeding = manifest.with("rollout", "seed", json!({"fromActive": {"atHeight": AT}}));
        seeding.apply_with(namespace, &edition(2)?).await?;
        let moved = index
            .wait_until("the copy serves", |i| {
                active(i).is_some_and(|r| r.as_str() != first) && i.is_true(types::READY)
            })
            .await?;
        let lineage = moved.status.and_then(|s| s.active).context("active")?.lineage;
        ensure!(lineage.len() == 2 && lineage[1].from_height == AT + 1, "{lineage:?}");
        ensure!(stored_at(&index, AT).await? == stored(1, AT), "not what was copied");
        ensure!(
            stored_at(&index, AT + 1).await? == stored(2, AT + 1),
            "not what the candidate built"
        );
        node.mine_to(HEIGHT + 2).await?;
        index.follows_to(HEIGHT + 2).await?;

        // Where more than the module differs there is nothing to copy.
        let before = index.served().await?;
        let other = seeding.with("chain", "startHeight", json!(5));
        other.apply_with(namespace, &edition(3)?).await?;
        let refused = index.wait_until("Stalled", |i| i.is_true(types::STALLED)).await?;
        let stalled = refused.condition(types::STALLED).context("it is there")?;
        ensure!(
            stalled.reason == reasons::SEED_REFUSED && stalled.message.contains("chain.startHeight"),
            "{stalled:?}"
        );
        ensure!(
            refused.is_true(types::READY) && index.served().await? == before,
            "it was touched"
        );
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_pod_added_later_to_continued_data_copies_it_from_the_others() -> Result<()> {
    in_namespace("sibling", async |namespace| {
        let node = Node::start(namespace, HEIGHT).await?;
        let manifest = Manifest::of("plain")
            .named("one")
            .with("rollout", "strategy", json!("InPlace"));
        let index = manifest.apply_with(namespace, &edition(1)?).await?;
        index.follows_to(HEIGHT).await?;
        manifest.apply_with(namespace, &edition(2)?).await?;
        let lineage = is_continued(&index).await?;
        node.mine_to(HEIGHT + 2).await?;
        index.follows_to(HEIGHT + 2).await?;

        index.change(json!({"replicas": 2})).await?;
        index
            .wait_until("two pods agree", |i| {
                let ready = i.status.as_ref().is_some_and(|status| status.ready_replicas == 2);
                ready
                    && i.is_true(types::READY)
                    && i.condition(types::CONSISTENT)
                        .is_some_and(|c| c.status == "True" && c.reason == reasons::AS_EXPECTED)
            })
            .await?;
        wait::until(
            "both pods have this lineage and one digest",
            wait::PATIENCE,
            async || {
                let reports = index.reports().await?;
                let [first, second] = &reports[..] else {
                    bail!("{} pods", reports.len());
                };
                ensure!(
                    first.lineage == lineage
                        && second.lineage == lineage
                        && first.digest.is_some()
                        && first.digest == second.digest,
                    "{reports:?}"
                );
                Ok(())
            },
        )
        .await
    })
    .await
}
