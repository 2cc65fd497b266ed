//! The block an answer was read at, and requests that wait for a block.

use anyhow::{Result, ensure};
use e2e::{
    edition::{edition, stored},
    manifest::Manifest,
    node::Node,
    trial::in_namespace,
};
use futures::try_join;

const HEIGHT: u32 = 30;
/// The error code for what is not available, or not yet.
const NOT_AVAILABLE: i64 = -32_001;

#[tokio::test]
async fn an_answer_names_its_block_and_waits_for_a_height_on_request() -> Result<()> {
    in_namespace("heights", async |namespace| {
        let node = Node::start(namespace, HEIGHT).await?;
        let manifest = Manifest::of("plain").named("one");
        let index = manifest.apply_with(namespace, &edition(1)?).await?;
        index.follows_to(HEIGHT).await?;

        let at_once = index.view_from_height("get", b"height", HEIGHT).await?;
        ensure!(at_once.bytes()? == stored(1, HEIGHT), "{at_once:?}");
        let hash = node.rpc.hash_at(HEIGHT).await?.to_string();
        ensure!(
            at_once.height == Some(HEIGHT) && at_once.block_hash == Some(hash),
            "{at_once:?}"
        );

        // Requested before the block exists.
        let (waited, tip) = try_join!(
            index.view_from_height("get", b"height", HEIGHT + 1),
            node.mine_to(HEIGHT + 1),
        )?;
        ensure!(waited.bytes()? == stored(1, HEIGHT + 1), "{waited:?}");
        ensure!(
            waited.height == Some(HEIGHT + 1) && waited.block_hash == Some(tip.hash.to_string()),
            "{waited:?} is not at {tip:?}"
        );

        // It waits for `views.timeout` and no longer.
        let refused = index.view_from_height("get", b"height", HEIGHT + 2).await?;
        ensure!(
            refused.code() == Some(NOT_AVAILABLE) && refused.height.is_none(),
            "{refused:?}"
        );
        Ok(())
    })
    .await
}
