//! A module fails a block, and the index halts below it. The next module, one commit, continues from there, and no query
//! about a block below is refused.

use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context as _, Result, ensure};
use crds::{
    LineageStep,
    conditions::{reasons, types},
};
use e2e::{
    asker::{Asker, as_answered},
    expected,
    index::{Index, Says as _},
    manifest::Manifest,
    namespace::Namespace,
    node::Node,
    rollout::active,
    trial::in_namespace,
    wait,
};
use serde_json::json;

const TRAP: &str = include_str!("../../guests/trap-at.wat");
/// Where the guest fails, and where the chain is then.
const FAILS_AT: u32 = 150;
const HEIGHT: u32 = 160;
/// The block that clients ask about.
const ASKED: u32 = 100;

/// The module without its defect.
fn hotfix() -> Result<Vec<u8>> {
    let fixed = TRAP.replace(&format!("(i32.const {FAILS_AT})"), "(i32.const -1)");
    ensure!(fixed != TRAP, "the guest trap-at does not fail as it did");
    Ok(wat::parse_str(fixed)?)
}

/// Makes an index of the module with the defect that follows the chain right below the block.
async fn below(namespace: &Namespace, manifest: &Manifest) -> Result<(Node, Index)> {
    let node = Node::start(namespace, FAILS_AT - 1).await?;
    let index = manifest.apply(namespace).await?;
    index.follows_to(FAILS_AT - 1).await?;
    Ok((node, index))
}

async fn halts(node: &Node, index: &Index) -> Result<()> {
    node.mine_to(HEIGHT).await?;
    let halted = index.wait_until("Stalled", |i| i.is_true(types::STALLED)).await?;
    let stalled = halted.condition(types::STALLED).context("it is there")?;
    ensure!(stalled.reason == reasons::HALTED, "{stalled:?}");
    ensure!(halted.height() == Some(FAILS_AT - 1), "{:?}", halted.status);
    Ok(())
}

/// The lineage of a healed index: the module with the defect up to the block, the other one from it on.
async fn is_healed(index: &Index) -> Result<()> {
    let done = index.follows_to(HEIGHT).await?;
    let lineage = done.status.and_then(|status| status.active).context("active")?.lineage;
    let heights: Vec<u32> = lineage.iter().map(|step: &LineageStep| step.from_height).collect();
    ensure!(heights == [0, FAILS_AT], "{lineage:?}");
    Ok(())
}

#[tokio::test]
async fn a_halted_index_heals_by_one_commit_and_no_query_below_ever_failed() -> Result<()> {
    in_namespace("hotfix", async |namespace| {
        let manifest = Manifest::of("trap-at").named("one").soaking("1s");
        let (node, index) = below(namespace, &manifest).await?;
        let first = index.served().await?;
        let row = expected::header_row(&node.rpc.block_at(ASKED).await?);
        let key = expected::header_key(ASKED);
        // Of the pod itself, from before the block that fails until clients have been moved.
        let pods_asked = AtomicU32::new(0);
        let asks_pods = async {
            while index.served().await? == first {
                for pod in index.pods_of(&first).await? {
                    let name = pod.metadata.name.context("a name")?;
                    let answer = index.view_of(&name, "get", &key, ASKED).await?;
                    ensure!(answer == row, "{name} answers {}", hex::encode(answer));
                    pods_asked.fetch_add(1, Ordering::Relaxed);
                }
            }
            Ok(())
        };
        let heals = async {
            // Through the Service, from before the block as well.
            let asker = Asker::start(&index, "get", &key, ASKED, 300).await?;
            halts(&node, &index).await?;
            index
                .wait_until("the halted pod serves", |i| i.is_true(types::AVAILABLE))
                .await?;
            let seed = json!({"fromActive": {"atHeight": FAILS_AT - 1}});
            let commit = manifest.clone().with("rollout", "seed", seed);
            commit.apply_with(namespace, &hotfix()?).await?;
            let moved = |i: &crds::Indexer| active(i).is_some_and(|revision| revision.as_str() != first);
            index.wait_until("the hotfix serves", moved).await?;
            is_healed(&index).await?;
            let asked = asker.asks_on().await?;
            ensure!(asked.is_exactly(&[as_answered(&row)]), "{asked:?}");
            println!("through the Service {} answers and no failure", asked.questions);
            Ok(())
        };
        tokio::try_join!(asks_pods, heals)?;
        let answers = pods_asked.load(Ordering::Relaxed);
        ensure!(answers > 10, "pods were asked {answers} times");
        println!("of the pod {answers} answers and no failure");
        let answer = index.view_of_pod("get", &expected::header_key(HEIGHT), HEIGHT).await?;
        let expected = expected::header_row(&node.rpc.block_at(HEIGHT).await?);
        ensure!(answer == expected, "{}", hex::encode(answer));
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_halted_index_is_continued_in_place_by_the_next_module() -> Result<()> {
    in_namespace("hotfix-in-place", async |namespace| {
        let manifest = Manifest::of("trap-at")
            .named("one")
            .with("rollout", "strategy", json!("InPlace"));
        let (node, index) = below(namespace, &manifest).await?;
        let revision = index.served().await?;
        halts(&node, &index).await?;
        manifest.apply_with(namespace, &hotfix()?).await?;
        wait::until("the next module continues", wait::PATIENCE, async || {
            let indexer = index.get().await?;
            ensure!(
                indexer.is_true(types::READY) && indexer.height() == Some(HEIGHT),
                "{:?}",
                indexer.status
            );
            Ok(())
        })
        .await?;
        is_healed(&index).await?;
        ensure!(index.served().await? == revision, "not in place");
        for height in [ASKED, HEIGHT] {
            let row = expected::header_row(&node.rpc.block_at(height).await?);
            let answer = index.view_of_pod("get", &expected::header_key(height), HEIGHT).await?;
            ensure!(answer == row, "block {height}");
        }
        Ok(())
    })
    .await
}
