//! The bytes on disk. Stores of running installations hold them: a change here takes a new `STORE_FORMAT`.

use std::{
    fmt::Write,
    fs,
    path::{Path, PathBuf},
};

use indexer::store::Durability;
use rocksdb::IteratorMode;
use tempfile::tempdir;

use crate::fixture::{Chain, commit_all, dump, files, open, pairs, tamper};

/// Bytes of a file's last part, which begins with where the parts before it are.
const FOOTER_BYTES: usize = 64;

#[test]
fn bytes_on_disk_are_pinned() {
    let dir = tempdir().unwrap();
    let mut chain = Chain::new(880_000);
    let noise = |seed: &str, bytes: usize| {
        let mut noise = vec![0; bytes];
        blake3::Hasher::new()
            .update(seed.as_bytes())
            .finalize_xof()
            .fill(&mut noise);
        noise
    };
    // How a library compresses is no part of the format: nothing here becomes smaller by it.
    let (long_key, long_value) = (noise("key", 256), noise("value", 500));
    let text = |text: &str| text.as_bytes().to_vec();
    let own = |key: &str, value: &str| (text(key), text(value));
    chain.extend(
        0,
        pairs([own("table/a", "one"), own("table/b", ""), own("", "empty key")]),
    );
    chain.extend(0, pairs([own("table/a", "two"), (long_key, text("256 bytes"))]));
    chain.extend(
        0,
        pairs([
            own("table/a", "three"),
            (text("table/c"), long_value),
            own("other", "new"),
        ]),
    );
    let store = open(dir.path(), 880_000, 2);
    commit_all(&store, &chain.blocks, Durability::Lazy).unwrap();
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
    for (number, place) in segments(dir.path()) {
        writeln!(text, "segments {} {}", hex::encode(number), hex::encode(place)).unwrap();
    }
    let [file]: [PathBuf; 1] = files(dir.path()).try_into().unwrap();
    writeln!(text, "{}:", file.file_name().unwrap().display()).unwrap();
    for (name, bytes) in parts(&fs::read(file).unwrap()) {
        writeln!(text, "{name} {}", hex::encode(bytes)).unwrap();
    }
    expectorate::assert_contents("tests/golden/store_format.hex", &text);
}

/// A key and its value.
type Entry = (Box<[u8]>, Box<[u8]>);

/// The family of that name.
fn segments(dir: &Path) -> Vec<Entry> {
    let mut found = Vec::new();
    tamper(dir, |db| {
        let all = db.iterator_cf(db.cf_handle("segments").unwrap(), IteratorMode::Start);
        found = all.map(Result::unwrap).collect();
    });
    found
}

/// What a file consists of.
fn parts(file: &[u8]) -> [(&'static str, &[u8]); 4] {
    let (rest, footer) = file.split_at(file.len() - FOOTER_BYTES);
    let number = |at: usize| usize::try_from(u64::from_le_bytes(footer[at..at + 8].try_into().unwrap())).unwrap();
    let (index_at, filter_at) = (number(0), number(8));
    [
        ("blocks", &rest[..index_at]),
        ("index", &rest[index_at..filter_at]),
        ("filter", &rest[filter_at..]),
        ("footer", footer),
    ]
}
