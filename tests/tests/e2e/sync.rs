//! From a manifest to answered queries.

use anyhow::{Context, Result, ensure};
use bitcoin::{OutPoint, consensus::encode};
use e2e::{expected, index::Says, manifest::Manifest, node::Node, trial::in_namespace};
use futures::try_join;

const HEIGHT: u32 = 130;
/// A block whose transactions may have been spent since.
const PAYING: u32 = 112;

#[tokio::test]
async fn an_applied_indexer_becomes_ready_and_answers_clients_from_the_chain() -> Result<()> {
    in_namespace("sync", async |namespace| {
        let node = Node::start(namespace, HEIGHT).await?;
        let index = Manifest::of("outpoints").apply(namespace).await?;
        let ready = index.follows_to(HEIGHT).await?;

        let tip = node.rpc.tip().await?;
        let active = ready
            .status
            .as_ref()
            .and_then(|status| status.active.as_ref())
            .context("a revision is active")?;
        ensure!(
            active.block_hash == Some(tip.hash.to_string()),
            "{active:?} is not at {tip:?}"
        );
        ensure!(active.behind == Some(0) && ready.digest().is_some(), "{active:?}");

        let blocks = node.rpc.blocks(0..=HEIGHT).await?;
        let tx = blocks[PAYING as usize]
            .txdata
            .last()
            .context("a block has transactions")?;
        let script = &tx.output[0].script_pubkey;
        let paid = encode::serialize(&OutPoint {
            txid: tx.compute_txid(),
            vout: 0,
        });
        let spent = tx.input[0].previous_output;
        let spent_bytes = encode::serialize(&spent);
        let (row, paying, spender, last) = try_join!(
            index.view_through_service("outpoint", "outpoint", &paid),
            index.view_through_service("script", "script", script.as_bytes()),
            index.view_through_service("spender", "spender", &spent_bytes),
            index.view_through_service("tip", "tip", &[]),
        )?;
        ensure!(
            row == expected::outpoint_row(PAYING, tx, 0),
            "outpoint: {}",
            hex::encode(row)
        );
        ensure!(
            paying == expected::outpoints_paying(script, &blocks),
            "script: {}",
            hex::encode(paying)
        );
        ensure!(
            spender == expected::spender(spent, &blocks) && !spender.is_empty(),
            "spender: {}",
            hex::encode(spender)
        );
        ensure!(
            last == expected::tip_row(HEIGHT, &blocks[HEIGHT as usize]),
            "tip: {}",
            hex::encode(last)
        );
        Ok(())
    })
    .await
}
