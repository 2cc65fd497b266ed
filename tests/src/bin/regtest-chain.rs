//! Fills a regtest node, or a folder, with blocks: the same ones every time, from one seed.
#![allow(clippy::print_stdout)] // a command's result goes there

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Parser;
use e2e::{bitcoind::Bitcoind, block_file, chain::recipe::Recipe, mine};

/// Extends the chain of a regtest node with valid blocks. The credentials are taken from `RPC_USER` and `RPC_PASSWORD`.
#[derive(Parser)]
struct Args {
    /// The node's JSON-RPC, such as `http://127.0.0.1:18443`.
    #[arg(long, value_name = "URL", required_unless_present = "folder")]
    rpc: Option<String>,
    /// Without a node: make the chain in this folder, in the format of a node's block files.
    #[arg(long, value_name = "DIR", requires = "blocks", conflicts_with_all = ["rpc", "add", "fork_at"])]
    folder: Option<PathBuf>,
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
        folder,
        blocks,
        add,
        txs,
        dense,
        seed,
        fork_at,
    } = Args::parse();
    let recipe = if dense {
        Recipe::dense(seed)
    } else {
        Recipe::light(seed, txs)
    };
    if let Some(folder) = folder {
        let chain = block_file::write(&folder, recipe, blocks.unwrap_or(0))?;
        println!("{} {}", chain.height(), chain.tip());
        return Ok(());
    }
    let credential = |name| std::env::var(name).with_context(|| format!("{name} is not set"));
    let (rpc, user, password) = (
        rpc.unwrap_or_default(),
        credential("RPC_USER")?,
        credential("RPC_PASSWORD")?,
    );
    let node = Bitcoind::new(&rpc, &user, &password)?;
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
