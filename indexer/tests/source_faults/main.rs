//! A source whose answers cannot be trusted: each block arrives whole, in order and once, and every fault is named.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)] // helpers of tests fail like tests

#[path = "../support/node.rs"]
mod node;
#[path = "../support/ports.rs"]
mod ports;
mod proxy;
#[path = "../support/report.rs"]
mod report;
#[path = "../support/seeded.rs"]
mod seeded;

use std::{collections::BTreeMap, env, sync::Arc, time::Duration};

use bitcoin::{Block, consensus::deserialize};
use crds::{
    Network,
    pod::{
        self,
        source_reasons::{BAD_ANSWER, UNAUTHORIZED, UNREACHABLE},
    },
};
use indexer::{
    chain::{BlockRef, Height},
    pipeline::fetch::{self, FetchEnd, Heights},
    source::{BlockSource, Headers, bitcoind::Bitcoind},
};
use node::Node;
use proxy::{Fault, Proxy};
use report::report;
use seeded::Seeded;
use tokio::sync::{Semaphore, mpsc};

/// Blocks that must arrive. Most of the time goes into mining them.
fn blocks() -> u32 {
    if env::var_os("SHREWD_SOAK").is_some() {
        10_000
    } else {
        3_000
    }
}

/// How long may pass without a block and without a failure.
const PATIENCE: Duration = Duration::from_secs(60);

/// What came out of the first stage, restarted after every failure as the pipeline does, only without its pauses.
struct Received {
    source: Arc<Bitcoind>,
    blocks: Vec<BlockRef>,
    /// How often it failed, by reason.
    failures: BTreeMap<&'static str, u32>,
}

impl Received {
    fn new(url: String) -> Self {
        let source = pod::Source {
            urls: vec![url],
            ..pod::Source::default()
        };
        Self {
            source: Arc::new(Bitcoind::new(&source, Network::Regtest).unwrap()),
            blocks: Vec::new(),
            failures: BTreeMap::new(),
        }
    }

    /// Receives blocks until there are so many, or until so many failures.
    async fn until(&mut self, blocks: usize, failures: u32) {
        while self.blocks.len() < blocks && self.failures.values().sum::<u32>() < failures {
            let (tx, mut rx) = mpsc::channel(64);
            let (source, indexed) = (self.source.clone(), self.blocks.clone());
            let stage = tokio::spawn(async move {
                let local = indexed.last().copied();
                let known = |height: Height| Ok(indexed.get(height.0 as usize).map(|at| at.hash));
                let budget = Arc::new(Semaphore::new(16 * fetch::BLOCK_KIB_MAX as usize));
                fetch::run(source.as_ref(), Heights::ALL, local, known, tx, budget, &report()).await
            });
            while self.blocks.len() < blocks {
                let received = tokio::time::timeout(PATIENCE, rx.recv()).await;
                let Some(fetched) = received.expect("neither a block nor a failure") else {
                    break;
                };
                self.take(&fetched.block);
            }
            drop(rx);
            match stage.await.unwrap() {
                FetchEnd::Failed(error) => {
                    assert!(!error.message().is_empty());
                    *self.failures.entry(error.reason()).or_default() += 1;
                }
                FetchEnd::Closed | FetchEnd::Uncommitted => {}
                FetchEnd::StoreFailed(fault) => panic!("{fault}"),
                // An answer that lacks its first header reads as a chain that lacks our block.
                FetchEnd::Reorg { fork } => self.blocks.truncate(fork.map_or(0, |fork| fork.height.0 as usize + 1)),
            }
        }
    }

    /// The next block: in its place, on the one before, and whole.
    fn take(&mut self, block: &indexer::chain::Block) {
        assert_eq!(block.at.height.0 as usize, self.blocks.len(), "lost or twice");
        let decoded: Block = deserialize(&block.bytes).unwrap();
        assert_eq!(decoded.block_hash(), block.at.hash);
        assert!(decoded.check_merkle_root() && decoded.check_witness_commitment());
        if let Some(before) = self.blocks.last() {
            assert_eq!(decoded.header.prev_blockhash, before.hash);
        }
        self.blocks.push(block.at);
    }
}

/// The chain as the node itself tells it.
async fn chain(node: &Node) -> Vec<BlockRef> {
    let source = Bitcoind::new(&node.source(), Network::Regtest).unwrap();
    let mut chain = Vec::new();
    loop {
        match source.headers_after(chain.last().copied(), 2000).await.unwrap() {
            Headers::Next(next) if next.is_empty() => return chain,
            Headers::Next(next) => chain.extend(next.iter().map(|link| link.at)),
            Headers::NotInChain => panic!("no reorg here"),
        }
    }
}

