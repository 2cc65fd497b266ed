//! The chain all figures are measured on: the same every time, made by one seed, served by a real node.
//!
//! Three parts of one chain: blocks with nothing but a coinbase, blocks of some 20 transactions, dense blocks.

use std::{fs, ops::Range, path::Path, process::Command};

use indexer::chain::{Block, BlockRef, Height, check_block};

use crate::node::Node;

/// Heights of the three parts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    /// The last block with nothing but a coinbase.
    pub(crate) small: u32,
    /// The last one of some 20 transactions.
    pub(crate) light: u32,
    /// The last dense one, and the tip.
    pub(crate) dense: u32,
}

impl Shape {
    /// Nothing but small blocks.
    pub(crate) const fn small(tip: u32) -> Self {
        Self {
            small: tip,
            light: tip,
            dense: tip,
        }
    }
}

/// A node that has the chain.
pub(crate) struct Chain {
    pub(crate) node: Node,
    pub(crate) shape: Shape,
}

impl Chain {
    /// Starts a node in a folder, and makes the chain if it is not there yet.
    pub(crate) fn provide(folder: &Path, shape: Shape) -> Self {
        fs::create_dir_all(folder).expect("make the node's folder");
        // Its blocks are dated long ago, which must not keep it busy with catching up.
        let node = Node::start_in(folder, &["-rest=1", "-maxtipage=2000000000"]);
        let chain = Self { node, shape };
        chain.extend(shape.small, &["--txs", "0"]);
        chain.extend(shape.light, &["--txs", "20"]);
        chain.extend(shape.dense, &["--dense"]);
        chain
    }

    /// The same with a tip that is no higher than wanted: a longer chain of before is made once more.
    pub(crate) fn provide_no_longer(folder: &Path, shape: Shape) -> Self {
        let chain = Self::provide(folder, shape);
        if chain.node.tip().height.0 == shape.dense {
            return chain;
        }
        drop(chain);
        fs::remove_dir_all(folder).expect("remove the longer chain");
        Self::provide(folder, shape)
    }

    fn extend(&self, to: u32, kind: &[&str]) {
        let mut maker = Command::new(beside_us("regtest-chain"));
        let (username, password) = self.node.credentials();
        maker
            .args(["--rpc", &self.node.url(), "--blocks", &to.to_string()])
            .args(kind)
            .env("RPC_USER", username)
            .env("RPC_PASSWORD", password);
        let output = maker.output().expect("start regtest-chain");
        assert!(
            output.status.success(),
            "regtest-chain: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }

    pub(crate) fn dense(&self) -> Range<u32> {
        self.shape.light + 1..self.shape.dense + 1
    }

    pub(crate) fn light(&self) -> Range<u32> {
        self.shape.small + 1..self.shape.light + 1
    }

    /// Blocks of the node, in memory.
    pub(crate) fn blocks(&self, heights: Range<u32>) -> Vec<Block> {
        let client = reqwest::Client::builder()
            .no_proxy()
            .build()
            .expect("make an HTTP client");
        let runtime = tokio::runtime::Runtime::new().expect("start a runtime");
        runtime.block_on(async {
            let mut blocks = Vec::new();
            for height in heights {
                let get = async |path: String| {
                    let answer = client.get(format!("{}/rest/{path}", self.node.url())).send().await;
                    answer.expect("ask the node").bytes().await.expect("the node's answer")
                };
                let hash = get(format!("blockhashbyheight/{height}.hex")).await;
                let hash = std::str::from_utf8(&hash).expect("text").trim().to_owned();
                let bytes = get(format!("block/{hash}.bin")).await;
                let at = BlockRef {
                    height: Height(height),
                    hash: hash.parse().expect("a block hash"),
                };
                blocks.push(check_block(bytes, at, crds::Network::Regtest).expect("a block"));
            }
            blocks
        })
    }
}

/// A program of the workspace, which cargo put into the folder above ours.
pub(crate) fn beside_us(name: &str) -> std::path::PathBuf {
    let us = std::env::current_exe().expect("our own path");
    let program = us.parent().and_then(Path::parent).expect("target/release").join(name);
    assert!(program.exists(), "no {}: run `make build` first", program.display());
    program
}
