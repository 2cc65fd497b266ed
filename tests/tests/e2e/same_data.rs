//! Another module on the same data, or on a copy of it.

use anyhow::{Context, Result, ensure};
use crds::{
    Indexer, LineageStep,
    conditions::{reasons, types},
    pod::Status,
};
use e2e::{
    edition::{edition, stored},
    index::{Index, Says},
    manifest::Manifest,
    namespace::in_namespace,
    node::Node,
    rollout::active,
    wait,
};
use serde_json::json;
use sha2::{Digest, Sha256};

const HEIGHT: u32 = 60;

/// SHA-256 of an edition.
fn digest_of(number: u32) -> Result<String> {
    Ok(hex::encode(Sha256::digest(edition(number)?)))
}

/// Waits until two modules have built the data and all is well; gives them.
async fn goes_on(index: &Index) -> Result<Vec<LineageStep>> {
    let lineage = |i: &Indexer| {
        i.status
            .as_ref()
            .and_then(|status| Some(status.active.as_ref()?.lineage.clone()))
    };
    let is_two = |i: &Indexer| lineage(i).is_some_and(|lineage| lineage.len() == 2);
    let done = index
        .wait_until("the second module goes on", |i| i.is_true(types::READY) && is_two(i))
        .await?;
    lineage(&done).context("a lineage")
}

/// What the only pod answers for "height" as of a height.
async fn stored_at(index: &Index, height: u32) -> Result<Vec<u8>> {
    index.view_of_pod("get", b"height", height).await
}

