//! The real program, killed at any instant of a sync while the real node's chain reorganises, ends with the index of an
//! undisturbed sync. Contract §8.10 and §8.7.
#![allow(clippy::unwrap_used, clippy::print_stdout)] // All of it is tests, though the lint sees that of the functions marked so only.

#[path = "support/heavy.rs"]
mod heavy;
#[path = "support/node.rs"]
mod node;
#[path = "support/ports.rs"]
mod ports;
#[path = "support/process.rs"]
mod process;
#[path = "support/rows.rs"]
mod rows;
#[path = "support/seeded.rs"]
mod seeded;

use std::{env, path::Path, time::Duration};

use crds::pod::Status;
use node::Node;
use process::{Index, Setup};
use seeded::Seeded;

/// The node is never further ahead of the index, so that the chain reorganises below the index again and again. Nor is it
/// far ahead: a node with tens of thousands of blocks beside its chain takes half a minute to leave it once more.
const AHEAD_MAX: u32 = 120;
/// How far below the last height heard of the chain forks. The index may be further by then, by all that is ahead of it.
const DEPTH_MAX: u64 = 20;

/// A process is killed so often over one sync.
fn kills() -> u32 {
    if env::var_os("SHREWD_SOAK").is_some() { 250 } else { 20 }
}

/// A guest with some milliseconds of work for each block, so that the instants of the kills spread over all steps of
/// many blocks and a look at the process finds it at work, and so many bytes that a sync of a hundred of them writes
/// files beside the database.
fn guest() -> String {
    let text = heavy::guest();
    let slow = text.replace("$rounds i32 (i32.const 1)", "$rounds i32 (i32.const 50000)");
    assert_ne!(slow, text);
    slow
}

fn setup(folder: &Path, node: &Node, name: &str) -> Setup {
    Setup {
        module: process::module(folder, &guest()),
        node: node.url(),
        data: folder.join(name),
        flags: ["--max-reorg-depth", "1000"].map(String::from).into(),
        variables: Vec::new(),
    }
}

/// Makes the chain longer, often on another branch that leaves the old one below the index.
fn move_chain(node: &mut Node, seeded: &mut Seeded, indexed: u32) {
    let tip = node.tip().height.0;
    let fork = indexed
        .min(tip)
        .saturating_sub(u32::try_from(seeded.one_of(0..=DEPTH_MAX)).unwrap());
    let gone = if fork > 0 && seeded.percent(60) {
        node.invalidate(fork);
        tip + 1 - fork
    } else {
        0
    };
    let room = (indexed + AHEAD_MAX).saturating_sub(tip).max(1);
    let more = if seeded.percent(30) {
        1
    } else {
        seeded.one_of(1..=u64::from(room))
    };
    node.mine(gone + u32::try_from(more).unwrap());
}

/// Lets a process run for a while that is sometimes too short even to start. The chain moves while it runs, and so does
/// the index. Gives its last words: how far it was, and how far behind.
async fn run_and_kill(setup: &Setup, node: &mut Node, seeded: &mut Seeded) -> Option<Status> {
    let mut process = setup.start();
    if seeded.percent(20) {
        // In the middle of opening, or of compiling.
        tokio::time::sleep(Duration::from_millis(seeded.one_of(0..=300))).await;
        process.kill();
        return None;
    }
    let opened = process.wait("its store", |status| status.height.is_some()).await;
    let from = opened.height.unwrap();
    if seeded.percent(50) {
        move_chain(node, seeded, from);
    }
    let tip = node.tip().height.0;
    if seeded.percent(50) && tip > from {
        // With blocks left to do, however fast the machine is and whenever it hears of them.
        let there = u32::try_from(seeded.one_of(u64::from(from)..=u64::from(tip - 1))).unwrap();
        let reached = |status: &Status| status.height.is_some_and(|height| height >= there);
        process.wait("a block", reached).await;
    } else {
        tokio::time::sleep(Duration::from_millis(seeded.one_of(0..=400))).await;
    }
    let last = process.status().await;
    process.kill();
    last
}

/// Contract §8.7 and §8.10.
#[tokio::test]
async fn a_sync_that_is_killed_again_and_again_ends_like_an_undisturbed_one() {
    let folder = tempfile::tempdir().unwrap();
    let mut seeded = Seeded::from_env();
    let mut node = Node::start();
    node.mine(AHEAD_MAX);
    let killed = setup(folder.path(), &node, "killed");
    let (mut indexed, mut at_work) = (0, 0);
    for _ in 0..kills() {
        if seeded.percent(50) {
            move_chain(&mut node, &mut seeded, indexed);
        }
        if let Some(last) = run_and_kill(&killed, &mut node, &mut seeded).await {
            indexed = last.height.unwrap_or(0);
            at_work += u32::from(last.behind != Some(0));
        }
    }
    // Not the last word of the chain: what survived must also go on.
    move_chain(&mut node, &mut seeded, indexed);
    let tip = node.tip();
    let mut survivor = killed.start();
    let survived = Index::of(&mut survivor, tip).await;
    let unwound = survivor.log().matches("unwinding").count();
    println!(
        "{} kills, {at_work} of them at work; {unwound} reorgs; {} blocks",
        kills(),
        tip.height
    );
    assert!(at_work > 0 && unwound > 0, "nothing was disturbed");

    let mut fresh = setup(folder.path(), &node, "fresh").start();
    assert_eq!(survived, Index::of(&mut fresh, tip).await);
    for mut process in [survivor, fresh] {
        process.terminate();
        assert!(process.exit().await.success(), "{}", process.log());
    }
    // Rows that are no longer read would not appear in an answer.
    let [survived, fresh] = ["killed", "fresh"].map(|name| rows::dump(&folder.path().join(name).join("store")));
    assert!(survived == fresh, "the databases differ");
}
