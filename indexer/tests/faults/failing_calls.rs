//! Writes and syncs that fail: disks do not fail on demand, so the system calls are made to.

use std::{path::Path, process::Command};

use tempfile::tempdir;

use crate::{heavy_guest, node::Node, preload::library, process::Index, setup};

/// Input/output error.
const EIO: i32 = 5;

/// What fails: which call, on which files, from which time on. And on a store that is filled already, or on a new one.
type Case = (&'static str, &'static str, u32, bool);

const CASES: [Case; 17] = [
    ("write", "/rocksdb/000000.dbtmp", 1, false),
    ("write", "/rocksdb/MANIFEST", 3, false),
    ("write", "/rocksdb/000004.log", 1, false),
    ("write", "/rocksdb/000004.log", 3, false),
    ("write", ".sst", 1, true),
    ("write", ".rows", 1, false),
    ("write", ".rows", 2, false),
    ("fdatasync", "/rocksdb/MANIFEST", 1, false),
    ("fdatasync", "/rocksdb/000004.log", 1, false),
    ("fdatasync", "/rocksdb/000004.log", 2, false),
    ("fdatasync", ".sst", 1, true),
    ("fdatasync", ".rows", 1, false),
    ("fdatasync", ".rows", 2, false),
    ("fsync", "/rocksdb", 1, false),
    ("fsync", "/rocksdb", 3, false),
    ("fsync", "/store", 1, false),
    ("pread", ".rows", 1, true),
];

/// Contract §8.10 and §8.14.
#[tokio::test]
async fn a_call_that_fails_ends_the_run_in_words_and_the_next_one_goes_on() {
    let folder = tempdir().unwrap();
    let library = library(folder.path(), "failing", include_str!("failing.c"));
    let module = heavy_guest(folder.path());
    let mut node = Node::start();
    let tip = node.mine(40);
    let filled = folder.path().join("filled");
    let mut process = setup(&module, &node, filled.clone()).start();
    let wanted = Index::of(&mut process, tip).await;
    // What is in the log becomes table files when it is opened.
    process.kill();
    for (number, (call, path, from, on_filled)) in CASES.iter().enumerate() {
        let case = format!("{call} of {path}, from time {from} on");
        let data = folder.path().join(format!("data{number}"));
        if *on_filled {
            copy(&filled, &data);
        }
        let whole = setup(&module, &node, data.clone());
        let mut failing = setup(&module, &node, data);
        failing.variables = vec![
            ("LD_PRELOAD", library.display().to_string()),
            ("FAIL_CALL", (*call).into()),
            ("FAIL_PATH", (*path).into()),
            ("FAIL_FROM", from.to_string()),
            ("FAIL_ERRNO", EIO.to_string()),
        ];
        println!("{case}");
        let mut process = failing.start();
        assert!(!process.exit().await.success(), "{case}");
        let words = process.log().lines().last().unwrap_or_default().to_owned();
        assert!(
            words.contains("Input/output error") && words.contains("store"),
            "{case}: {words}"
        );
        assert!(
            ["delete it to index again", "start again", "shrewd-store"]
                .iter()
                .any(|way_out| words.contains(way_out)),
            "{case}: {words}"
        );
        drop(process);
        let mut process = whole.start();
        assert!(Index::of(&mut process, tip).await == wanted, "{case}");
    }
}

fn copy(from: &Path, to: &Path) {
    let copied = Command::new("cp").arg("-r").arg(from).arg(to).status();
    assert!(copied.unwrap().success());
}
