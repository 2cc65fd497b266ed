//! What lies on the disk of a closed store.
#![allow(clippy::unwrap_used)] // Tests, though the lints do not see it.

use std::{collections::BTreeMap, path::Path};

/// Everything in the database of a store's folder, by family, but for the name of the last file that was taken over:
/// it tells in how many steps the index came about, not what it is.
pub(crate) fn dump(store: &Path) -> BTreeMap<String, BTreeMap<Vec<u8>, Vec<u8>>> {
    let mut options = rocksdb::Options::default();
    // As the store has it: opened without, for reading only, RocksDB stumbles over the logs it noted.
    options.set_track_and_verify_wals_in_manifest(true);
    let path = store.join("rocksdb");
    let families = rocksdb::DB::list_cf(&options, &path).unwrap();
    let db = rocksdb::DB::open_cf_for_read_only(&options, &path, &families, false).unwrap();
    let read = |name: &String| {
        let all = db.iterator_cf(db.cf_handle(name).unwrap(), rocksdb::IteratorMode::Start);
        all.map(|row| row.map(|(key, value)| (key.into_vec(), value.into_vec())).unwrap())
            .filter(|(key, _): &(Vec<u8>, Vec<u8>)| (name.as_str(), key.as_slice()) != ("meta", b"pending"))
            .collect()
    };
    families.iter().map(|name| (name.clone(), read(name))).collect()
}
