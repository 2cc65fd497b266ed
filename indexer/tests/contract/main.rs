//! The contract's section 8 held against the real program and a real node: what neither a part alone nor a made-up chain
//! can show.
#![allow(clippy::unwrap_used)] // All of it is tests, though the lint sees that of the functions marked so only.

mod listed;
#[path = "../support/node.rs"]
mod node;
#[path = "../support/ports.rs"]
mod ports;
#[path = "../support/process.rs"]
mod process;

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use crds::pod::FaultClass;
use node::Node;
use process::{Process, Setup};
use serde_json::{Value, json};

const CHAINED: &str = include_str!("../support/chained.wat");
const TRAP_AT_150: &str = include_str!("../../../tests/guests/trap-at.wat");

fn setup(folder: &Path, node: &Node, text: &str) -> Setup {
    Setup {
        module: process::module(folder, text),
        node: node.url(),
        data: folder.join("data"),
        flags: Vec::new(),
        variables: Vec::new(),
    }
}

/// All that is known of each height, as answered now: hash, digest, two values.
async fn answers(process: &Process, tip: u32) -> Vec<[String; 4]> {
    let each = async |method, params: fn(u32) -> Value| process.call_each(method, (0..=tip).map(params)).await;
    let hashes = each("metashrew_getblockhash", |height| json!([height])).await;
    let digests = each("metashrew_stateroot", |height| json!([height])).await;
    // One that every block writes, and one that this block wrote.
    let latest = each("metashrew_view", |height| json!(["get", hex::encode("mix"), height])).await;
    let own = each("metashrew_view", |height| json!(["get", key_of(height), height])).await;
    let rows = hashes.into_iter().zip(digests).zip(latest).zip(own);
    rows.map(|(((hash, digest), latest), own)| [hash, digest, latest, own])
        .collect()
}

fn key_of(height: u32) -> String {
    format!("{}{}", hex::encode("h/"), hex::encode(height.to_le_bytes()))
}

/// The value of a metric without labels.
async fn metric(process: &Process, name: &str) -> u64 {
    let metrics = process.metrics().await;
    let line = metrics
        .lines()
        .find_map(|line| line.strip_prefix(&format!("shrewd_indexer_{name} ")));
    line.unwrap_or_else(|| panic!("no {name} in {metrics}"))
        .parse()
        .unwrap()
}

/// Contract §8.1, §8.5 and §8.8.
#[tokio::test]
async fn every_height_answers_the_same_for_ever_and_a_reorg_replaces_what_it_must() {
    let folder = tempfile::tempdir().unwrap();
    let mut node = Node::start();
    let mut process = setup(folder.path(), &node, CHAINED).start();
    let tip = node.mine(60);
    process.wait_for_tip(tip).await;
    assert_eq!(metric(&process, "blocks_total").await, 61, "each block once");
    let first = answers(&process, 60).await;
    let digests: BTreeSet<_> = first.iter().map(|row| &row[1]).collect();
    assert_eq!(digests.len(), 61);
    for (height, [hash, _, latest, own]) in (0..).zip(&first) {
        assert_eq!(*hash, format!("0x{}", node.at(height).hash));
        // Eight bytes each, and what the block wrote last is what is read at its height.
        assert!(latest == own && own.len() == 2 + 16, "{height}: {latest} {own}");
    }

    let tip = node.mine(40);
    process.wait_for_tip(tip).await;
    assert_eq!(metric(&process, "blocks_total").await, 101);
    let longer = answers(&process, 100).await;
    assert_eq!(longer[..=60], first);

    node.invalidate(90);
    let tip = node.mine(15);
    process.wait_for_tip(tip).await;
    assert_eq!(metric(&process, "blocks_total").await, 101 + 15);
    let replaced = answers(&process, tip.height.0).await;
    assert_eq!(replaced[..90], longer[..90]);
    for (height, [hash, digest, latest, own]) in (0..).zip(&replaced).skip(90) {
        assert_eq!(*hash, format!("0x{}", node.at(height).hash));
        assert!(latest == own && own.len() == 2 + 16, "{height}: {latest} {own}");
        if let Some(before) = longer.get(height as usize) {
            assert!(
                *hash != before[0] && *digest != before[1] && *own != before[3],
                "{height}"
            );
        }
    }
}

