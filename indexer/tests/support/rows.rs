//! What lies on the disk of a closed store.
#![allow(dead_code)] // Each test program compiles this for itself and uses a part.
#![allow(clippy::unwrap_used)] // Tests, though the lints do not see it.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use indexer::{
    chain::Height,
    rows::{Codec, Memory, Merge, Place, Placed, Runs, Segment, Writer},
};
use rocksdb::{DB, IteratorMode, Options};

/// Keys and values in their order.
pub(crate) type Pairs = BTreeMap<Vec<u8>, Vec<u8>>;
/// Families of the database, and `rows`.
pub(crate) type Dump = BTreeMap<String, Pairs>;

/// The families of a store.
const FAMILIES: [&str; 3] = ["blocks", "segments", "meta"];

/// Everything in a store's folder: the database by family, and the rows that count. Which files the rows are in tells in
/// how many steps the index came about, not what it is; all that is checked of it is that no file is there for nothing.
pub(crate) fn dump(store: &Path) -> Dump {
    let db = read_only(store);
    let mut dump: Dump = ["blocks", "meta"]
        .into_iter()
        .map(|name| (name.to_owned(), family(&db, name)))
        .collect();
    let named: Vec<_> = segments(&db)
        .into_iter()
        .map(|(number, _)| path(store, number))
        .collect();
    assert_eq!(files(store), named, "a file is missing, or is nobody's");
    dump.insert("rows".into(), rows(store));
    dump
}

/// All rows that count.
pub(crate) fn rows(store: &Path) -> Pairs {
    let runs = Runs::new(placed(store));
    let mut merge = Merge::new(runs.runs(), &[]).unwrap();
    let mut rows = Pairs::new();
    while merge.next().unwrap() {
        let twice = rows.insert(merge.key().to_vec(), merge.value().to_vec());
        assert_eq!(twice, None, "{:02x?} is there twice", merge.key());
    }
    rows
}

/// The files of rows that belong to a store, opened.
pub(crate) fn placed(store: &Path) -> Vec<Arc<Placed>> {
    let memory = Memory::new(u64::MAX);
    let open = |(number, place)| {
        let segment = Segment::open(number, &path(store, number), &memory).unwrap();
        Placed::new(Arc::new(segment), place)
    };
    segments(&read_only(store)).into_iter().map(open).collect()
}

/// Files of rows in a store's folder, whether they belong to it or not.
pub(crate) fn files(store: &Path) -> Vec<PathBuf> {
    let all = fs::read_dir(store.join("rocksdb")).unwrap();
    let mut files: Vec<_> = all
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "rows"))
        .collect();
    files.sort();
    files
}

/// Changes a closed database behind the store's back.
pub(crate) fn tamper(store: &Path, change: impl FnOnce(&DB)) {
    change(&DB::open_cf(&Options::default(), store.join("rocksdb"), FAMILIES).unwrap());
}

/// Changes the rows of a closed store behind its back. They are in one file then.
pub(crate) fn tamper_rows(store: &Path, change: impl FnOnce(&mut Pairs)) {
    let mut rows = rows(store);
    let before = segments(&read_only(store));
    let (number, run) = before.last().map_or((0, 0), |(number, place)| (number + 1, place.run));
    change(&mut rows);
    let path = path(store, number);
    let mut writer = Writer::create(&path, Codec::Lz4).unwrap();
    for (key, value) in &rows {
        writer.push(key, value).unwrap();
    }
    writer.finish().unwrap();
    let segment = Segment::open(number, &path, &Memory::new(u64::MAX)).unwrap();
    let (lowest, highest) = segment.heights();
    tamper(store, |db| {
        let family = db.cf_handle("segments").unwrap();
        for (number, _) in before {
            db.delete_cf(family, number.to_be_bytes()).unwrap();
        }
        let place = [
            &run.to_be_bytes()[..],
            &lowest.0.to_be_bytes(),
            &highest.0.to_be_bytes(),
        ]
        .concat();
        db.put_cf(family, number.to_be_bytes(), place).unwrap();
    });
}

/// As another reader of the same files finds it.
fn read_only(store: &Path) -> DB {
    let mut options = Options::default();
    // As the store has it: opened without, for reading only, RocksDB stumbles over the logs it noted.
    options.set_track_and_verify_wals_in_manifest(true);
    DB::open_cf_for_read_only(&options, store.join("rocksdb"), FAMILIES, false).unwrap()
}

fn family(db: &DB, name: &str) -> Pairs {
    let all = db.iterator_cf(db.cf_handle(name).unwrap(), IteratorMode::Start);
    all.map(|row| row.map(|(key, value)| (key.into_vec(), value.into_vec())).unwrap())
        .collect()
}

/// Numbers and places of the files, as `store::schema` describes them.
fn segments(db: &DB) -> Vec<(u64, Place)> {
    let place = |(key, value): (Vec<u8>, Vec<u8>)| {
        let height = |at: usize| Height(u32::from_be_bytes(value[at..at + 4].try_into().unwrap()));
        let place = Place {
            run: u64::from_be_bytes(value[..8].try_into().unwrap()),
            lowest: height(8),
            highest: height(12),
            from: value[16..].to_vec(),
        };
        (u64::from_be_bytes(key.try_into().unwrap()), place)
    };
    family(db, "segments").into_iter().map(place).collect()
}

fn path(store: &Path, number: u64) -> PathBuf {
    store.join("rocksdb").join(format!("{number:012}.rows"))
}
