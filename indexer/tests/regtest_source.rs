//! The chain source and the fetch stage against real nodes.
#![allow(clippy::unwrap_used)] // All of it is tests, though the lint sees that of the functions marked so only.

#[path = "regtest_source/contract.rs"]
mod contract;
#[path = "regtest_source/files.rs"]
mod files;
#[path = "support/node.rs"]
mod node;
#[path = "support/ports.rs"]
mod ports;
#[path = "support/report.rs"]
mod report;

use std::{fs, sync::Arc, time::Duration};

use bitcoin::BlockHash;
use crds::{
    Network,
    pod::{self, source_reasons},
};
use indexer::{
    chain::{BlockRef, Height},
    pipeline::fetch::{self, FetchEnd, Heights},
    source::{BlockSource, Error, Login, bitcoind::Bitcoind},
};
use node::Node;
use report::report;
use tokio::sync::{Semaphore, mpsc};

const PATIENCE: Duration = Duration::from_secs(30);

fn bitcoind(source: &pod::Source) -> Bitcoind {
    Bitcoind::new(source, Network::Regtest).unwrap()
}

/// A node with REST, and a source that can use nothing else; a node without REST, and a source for it.
fn both_interfaces() -> [(Node, Bitcoind); 2] {
    let (rest, rpc) = (Node::start(), Node::start_with(&["-rest=0"]));
    let (by_rest, by_rpc) = (bitcoind(&rest.source()), bitcoind(&rpc.source_with_credentials()));
    [(rest, by_rest), (rpc, by_rpc)]
}

fn other_hash() -> BlockHash {
    "11".repeat(32).parse().unwrap()
}

#[tokio::test]
async fn a_chain_is_read_whole_by_either_interface() {
    for (mut node, source) in both_interfaces() {
        // More than one answer holds by JSON-RPC.
        contract::reads_a_chain_whole(&mut node, &source, 600).await;
        let unknown = BlockRef {
            hash: other_hash(),
            ..node.tip()
        };
        assert!(matches!(source.block(unknown).await, Err(Error::NoBlock { .. })));
    }
}

#[tokio::test]
async fn a_reorganised_chain_no_longer_has_the_old_blocks_but_still_serves_them() {
    for (mut node, source) in both_interfaces() {
        contract::follows_a_reorg(&mut node, &source).await;
    }
}

#[tokio::test]
async fn another_node_serves_while_the_first_is_away() {
    let (mut first, mut second) = (Node::start(), Node::start());
    let tip = first.mine(5);
    for height in 1..=5 {
        second.submit(&first.block(first.at(height)));
    }
    let urls = vec![first.url(), second.url()];
    let source = bitcoind(&pod::Source {
        urls,
        ..pod::Source::default()
    });
    assert_eq!(source.tip().await.unwrap(), tip);
    first.stop();
    assert_eq!(source.tip().await.unwrap(), tip);
    let newer = second.mine(1);
    assert_eq!(source.tip().await.unwrap(), newer);
    // Back again, the first is not asked at once, and is when the second fails.
    first.resume();
    assert_eq!(source.tip().await.unwrap(), newer);
    second.stop();
    assert_eq!(source.tip().await.unwrap(), tip);
    first.stop();
    let error = source.tip().await.unwrap_err();
    assert_eq!(error.reason(), source_reasons::UNREACHABLE);
    assert!(error.message().starts_with(&first.url()), "{}", error.message());
}

#[tokio::test]
async fn credentials_are_read_again_when_the_node_refuses_them() {
    let node = Node::start_with(&["-rest=0"]);
    let dir = tempfile::tempdir().unwrap();
    let source = bitcoind(&pod::Source {
        credentials_dir: Some(dir.path().into()),
        ..node.source()
    });
    let reason = async || source.tip().await.unwrap_err().reason();
    assert_eq!(reason().await, source_reasons::CREDENTIALS_MISSING);
    fs::copy(node.credentials_dir().join("username"), dir.path().join("username")).unwrap();
    assert_eq!(reason().await, source_reasons::CREDENTIALS_MISSING);
    fs::write(dir.path().join("password"), "wrong").unwrap();
    assert_eq!(reason().await, source_reasons::UNAUTHORIZED);
    fs::copy(node.credentials_dir().join("password"), dir.path().join("password")).unwrap();
    assert_eq!(source.tip().await.unwrap(), node.tip());
}

#[tokio::test]
async fn a_cookie_is_read_again_when_the_node_has_a_new_one() {
    let mut node = Node::start_with(&["-rest=0", "-rpccookieperms=owner"]);
    let source = bitcoind(&pod::Source {
        cookie_file: Some(node.cookie_file()),
        ..node.source()
    });
    let tip = node.mine(1);
    assert_eq!(source.tip().await.unwrap(), tip);
    let cookie = fs::read(node.cookie_file()).unwrap();
    node.stop();
    assert_eq!(source.tip().await.unwrap_err().reason(), source_reasons::UNREACHABLE);
    node.resume();
    assert_ne!(fs::read(node.cookie_file()).unwrap(), cookie);
    assert_eq!(source.tip().await.unwrap(), tip);

    fs::write(node.cookie_file(), "no colon").unwrap();
    let error = bitcoind(&pod::Source {
        cookie_file: Some(node.cookie_file()),
        ..node.source()
    });
    let error = error.tip().await.unwrap_err();
    assert_eq!(error.reason(), source_reasons::CREDENTIALS_MISSING);
    assert!(
        error.message().contains("it is no USER:PASSWORD"),
        "{}",
        error.message()
    );
}

