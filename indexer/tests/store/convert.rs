//! A store of format 1 becomes one of the present format when it is opened.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crds::Identity;
use indexer::{
    chain::Height,
    store::{Error, Refusal, Store},
};

use crate::{
    fixture::{
        Chain, DEEP, Dump, assert_reads, commit, dump, existing, files, go_on, identity, module, open, patiently,
    },
    format_1::{START, TIP, contents, store},
};

/// What the version before said of its tip.
const DIGEST: &str = "8a73ef88853c673900c319448d63950966c12c3aca7ad30f6b104617ebe88507";
const ENTRIES: u64 = 4_788;

/// That everything is as the chain says, at every height.
fn assert_converted(store: &Store, chain: &Chain) {
    assert_eq!(store.tip(), chain.tip());
    assert_eq!(store.tip().unwrap().digest.to_string(), DIGEST);
    let stats = store.stats();
    assert_eq!((stats.entries, stats.raw_bytes), (ENTRIES, chain.bytes()));
    let verified = store.verify(|_| ()).unwrap();
    assert_eq!((verified.tip, verified.entries), (chain.tip(), ENTRIES));
    for height in START - 1..=TIP {
        // What it wrote, what is not there yet, and what was there before.
        let near = chain
            .blocks
            .iter()
            .filter(|block| block.tip.at.height.0.abs_diff(height) < 2);
        let keys = near.chain(chain.blocks.first()).flat_map(|block| block.pairs.keys());
        assert_reads(&mut store.reader(Height(height)), &chain.as_of(height), keys);
    }
}

#[test]
fn a_store_of_format_1_is_converted_by_whatever_opens_it() {
    type Open = fn(&Path) -> Store;
    let opened: [(&str, Open); 4] = [
        ("a command", existing),
        ("its first module", |dir| open(dir, START, DEEP)),
        ("its newest module", |dir| {
            patiently(|| Store::open(dir, &module("cd", START), DEEP)).unwrap()
        }),
        ("another one", |dir| {
            go_on(dir, &module("ef", START), None, DEEP).unwrap()
        }),
    ];
    for (by, opened) in opened {
        let (dir, mut chain) = store();
        let store = opened(dir.path());
        assert_converted(&store, &chain);
        let newest = store.lineage().newest().clone();
        drop(store);
        let marker = fs::read_to_string(dir.path().join("shrewd-store")).unwrap();
        assert_eq!(marker, "shrewd store, format 2\n", "{by}");
        let families = rocksdb::DB::list_cf(&rocksdb::Options::default(), dir.path().join("rocksdb")).unwrap();
        assert_eq!(families, ["default", "blocks", "meta", "segments"], "{by}");

        // It continues as one that was always like this.
        let store = go_on(dir.path(), &newest, None, DEEP).unwrap();
        if newest != identity(START) {
            chain.hand_over(&newest);
        }
        let pairs = chain.blocks[0].pairs.clone();
        commit(&store, chain.extend(0, pairs));
        drop(store);
        assert!(dump(dir.path()) == chain.fresh_dump(), "{by}: another index");
    }
}

#[test]
fn what_is_converted_is_not_converted_again() {
    let (dir, chain) = store();
    drop(existing(dir.path()));
    let rows = || {
        let files = files(dir.path());
        let times: Vec<_> = files
            .iter()
            .map(|file| fs::metadata(file).unwrap().modified().unwrap())
            .collect();
        (files, times)
    };
    let before = rows();
    assert_converted(&existing(dir.path()), &chain);
    assert_eq!(rows(), before);
}

#[test]
fn blocks_of_a_converted_store_can_be_undone_one_by_one() {
    let (dir, mut chain) = store();
    let store = open(dir.path(), START, DEEP);
    for to in [77, 40, START] {
        store.unwind(Some(Height(to))).unwrap();
        chain.cut(to);
        let all = chain.as_of(TIP);
        assert_reads(&mut store.reader(Height(u32::MAX)), &all, all.keys());
        store.verify(|_| ()).unwrap();
    }
    drop(store);
    assert!(dump(dir.path()) == chain.fresh_dump(), "another index");
}

