//! Disks that are full, that fail, that lie: nothing wrong is served, the failure has a name, and what is committed
//! survives it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)] // helpers of tests fail like tests

mod damage;
mod disk_full;
mod failing_calls;
#[allow(dead_code)] // The tests of the store use all of it.
#[path = "../store/fixture.rs"]
mod fixture;
#[path = "../support/node.rs"]
mod node;
#[path = "../support/process.rs"]
mod process;
mod tmpfs;

use std::path::{Path, PathBuf};

use node::Node;
use process::Setup;

/// The guest that folds all blocks into one number, and writes 64 KiB with each.
fn heavy_guest(folder: &Path) -> PathBuf {
    let text = include_str!("../support/chained.wat");
    let flush = "(call $flush (i32.const 0x404))";
    let more = r"(i32.store (i32.const 0x480008) (local.get $height)) (call $noise) (call $flush (i32.const 0x480004))";
    let data = r#"(data (i32.const 0x480000) "\0c\00\01\00" "\0a\06b/...." "\0a\80\80\04")"#;
    // Of the value, which no compression may make less.
    let noise = r"(func $noise (local $at i32) (local $x i32)
      (local.set $at (i32.const 0x480010))
      (loop $next
        (local.set $x (i32.add (i32.mul (local.get $x) (i32.const 1664525)) (i32.const 1013904223)))
        (i32.store8 (local.get $at) (i32.shr_u (local.get $x) (i32.const 24)))
        (local.set $at (i32.add (local.get $at) (i32.const 1)))
        (br_if $next (i32.lt_u (local.get $at) (i32.const 0x490010)))))";
    let memory = r#"(memory (export "memory") 80)"#;
    assert!(text.contains(flush) && text.contains(memory));
    let text = text
        .replace(flush, &format!("{flush} {more}"))
        .replace(memory, &format!("{memory} {data} {noise}"));
    process::module(folder, &text)
}

/// How to run it with this node over a folder.
fn setup(module: &Path, node: &Node, data: PathBuf) -> Setup {
    Setup {
        module: module.into(),
        node: node.url(),
        data,
        flags: Vec::new(),
        variables: Vec::new(),
    }
}
