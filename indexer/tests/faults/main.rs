//! Disks that are full, that fail or that corrupt data: nothing wrong is served, the failure is named, and what is
//! committed survives.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)] // helpers of tests fail like tests

mod damage;
mod disk_full;
mod failing_calls;
#[allow(dead_code, unused_imports)] // The tests of the store use all of it.
#[path = "../store/fixture.rs"]
mod fixture;
mod full_pod;
#[path = "../support/heavy.rs"]
mod heavy;
#[path = "../support/node.rs"]
mod node;
#[path = "../support/ports.rs"]
mod ports;
#[path = "../support/preload.rs"]
mod preload;
#[path = "../support/process.rs"]
mod process;
mod successor;
mod tmpfs;

use std::path::{Path, PathBuf};

use node::Node;
use process::Setup;

/// Its file.
fn heavy_guest(folder: &Path) -> PathBuf {
    process::module(folder, &heavy::guest())
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
