//! A run that a person starts with flags: which network it is of, and what ends it.
#![allow(clippy::unwrap_used)] // All of it is tests, though the lint sees that of the functions marked so only.

mod logging;
#[path = "../support/node.rs"]
mod node;
#[path = "../support/ports.rs"]
mod ports;
#[path = "../support/process.rs"]
mod process;
mod variables;

use std::path::Path;

use node::Node;
use process::{Process, Setup};

const CHAINED: &str = include_str!("../support/chained.wat");

fn setup(folder: &Path, node: &Node, flags: &[&str]) -> Setup {
    Setup {
        module: process::module(folder, CHAINED),
        node: node.url(),
        data: folder.join("data"),
        flags: flags.iter().map(ToString::to_string).collect(),
        variables: Vec::new(),
    }
}

/// Its last words, once it has ended with an error.
async fn last_words(mut process: Process) -> String {
    assert!(!process.exit().await.success(), "{}", process.log());
    process.log().lines().last().unwrap().to_owned()
}

#[tokio::test]
async fn the_network_is_the_nodes_at_first_and_the_stores_from_then_on() {
    let folder = tempfile::tempdir().unwrap();
    let mut node = Node::start();
    let tip = node.mine(5);
    let local = setup(folder.path(), &node, &[]);
    let mut process = local.start_on(&[]);
    let status = process.wait_for_tip(tip).await;
    let listed = reqwest::get(format!("{}/views", process.ops_url())).await.unwrap();
    assert_eq!(listed.text().await.unwrap(), r#"{"views":["get"],"leftOut":0}"#);
    process.kill();
    let mut declared = local.start();
    assert_eq!(declared.wait_for_tip(tip).await.revision, status.revision);
    declared.kill();

    let other = Node::start_with(&["-chain=main", "-rest=1"]);
    let swapped = setup(folder.path(), &other, &[]);
    let words = last_words(swapped.start_on(&[])).await;
    assert!(
        words.contains("is not on regtest") && words.contains("give the address of a regtest node"),
        "{words}"
    );
    let mut back = local.start_on(&[]);
    assert_eq!(back.wait_for_tip(tip).await.revision, status.revision);
}

#[tokio::test]
async fn a_node_that_can_never_be_used_ends_the_run_with_the_reason() {
    // Without REST, so that credentials are needed.
    let node = Node::start_with(&[]);
    let cases: [(&[&str], &[&str], &str); 4] = [
        (&["--auth", "someone:else"], &["--network", "regtest"], "HTTP 401"),
        (&["--auth", "someone:else"], &[], "HTTP 401"),
        (&[], &["--network", "regtest"], "does not offer REST"),
        (
            &["--auth", "someone:something"],
            &["--network", "signet"],
            "is not on signet",
        ),
    ];
    for (flags, network, expected) in cases {
        let folder = tempfile::tempdir().unwrap();
        let words = last_words(setup(folder.path(), &node, flags).start_on(network)).await;
        assert!(words.contains(expected), "{flags:?} {network:?}: {words}");
    }
}

#[tokio::test]
async fn a_first_block_above_the_tip_is_said_once_and_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let mut node = Node::start();
    node.mine(5);
    let mut process = setup(folder.path(), &node, &["--start-block", "8"]).start();
    let words = "the first block, 8, is above the node's tip 5";
    process
        .wait("words about the start", |status| status.source.message.contains(words))
        .await;
    node.mine(1);
    let words = "the first block, 8, is above the node's tip 6";
    process
        .wait("words about the start", |status| status.source.message.contains(words))
        .await;
    let tip = node.mine(3);
    let status = process.wait_for_tip(tip).await;
    assert_eq!(status.source.message, "");
    let log = process.log();
    assert_eq!(
        log.matches("the first block is above the node's tip").count(),
        1,
        "{log}"
    );
}

/// Says a word in each block.
const SAYS: &str = r#"(module
  (import "env" "__log" (func $log (param i32)))
  (import "env" "__flush" (func $flush (param i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "\05\00\00\00hello\00\00\00\00\00\00\00\00\00\00\00")
  (func (export "_start")
    (call $log (i32.const 4))
    (call $flush (i32.const 20))))"#;

/// An author of a module looks for them there, without any setting.
#[tokio::test]
async fn what_a_guest_says_in_a_block_is_in_the_log() {
    let folder = tempfile::tempdir().unwrap();
    let mut node = Node::start();
    let tip = node.mine(2);
    let mut says = setup(folder.path(), &node, &[]);
    says.module = process::module(folder.path(), SAYS);
    let mut process = says.start();
    process.wait_for_tip(tip).await;
    let log = process.log();
    let lines: Vec<&str> = log.lines().filter(|line| line.contains("hello")).collect();
    assert_eq!(lines.len(), 3, "{log}");
    assert!(lines[2].contains(" INFO guest: hello height=2"), "{}", lines[2]);
}