#[test]
fn a_store_of_format_1_that_is_refused_stays_as_it_is() {
    let other = Identity {
        network: crds::Network::Signet,
        ..identity(START)
    };
    let depth = 4;
    let (dir, _) = store();
    let before = contents(dir.path());
    let assert_same = |case: &str| {
        let after = contents(dir.path());
        let names = |files: &[(PathBuf, Vec<u8>)]| files.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
        assert_eq!(names(&after), names(&before), "{case}");
        assert!(after == before, "{case}: files are changed");
    };
    for wanted in [other, module("ef", START), identity(START + 1)] {
        let error = patiently(|| Store::open(dir.path(), &wanted, depth)).unwrap_err();
        assert!(matches!(error, Error::OtherIndex { .. }), "{error}");
        assert_same("another index");
    }
    let refused = |name, at| match go_on(dir.path(), &module(name, START), at, depth) {
        Err(Error::InPlace { refusal, .. }) => refusal,
        other => panic!("{other:?}"),
    };
    assert!(matches!(refused("ef", Some(90)), Refusal::Short { .. }));
    assert_same("too short");
    assert!(matches!(refused("ef", Some(70)), Refusal::TooDeep { .. }));
    assert_same("too deep");
    drop(go_on(dir.path(), &module("ef", START), Some(76), depth).unwrap());
    assert!(contents(dir.path()) != before);
}

/// The version before wrote rows into a file beside the database, which a batch announced, before RocksDB took it over.
#[test]
fn a_file_that_was_to_be_taken_over_belongs_to_the_store_if_it_was_announced() {
    let (dir, chain) = store();
    let [announced, other] = ["add-78-78-8a73", "add-79-79-8a73"].map(|name| format!("pending-{name}.sst"));
    tamper_before(dir.path(), |db| {
        let (rows, meta) = (db.cf_handle("rows").unwrap(), db.cf_handle("meta").unwrap());
        let options = rocksdb::Options::default();
        let mut file = rocksdb::SstFileWriter::create(&options);
        file.open(dir.path().join(&announced)).unwrap();
        for row in db.iterator_cf(rows, rocksdb::IteratorMode::Start) {
            let (key, value) = row.unwrap();
            if key.ends_with(&(!TIP).to_be_bytes()) {
                file.put(&key, value).unwrap();
                db.delete_cf(rows, key).unwrap();
            }
        }
        file.finish().unwrap();
        db.put_cf(meta, "pending", &announced).unwrap();
    });
    fs::write(dir.path().join(&other), "rows of a block that is not in the store").unwrap();
    assert_converted(&existing(dir.path()), &chain);
    assert!(!dir.path().join(announced).exists() && !dir.path().join(other).exists());
    assert!(dump(dir.path()) == dump_of_converted(), "another index");
}

fn dump_of_converted() -> Dump {
    let (dir, _) = store();
    drop(existing(dir.path()));
    dump(dir.path())
}

/// Changes a database of format 1.
fn tamper_before(dir: &Path, change: impl FnOnce(&rocksdb::DB)) {
    let families = ["rows", "blocks", "undo", "meta"];
    let db = rocksdb::DB::open_cf(&rocksdb::Options::default(), dir.join("rocksdb"), families);
    change(&db.unwrap());
}

#[test]
fn rows_that_are_not_those_of_the_blocks_stop_a_conversion() {
    let (dir, _) = store();
    tamper_before(dir.path(), |db| {
        let rows = db.cf_handle("rows").unwrap();
        let (key, _) = db
            .iterator_cf(rows, rocksdb::IteratorMode::Start)
            .next()
            .unwrap()
            .unwrap();
        db.delete_cf(rows, key).unwrap();
    });
    for _ in 0..2 {
        let error = patiently(|| Store::open_existing(dir.path())).unwrap_err();
        assert!(
            error
                .to_string()
                .contains("it has 4787 rows, and its blocks wrote 4788"),
            "{error}"
        );
    }
}
