//! An index at work, for the dashboards: views, audits, blocks that are undone.

use std::time::Duration;

use anyhow::Result;
use e2e::{asker::Asker, expected, manifest::Manifest, node::Node, trial::in_namespace, wait};
use serde_json::json;
use tokio::time::sleep;

const HEIGHT: u32 = 60;
/// Many scrapes, and less than a test of an alert.
const SECONDS: u64 = 120;
const ROUNDS: u32 = 6;
/// Longer, so that there is one of each round.
const BETWEEN_SCRAPES: Duration = Duration::from_secs(8);

#[tokio::test]
async fn an_index_at_work_answers_audits_and_undoes_blocks() -> Result<()> {
    in_namespace("traffic", async |namespace| {
        let node = Node::start(namespace, HEIGHT).await?;
        let index = Manifest::of("leaky")
            .on_threshold("64Mi")
            .with("memory", "auditEvery", json!(10))
            .apply(namespace)
            .await?;
        index.follows_to(HEIGHT).await?;
        let key = expected::header_key(HEIGHT / 2);
        let row = expected::header_row(&node.rpc.block_at(HEIGHT / 2).await?);
        let asker = Asker::start(&index, "get", &key, HEIGHT / 2, SECONDS).await?;
        // Its guest reads what it has written.
        let reader = Manifest::of("outpoints").apply(namespace).await?;
        for _ in 0..ROUNDS {
            let tip = node.reorganise(2).await?;
            index.follows_to(tip.height).await?;
            reader.follows_to(tip.height).await?;
            sleep(BETWEEN_SCRAPES).await;
        }
        asker.receives(&row, wait::PATIENCE).await?;
        Ok(())
    })
    .await
}
