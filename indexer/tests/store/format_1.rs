//! A store of format 1, written by the version that had it, and what is in it.

use std::{
    fs,
    path::{Path, PathBuf},
};

use tempfile::TempDir;

use super::fixture::{Chain, pairs};

/// Its first height and its last.
pub(crate) const START: u32 = 3;
pub(crate) const TIP: u32 = 78;

/// A copy of the store's folder, and the chain it was built from.
pub(crate) fn store() -> (TempDir, Chain) {
    let dir = tempfile::tempdir().unwrap();
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/store-format-1");
    fs::create_dir(dir.path().join("rocksdb")).unwrap();
    for (from, to) in [
        (data.clone(), dir.path().into()),
        (data.join("rocksdb"), dir.path().join("rocksdb")),
    ] {
        for file in files(&from) {
            fs::copy(&file, to.join(file.file_name().unwrap())).unwrap();
        }
    }
    (dir, chain())
}

fn chain() -> Chain {
    let mut chain = Chain::new(START);
    for height in START..=TIP {
        let own = (0..60).map(|n| (format!("{height}/{n}"), format!("{height}-{n}").repeat(5)));
        let every = [
            ("same".into(), height.to_string()),
            (String::new(), "empty key".into()),
            ("long".repeat(64), height.to_string()),
        ];
        chain.extend(0, pairs(own.chain(every)));
    }
    chain
}

/// Names and bytes of all files below a store's folder.
pub(crate) fn contents(dir: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let all = [dir.into(), dir.join("rocksdb")]
        .into_iter()
        .flat_map(|dir| files(&dir));
    all.map(|file| (file.clone(), fs::read(file).unwrap())).collect()
}

fn files(dir: &Path) -> Vec<PathBuf> {
    let all = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = all.filter(|path| path.is_file()).collect();
    files.sort();
    files
}
