//! A module that fails a block, alone and as a candidate beside one that serves.

use anyhow::{Result, ensure};
use e2e::{manifest::Manifest, node::Node, trial::in_namespace};
use serde_json::json;

use crate::{SOON, alert};

const TRAP: &str = include_str!("../../guests/trap-at.wat");
/// Above the block that fails.
const HEIGHT: u32 = 160;

#[tokio::test]
async fn an_index_that_halts_is_critical_until_the_next_module_continues_it() -> Result<()> {
    in_namespace("halted", async |namespace| {
        let halted = alert(namespace, "ShrewdIndexerHalted", "critical");
        let _node = Node::start(namespace, HEIGHT).await?;
        let manifest = Manifest::of("trap-at").with("rollout", "strategy", json!("InPlace"));
        let index = manifest.apply(namespace).await?;
        index.starts().await?;
        halted.fires(SOON).await?;
        let fixed = TRAP.replace("(i32.const 150)", "(i32.const -1)");
        ensure!(fixed != TRAP, "the guest trap-at does not fail as it did");
        manifest.apply_with(namespace, &wat::parse_str(fixed)?).await?;
        halted.ends(SOON).await
    })
    .await
}

#[tokio::test]
async fn a_candidate_that_halts_is_a_warning_until_it_is_withdrawn() -> Result<()> {
    in_namespace("candidate", async |namespace| {
        let halted = alert(namespace, "ShrewdIndexerHalted", "warning");
        let _node = Node::start(namespace, HEIGHT).await?;
        let serves = Manifest::of("plain").named("one");
        serves.apply(namespace).await?.follows_to(HEIGHT).await?;
        Manifest::of("trap-at").named("one").apply(namespace).await?;
        halted.fires(SOON).await?;
        let critical = alert(namespace, "ShrewdIndexerHalted", "critical");
        ensure!(!critical.is_firing().await?, "clients have an index");
        serves.apply(namespace).await?;
        halted.ends(SOON).await
    })
    .await
}