#[tokio::test]
async fn user_and_password_that_were_given_once_are_used() {
    let node = Node::start_with(&["-rest=0"]);
    let read = |name: &str| {
        fs::read_to_string(node.credentials_dir().join(name))
            .unwrap()
            .trim()
            .to_owned()
    };
    let mut login = Login {
        username: read("username"),
        password: read("password"),
    };
    let source = |login: &Login| Bitcoind::with_login(&node.source(), Network::Regtest, Some(login)).unwrap();
    assert_eq!(source(&login).tip().await.unwrap(), node.tip());
    login.password.push('x');
    let error = source(&login).tip().await.unwrap_err();
    assert_eq!(error.reason(), source_reasons::UNAUTHORIZED);
    assert!(!error.message().contains(&login.password), "{}", error.message());
}

#[tokio::test]
async fn a_node_that_goes_back_is_waited_for() {
    let mut node = Node::start();
    node.mine(30);
    let source = bitcoind(&node.source());
    let indexed: Vec<BlockHash> = (0..=30).map(|height| node.at(height).hash).collect();
    let (tx, mut blocks) = mpsc::channel(4);
    let report = Arc::new(report());
    report.update(|status| status.height = Some(30));
    let stage = tokio::spawn({
        let (tip, report) = (node.tip(), report.clone());
        async move {
            let budget = Arc::new(Semaphore::new(fetch::BLOCK_KIB_MAX as usize));
            let known = |height: Height| Ok(indexed.get(height.0 as usize).copied());
            fetch::run(&source, Heights::ALL, Some(tip), known, tx, budget, &report).await
        }
    });
    // Started from older data, say: what it lost comes back.
    let gone = node.invalidate(25);
    let lower = async || {
        while report.tip() != Some(24) || report.status().source.reason != source_reasons::NODE_BEHIND {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(PATIENCE, lower()).await.unwrap();
    let nothing = tokio::time::timeout(Duration::from_secs(2), blocks.recv()).await;
    assert!(nothing.is_err() && !stage.is_finished(), "{nothing:?}");
    node.reconsider(gone);
    let next = node.mine(1);
    let fetched = tokio::time::timeout(PATIENCE, blocks.recv()).await.unwrap().unwrap();
    assert_eq!(fetched.block.at, next);
    assert_eq!(report.status().source.reason, source_reasons::FOLLOWING);
}

/// Contract §8.2.
#[tokio::test]
async fn a_node_that_cannot_serve_is_named_with_the_reason() {
    let no_interface = Node::start_with(&["-rest=0"]);
    let error = bitcoind(&no_interface.source()).tip().await.unwrap_err();
    assert_eq!(error.reason(), source_reasons::NO_INTERFACE);

    let signet_node = Node::start_with(&["-rest=1", "-chain=signet"]);
    let signet = Bitcoind::new(&signet_node.source(), Network::Signet).unwrap();
    assert_eq!(signet.tip().await.unwrap_err().reason(), source_reasons::INITIAL_SYNC);
    let mainnet = Bitcoind::new(&signet_node.source(), Network::Mainnet).unwrap();
    let error = mainnet.tip().await.unwrap_err();
    assert_eq!(error.reason(), source_reasons::WRONG_NETWORK);
    assert!(error.message().contains("not on mainnet"), "{}", error.message());
}

/// Contract §8.2.
#[tokio::test]
async fn a_pruned_block_is_told_from_one_that_never_was() {
    // Whole block files can go: 64 KiB, some 250 blocks.
    for rest in ["-rest=1", "-rest=0"] {
        let mut node = Node::start_with(&[rest, "-prune=1"]);
        let tip = node.mine(900);
        node.call("pruneblockchain", &["400"]);
        let source = bitcoind(&node.source_with_credentials());
        assert_eq!(source.block(tip).await.unwrap().at, tip);
        let error = source.block(node.at(1)).await.unwrap_err();
        assert!(matches!(error, Error::Pruned { height: Height(1), .. }), "{error}");
        let unknown = BlockRef {
            height: Height(880),
            hash: other_hash(),
        };
        assert!(matches!(source.block(unknown).await, Err(Error::NoBlock { .. })));
    }
}

#[tokio::test]
async fn the_fetch_stage_follows_a_node_up_to_a_reorg() {
    let mut node = Node::start();
    node.mine(30);
    let source = Arc::new(bitcoind(&node.source()));
    let (tx, mut blocks) = mpsc::channel(4);
    let indexed: Vec<BlockHash> = (0..=30).map(|height| node.at(height).hash).collect();
    let stage = tokio::spawn({
        let (source, indexed) = (source.clone(), indexed.clone());
        async move {
            let known = |height: Height| Ok(indexed.get(height.0 as usize).copied());
            let budget = Arc::new(Semaphore::new(fetch::BLOCK_KIB_MAX as usize));
            fetch::run(source.as_ref(), Heights::ALL, None, known, tx, budget, &report()).await
        }
    });
    for height in 0..=30 {
        let fetched = tokio::time::timeout(PATIENCE, blocks.recv()).await.unwrap().unwrap();
        assert_eq!(
            fetched.block.at,
            BlockRef {
                height: Height(height),
                hash: indexed[height as usize]
            }
        );
    }
    let fork = node.at(24);
    node.invalidate(25);
    node.mine(7);
    let end = tokio::time::timeout(PATIENCE, stage).await.unwrap().unwrap();
    assert!(
        matches!(end, FetchEnd::Reorg { fork: Some(found) } if found == fork),
        "{end:?}"
    );
}