#[tokio::test]
async fn in_place_a_module_goes_on_at_the_next_height_and_a_revert_goes_back_there() -> Result<()> {
    in_namespace("inplace", async |namespace| {
        let node = Node::start(namespace, HEIGHT).await?;
        let manifest = Manifest::of("plain")
            .named("one")
            .with("rollout", "strategy", json!("InPlace"));
        let index = manifest.apply_with(namespace, &edition(1)?).await?;
        index.follows_to(HEIGHT).await?;
        let revision = index.served().await?;

        manifest.apply_with(namespace, &edition(2)?).await?;
        let lineage = goes_on(&index).await?;
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
            "what the first module wrote stays"
        );
        ensure!(
            stored_at(&index, HEIGHT + 3).await? == stored(2, HEIGHT + 3),
            "the second one goes on"
        );

        // Another limit is another index: refused, and nothing is touched.
        let pod = index.pod().await?.metadata.uid;
        let smaller = manifest.clone().with("memory", "limit", json!("192Mi"));
        smaller.apply_with(namespace, &edition(2)?).await?;
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
            "the second module's blocks are undone"
        );

        // As if the second one had never been there.
        let fresh = Manifest::of("plain")
            .named("fresh")
            .apply_with(namespace, &edition(1)?)
            .await?;
        let fresh = fresh.follows_to(HEIGHT + 3).await?;
        ensure!(fresh.digest() == index.get().await?.digest(), "the digests differ");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn two_replicas_take_a_module_over_one_by_one_and_are_never_called_different() -> Result<()> {
    replicas_take_over_one_by_one("inplace-two", 2).await
}

#[tokio::test]
async fn three_replicas_take_a_module_over_one_by_one_and_none_leaves_the_service() -> Result<()> {
    replicas_take_over_one_by_one("inplace-three", 3).await
}

/// While pods change one by one, blocks come that each indexes with the module it has: the digests of those that have
/// changed differ rightly from those of the others, from the take-over on.
async fn replicas_take_over_one_by_one(about: &str, replicas: usize) -> Result<()> {
    in_namespace(about, async |namespace| {
        let node = Node::start(namespace, HEIGHT).await?;
        let manifest = Manifest::of("plain")
            .named("one")
            .set("replicas", json!(replicas))
            .with("rollout", "strategy", json!("InPlace"));
        let index = manifest.apply_with(namespace, &edition(1)?).await?;
        let equal = index.follows_to(HEIGHT).await?;
        ensure!(equal.is_true(types::CONSISTENT), "{:?}", equal.status);
        let before = uids(&index).await?;
        ensure!(before.len() == replicas, "{before:?}");

        manifest.apply_with(namespace, &edition(2)?).await?;
        wait::until("the first pod goes", wait::PATIENCE, async || {
            let now = uids(&index).await?;
            ensure!(before.iter().any(|uid| !now.contains(uid)), "not yet");
            Ok(())
        })
        .await?;
        // The take-over is agreed on by now. The pods that wait for their turn index these with the first module.
        node.mine_to(HEIGHT + 2).await?;

        let first = digest_of(1)?;
        let reports = wait::until("every pod has changed", wait::PATIENCE, async || {
            let mut reports = Vec::new();
            for pod in index.pods().await? {
                reports.push(index.report_of(&pod).await?);
            }
            let has_changed = |report: &Status| {
                let taken = report.lineage.get(1).map(|step| step.from_height);
                taken == Some(HEIGHT + 1)
                    && report.height == Some(HEIGHT + 2)
                    && report.lineage[0].module_sha256 == first
            };
            ensure!(
                reports.len() == replicas && reports.iter().all(has_changed),
                "{reports:?}"
            );
            Ok(reports)
        })
        .await?;
        ensure!(
            reports.iter().all(|report| report.digest == reports[0].digest),
            "the digests differ: {reports:?}"
        );
        let done = index.follows_to(HEIGHT + 2).await?;
        ensure!(
            done.is_true(types::CONSISTENT) && !done.is_true(types::STALLED),
            "{:?}",
            done.status
        );
        // Each turn of Consistent or Stalled is an event, and nothing leaves the Service without the former.
        let called_different = index.events(reasons::DIGESTS_DIFFER).await?;
        ensure!(called_different.is_empty(), "{called_different:?}");
        Ok(())
    })
    .await
}

/// The unique ids of its pods that are not on their way out.
async fn uids(index: &Index) -> Result<Vec<String>> {
    let pods = index.pods().await?.into_iter();
    let staying = pods.filter(|pod| pod.metadata.deletion_timestamp.is_none());
    Ok(staying.filter_map(|pod| pod.metadata.uid).collect())
}

#[tokio::test]
async fn a_seeded_candidate_begins_with_a_copy_of_what_serves() -> Result<()> {
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
        ensure!(stored_at(&index, AT).await? == stored(1, AT), "what was copied");
        ensure!(
            stored_at(&index, AT + 1).await? == stored(2, AT + 1),
            "what the candidate built"
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
async fn a_pod_that_comes_later_to_continued_data_gets_it_from_the_others() -> Result<()> {
    in_namespace("sibling", async |namespace| {
        let node = Node::start(namespace, HEIGHT).await?;
        let manifest = Manifest::of("plain")
            .named("one")
            .with("rollout", "strategy", json!("InPlace"));
        let index = manifest.apply_with(namespace, &edition(1)?).await?;
        index.follows_to(HEIGHT).await?;
        manifest.apply_with(namespace, &edition(2)?).await?;
        goes_on(&index).await?;
        node.mine_to(HEIGHT + 2).await?;
        index.follows_to(HEIGHT + 2).await?;

        index.change(json!({"replicas": 2})).await?;
        let two = index
            .wait_until("two pods agree", |i| {
                let ready = i.status.as_ref().is_some_and(|status| status.ready_replicas == 2);
                ready
                    && i.is_true(types::READY)
                    && i.condition(types::CONSISTENT)
                        .is_some_and(|c| c.status == "True" && c.reason == reasons::AS_EXPECTED)
            })
            .await?;
        let lineage = two
            .status
            .and_then(|status| status.active)
            .map(|active| active.lineage.len());
        ensure!(lineage == Some(2), "{lineage:?}");
        wait::until("both hold the whole lineage", wait::PATIENCE, async || {
            ensure!(index.pods().await?.len() == 2, "not two pods");
            Ok(())
        })
        .await
    })
    .await
}