/// Contract §8.2.
#[tokio::test(flavor = "multi_thread")]
async fn thousands_of_blocks_arrive_through_every_fault_and_each_fault_is_named() {
    let mut seeded = Seeded::from_env();
    let mut node = Node::start();
    node.mine(blocks());
    let proxy = Proxy::new(node.url(), seeded.fork()).await;
    let mut received = Received::new(proxy.url());
    let cases: [(Fault, &[&str]); 12] = [
        (Fault::Late, &[]),
        (Fault::BreaksOff, &[UNREACHABLE]),
        (Fault::Shorter, &[BAD_ANSWER]),
        (Fault::Changed, &[BAD_ANSWER]),
        (Fault::OfAnother, &[BAD_ANSWER]),
        (Fault::Swapped, &[BAD_ANSWER]),
        (Fault::Status(401), &[UNAUTHORIZED]),
        (Fault::Status(403), &[UNAUTHORIZED]),
        (Fault::Status(404), &[BAD_ANSWER]),
        (Fault::Status(500), &[BAD_ANSWER]),
        (Fault::Status(503), &[UNREACHABLE]),
        (Fault::Reset, &[UNREACHABLE]),
    ];
    let part = blocks() as usize / (2 * cases.len());
    for (number, (fault, reasons)) in cases.into_iter().enumerate() {
        let mut some = seeded.fork();
        // Some blocks; other answers are spoiled below.
        proxy.spoil(Box::new(move |path, _| {
            (path.starts_with("/rest/block/") && some.percent(15)).then_some(fault)
        }));
        received.until(part * (number + 1), u32::MAX).await;
        let done = proxy.spoil(Box::new(|_, _| None));
        assert!(done.contains_key(&fault), "{fault:?}: {done:?}");
        let failures = std::mem::take(&mut received.failures);

        assert_eq!(failures.keys().copied().collect::<Vec<_>>(), reasons, "{fault:?}");
    }
    // All of it at once, in every answer.
    let mut choice = seeded.fork();
    proxy.spoil(Box::new(move |_, _| {
        let fault = cases[usize::try_from(choice.one_of(0..=cases.len() as u64 - 1)).unwrap()].0;
        // Without this interface a node is asked by the other one: another failure, and a test of its own.
        (choice.percent(8) && fault != Fault::Status(404)).then_some(fault)
    }));
    received.until(blocks() as usize + 1, u32::MAX).await;
    println!("failures at last: {:?}", received.failures);
    for reason in [UNREACHABLE, UNAUTHORIZED, BAD_ANSWER] {
        assert!(received.failures.contains_key(reason), "{reason}");
    }
    assert!(received.blocks == chain(&node).await);
}

/// Contract §8.2.
#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_fails_twice_for_every_block_delivers_each_once() {
    let mut node = Node::start();
    node.mine(150);
    let proxy = Proxy::new(node.url(), Seeded::new(1)).await;
    proxy.spoil(Box::new(|path, before| {
        let faults = [Fault::Reset, Fault::Status(500)];
        path.starts_with("/rest/block/")
            .then(|| faults.get(before as usize).copied())
            .flatten()
    }));
    let mut received = Received::new(proxy.url());
    received.until(151, u32::MAX).await;
    assert_eq!(received.blocks, chain(&node).await);
    for at in &received.blocks {
        assert!(proxy.asked(&format!("/rest/block/{}.bin", at.hash)) >= 3);
    }
    assert!(received.failures.contains_key(UNREACHABLE) && received.failures.contains_key(BAD_ANSWER));
}

/// Contract §8.11.
#[tokio::test(flavor = "multi_thread")]
async fn twenty_faults_in_a_row_end_well() {
    let mut node = Node::start();
    node.mine(30);
    for fault in [Fault::Reset, Fault::Status(503), Fault::Shorter] {
        let proxy = Proxy::new(node.url(), Seeded::new(1)).await;
        proxy.spoil(Box::new(move |_, _| Some(fault)));
        let mut received = Received::new(proxy.url());
        received.until(31, 20).await;
        assert_eq!(received.failures.values().sum::<u32>(), 20, "{fault:?}");
        assert_eq!(received.blocks, []);
        proxy.spoil(Box::new(|_, _| None));
        received.until(31, u32::MAX).await;
        assert_eq!(received.blocks, chain(&node).await);
    }
}
