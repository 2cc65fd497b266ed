//! A candidate with a block that does not end, beside a revision that serves. Where none serves, `volume` has it.

use anyhow::{Result, ensure};
use e2e::{manifest::Manifest, node::Node, trial::in_namespace};

use crate::{FIVE_MINUTES, SOON, alert, one_fifth};

const TRAP: &str = include_str!("../../guests/trap-at.wat");
const HEIGHT: u32 = 160;

/// Loops where `trap-at` fails.
fn endless() -> Result<Vec<u8>> {
    let loops = TRAP.replace("(then (call $abort", "(then (loop $endless (br $endless)) (call $abort");
    ensure!(loops != TRAP, "the guest trap-at does not fail as it did");
    Ok(wat::parse_str(loops)?)
}

#[tokio::test]
async fn a_candidate_that_does_not_end_a_block_is_a_warning_until_it_is_withdrawn() -> Result<()> {
    in_namespace("endless", async |namespace| {
        let stalled = alert(namespace, "ShrewdIndexerStalled", "warning");
        let _node = Node::start(namespace, HEIGHT).await?;
        let serves = Manifest::of("plain").named("one");
        serves.apply(namespace).await?.follows_to(HEIGHT).await?;
        Manifest::of("trap-at")
            .named("one")
            .set("resources", one_fifth())
            .apply_with(namespace, &endless()?)
            .await?;
        stalled.fires(FIVE_MINUTES).await?;
        serves.apply(namespace).await?;
        // What it was behind counts for five minutes more.
        stalled.ends(FIVE_MINUTES + SOON).await
    })
    .await
}
