//! Fills a regtest node with blocks: the same ones every time, from one seed.
#![allow(clippy::print_stdout)] // a command's result goes there

use anyhow::{Context, Result};
use clap::Parser;
use e2e::{bitcoind::Bitcoind, chain::recipe::Recipe, mine};

/// Extends the chain of a regtest node with valid blocks. The credentials are taken from `RPC_USER` and `RPC_PASSWORD`.
#[derive(Parser)]
struct Args {
    /// The node's JSON-RPC, such as `http://127.0.0.1:18443`.
    #[arg(long, value_name = "URL")]
    rpc: String,
    /// Extend the chain up to this height; a chain that is there already stays as it is.
    #[arg(long, value_name = "HEIGHT", required_unless_present = "add")]
    blocks: Option<u32>,
    /// Extend the chain by this many blocks.
    #[arg(long, value_name = "N", conflicts_with = "blocks")]
    add: Option<u32>,
    /// Transactions in each block, from some blocks above height 100 on.
    #[arg(long, default_value_t = 20)]
    txs: usize,
    /// Blocks as full as those of a busy main network.
    #[arg(long, conflicts_with = "txs")]
    dense: bool,
    /// Another seed is another chain.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Leave the node's chain above this height, so that it reorganises to the new branch.
    #[arg(long, value_name = "HEIGHT")]
    fork_at: Option<u32>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let Args {
        rpc,
        blocks,
        add,
        txs,
        dense,
        seed,
        fork_at,
    } = Args::parse();
    let credential = |name| std::env::var(name).with_context(|| format!("{name} is not set"));
    let node = Bitcoind::new(&rpc, &credential("RPC_USER")?, &credential("RPC_PASSWORD")?)?;
    let recipe = if dense {
        Recipe::dense(seed)
    } else {
        Recipe::light(seed, txs)
    };
    let to_height = match (blocks, add) {
        (Some(height), _) => height,
        (None, more) => node.tip().await?.height + more.unwrap_or(0),
    };
    let tip = match fork_at {
        None => mine::extend(&node, recipe, to_height).await?,
        Some(height) => mine::fork(&node, recipe, height, to_height).await?,
    };
    println!("{} {}", tip.height, tip.hash);
    Ok(())
}
