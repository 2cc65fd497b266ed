//! The bytes on disk. Stores of running installations hold them: a change here takes a new `STORE_FORMAT`.

use std::{fmt::Write, fs};

use tempfile::tempdir;

use crate::fixture::{Chain, commit, dump, open, pairs};

#[test]
fn bytes_on_disk_are_pinned() {
    let dir = tempdir().unwrap();
    let mut chain = Chain::new(880_000);
    let store = open(dir.path(), 880_000, 2);
    let long_key = "long".repeat(64);
    commit(
        &store,
        chain.extend(0, pairs([("table/a", "one"), ("table/b", ""), ("", "empty key")])),
    );
    commit(
        &store,
        chain.extend(0, pairs([("table/a", "two"), (&long_key, "256 bytes")])),
    );
    commit(
        &store,
        chain.extend(0, pairs([("table/a", "three"), ("table/c", "new"), ("other", "new")])),
    );
    drop(store);
    let mut text = format!(
        "shrewd-store: {}",
        fs::read_to_string(dir.path().join("shrewd-store")).unwrap()
    );
    for (family, rows) in dump(dir.path()) {
        for (key, value) in rows {
            writeln!(text, "{family} {} {}", hex::encode(key), hex::encode(value)).unwrap();
        }
    }
    expectorate::assert_contents("tests/golden/store_format.hex", &text);
}