/// Contract §8.3.
#[tokio::test]
async fn a_guest_that_traps_leaves_everything_below_served_and_does_not_spin() {
    let folder = tempfile::tempdir().unwrap();
    let mut node = Node::start();
    node.mine(155);
    let mut trapped = setup(folder.path(), &node, TRAP_AT_150);
    let mut process = trapped.start();
    let status = process.wait("a halt", |status| status.halt.is_some()).await;
    let halt = status.halt.unwrap();
    assert_eq!((halt.class, halt.height, halt.runs), (FaultClass::Guest, 150, 2));
    assert_eq!((status.height, status.ready), (Some(149), false));
    assert_eq!(metric(&process, "halted").await, 1);
    assert_eq!(process.call("metashrew_height", json!([])).await, "149");
    for height in [0, 100, 149] {
        let value = process
            .call("metashrew_view", json!(["get", key_of(height), height]))
            .await;
        assert_eq!(value.len(), 2 + 64, "{height}");
    }
    let above = process.call("metashrew_view", json!(["get", key_of(150)])).await;
    assert_eq!(above, "0x");
    let refused = process
        .ask(json!({"jsonrpc": "2.0", "id": 1, "method": "metashrew_getblockhash", "params": [150]}))
        .await;
    assert!(refused["error"].is_object(), "{refused}");
    // Longer than it takes until it looks at the chain again.
    node.mine(1);
    process.wait("the new tip", |status| status.tip == Some(156)).await;
    let runs = process.log().matches("block failed").count();
    assert_eq!(runs, 2, "{}", process.log());
    process.terminate();
    assert!(process.exit().await.success(), "{}", process.log());

    trapped.flags = ["--exit-at", "153"].map(String::from).into();
    let mut process = trapped.start();
    assert!(!process.exit().await.success());
    let log = process.log();
    let words = log.lines().last().unwrap();
    assert!(
        words.contains("halted below block 150") && words.contains("no luck at height 150"),
        "{words}"
    );
}

/// The guest, for which block 5 never ends.
fn endless_at_5() -> String {
    let flush = "(call $flush (i32.const 0x404))";
    assert!(CHAINED.contains(flush));
    let endless = "(if (i32.eq (local.get $height) (i32.const 5)) (then (loop $endless (br $endless))))";
    CHAINED.replace(flush, &format!("{endless} {flush}"))
}

/// Contract §8.4 and §8.14.
#[tokio::test]
async fn a_block_under_way_neither_holds_up_views_nor_the_end_of_the_process() {
    let folder = tempfile::tempdir().unwrap();
    let mut node = Node::start();
    node.mine(8);
    let setup = setup(folder.path(), &node, &endless_at_5());
    let mut digest = None;
    for is_last in [false, true] {
        let mut process = setup.start();
        let status = process
            .wait("block 5 to run", |status| {
                status.height == Some(4) && status.block_under_way.is_some()
            })
            .await;
        let views: Vec<_> = (0..=4)
            .map(|height| process.call("metashrew_view", json!(["get", hex::encode("mix"), height])))
            .collect();
        let values = futures::future::join_all(views).await;
        assert_eq!(values.iter().collect::<BTreeSet<_>>().len(), 5, "{values:?}");
        let before = digest.replace(status.digest.clone().unwrap());
        assert!(
            before.is_none_or(|before| Some(before) == status.digest),
            "another index"
        );
        if is_last {
            let words = "the guest is still running this block";
            let seen = process
                .wait("eleven seconds", |status| {
                    status.block_under_way.as_ref().is_some_and(|block| block.seconds > 11)
                })
                .await;
            let block = seen.block_under_way.unwrap();
            assert_eq!((block.height, block.run_in_words().as_str()), (5, "first run"));
            let log = process.log();
            let line = log
                .lines()
                .find(|line| line.contains(words))
                .unwrap_or_else(|| panic!("{log}"));
            assert!(line.contains("height=5") && line.contains(&block.block_hash), "{line}");
        }
        process.terminate();
        assert!(process.exit().await.success(), "{}", process.log());
    }
}

/// Contract §8.14.
#[tokio::test]
async fn a_module_swapped_under_a_database_is_refused_and_the_old_one_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let mut node = Node::start();
    let tip = node.mine(3);
    let old = setup(folder.path(), &node, CHAINED);
    old.start().wait_for_tip(tip).await;
    let swapped = Setup {
        module: other_module(folder.path()),
        node: node.url(),
        data: old.data.clone(),
        flags: Vec::new(),
        variables: Vec::new(),
    };
    let mut process = swapped.start();
    assert!(!process.exit().await.success());
    let log = process.log();
    let words = log.lines().last().unwrap();
    let at = |part: &str| words.find(part).unwrap_or_else(|| panic!("no {part} in {words}"));
    assert!(at("holds revision") < at("--in-place") && at("--in-place") < at("give an empty folder for the new index"));
    drop(process);
    let tip = node.mine(1);
    old.start().wait_for_tip(tip).await;
}

fn other_module(folder: &Path) -> PathBuf {
    let folder = folder.join("other");
    fs::create_dir(&folder).unwrap();
    process::module(&folder, TRAP_AT_150)
}
