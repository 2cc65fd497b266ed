//! Which folders a store is opened in, and what is refused.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crds::{Identity, pod::FaultClass};
use indexer::{
    fault::Fault,
    store::{Error, Store, Vacancy},
};
use tempfile::{TempDir, tempdir};

use crate::fixture::{Chain, DEEP, commit, dump, files, identity, open, pairs, patiently, tamper};

/// A folder with a store of two blocks, and their chain.
fn indexed() -> (TempDir, Chain) {
    let dir = tempdir().unwrap();
    let mut chain = Chain::new(3);
    let store = open(dir.path(), 3, DEEP);
    for _ in 0..2 {
        commit(&store, chain.extend(0, pairs([("k", "v")])));
    }
    (dir, chain)
}

fn refusal(dir: &Path, identity: &Identity) -> Error {
    patiently(|| Store::open(dir, identity, DEEP)).expect_err("it must be refused")
}

/// Contract §8.14.
#[test]
fn another_index_is_refused_naming_both() {
    let (dir, chain) = indexed();
    let base = identity(3);
    let others = [
        Identity {
            module_sha256: "cd".repeat(32),
            ..base.clone()
        },
        Identity {
            network: crds::Network::Signet,
            ..base.clone()
        },
        Identity {
            start_height: 4,
            ..base.clone()
        },
        Identity {
            memory_limit_bytes: 1 << 30,
            ..base.clone()
        },
    ];
    for other in others {
        let error = refusal(dir.path(), &other);
        assert!(matches!(&error, Error::OtherIndex { .. }), "{error}");
        let text = error.to_string();
        for part in [
            base.revision().as_str(),
            other.revision().as_str(),
            "--in-place",
            "give an empty folder",
        ] {
            assert!(text.contains(part), "{text}");
        }
    }
    assert_eq!(open(dir.path(), 3, DEEP).tip(), chain.tip());
}

#[test]
fn an_index_of_another_format_is_refused() {
    let (dir, _) = indexed();
    fs::write(dir.path().join("shrewd-store"), "shrewd store, format 999\n").unwrap();
    let error = refusal(dir.path(), &identity(3));
    assert!(
        matches!(&error, Error::Format { found, .. } if found == "shrewd store, format 999"),
        "{error}"
    );
}

#[test]
fn a_second_open_of_a_folder_is_refused_until_the_first_is_closed() {
    let (dir, chain) = indexed();
    let first = open(dir.path(), 3, DEEP);
    let error = Store::open(dir.path(), &identity(3), DEEP).unwrap_err();
    assert!(matches!(error, Error::Locked { .. }), "{error}");
    assert_eq!(Fault::from(error).class, FaultClass::Host);
    drop(first);
    assert_eq!(open(dir.path(), 3, DEEP).tip(), chain.tip());
}

#[test]
fn a_folder_with_something_else_is_refused_and_left_alone() {
    let dir = tempdir().unwrap();
    drop(rocksdb::DB::open_default(dir.path()).unwrap());
    let names = || {
        let mut names: Vec<_> = fs::read_dir(dir.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        names.sort();
        names
    };
    let before = names();
    let error = refusal(dir.path(), &identity(0));
    assert!(matches!(error, Error::NotOurs { .. }), "{error}");
    assert_eq!(names(), before);
}

#[test]
fn missing_fresh_and_half_made_folders_are_taken() {
    let dir = tempdir().unwrap();
    let missing = dir.path().join("a/b");
    let volume = dir.path().join("volume");
    fs::create_dir_all(volume.join("lost+found")).unwrap();
    // Killed after the marker was made and before it was written.
    let unmarked = dir.path().join("unmarked");
    fs::create_dir_all(&unmarked).unwrap();
    fs::write(unmarked.join("shrewd-store"), "").unwrap();
    // Killed after RocksDB was made and before it got its families, by this version and by the one before.
    let bare = [2, 1].map(|format| {
        let bare = dir.path().join(format!("bare{format}"));
        fs::create_dir_all(&bare).unwrap();
        fs::write(bare.join("shrewd-store"), format!("shrewd store, format {format}\n")).unwrap();
        let mut options = rocksdb::Options::default();
        options.create_if_missing(true);
        drop(rocksdb::DB::open(&options, bare.join("rocksdb")).unwrap());
        bare
    });
    for folder in [missing, volume, unmarked].into_iter().chain(bare) {
        let mut chain = Chain::new(0);
        commit(&open(&folder, 0, DEEP), chain.extend(0, pairs([("k", "v")])));
        assert_eq!(open(&folder, 0, DEEP).tip(), chain.tip(), "{}", folder.display());
    }
}

#[test]
fn a_folder_that_cannot_be_made_is_an_error_of_the_host() {
    let dir = tempdir().unwrap();
    let file = dir.path().join("file");
    fs::write(&file, "").unwrap();
    let error = refusal(&file.join("store"), &identity(0));
    assert!(matches!(error, Error::Folder { .. }), "{error}");
    let fault = Fault::from(error);
    assert_eq!(fault.class, FaultClass::Host);
    assert!(
        fault.message.starts_with("create folder /") && fault.message.contains(": "),
        "{fault}"
    );
}

#[test]
fn what_contradicts_itself_is_refused_as_damaged() {
    type Change = fn(&rocksdb::DB);
    let changes: [(&str, Change); 8] = [
        ("tip above the blocks", |db| {
            db.put_cf(db.cf_handle("meta").unwrap(), "tip", [0, 0, 0, 9]).unwrap()
        }),
        ("no tip", |db| {
            db.delete_cf(db.cf_handle("meta").unwrap(), "tip").unwrap()
        }),
        ("no tip block", |db| {
            db.delete_cf(db.cf_handle("blocks").unwrap(), [0, 0, 0, 4]).unwrap()
        }),
        ("short block row", |db| {
            db.put_cf(db.cf_handle("blocks").unwrap(), [0, 0, 0, 4], [1; 79])
                .unwrap()
        }),
        ("no identity", |db| {
            db.delete_cf(db.cf_handle("meta").unwrap(), "identity").unwrap()
        }),
        ("a file without a number", |db| {
            db.put_cf(db.cf_handle("segments").unwrap(), [0; 7], [0; 16]).unwrap()
        }),
        ("a file without a place", |db| {
            db.put_cf(db.cf_handle("segments").unwrap(), [0; 8], [0; 15]).unwrap()
        }),
        ("a file of another number", |db| {
            db.put_cf(db.cf_handle("segments").unwrap(), [9; 9], [0; 16]).unwrap()
        }),
    ];
    for (name, change) in changes {
        let (dir, _) = indexed();
        tamper(dir.path(), change);
        let error = refusal(dir.path(), &identity(3));
        assert!(matches!(error, Error::Damaged { .. }), "{name}: {error}");
    }
}

#[test]
fn a_file_of_rows_that_is_gone_or_another_one_is_refused_and_named() {
    type Change = fn(&Path);
    let changes: [(&str, Change, &str); 3] = [
        ("gone", |file| fs::remove_file(file).unwrap(), "open /"),
        ("empty", |file| fs::write(file, "").unwrap(), "open /"),
        (
            "another",
            |file| fs::write(file, [7; 4096]).unwrap(),
            "is damaged: its footer is wrong",
        ),
    ];
    for (name, change, words) in changes {
        let (dir, _) = indexed();
        let file = files(dir.path()).pop().unwrap();
        change(&file);
        let error = refusal(dir.path(), &identity(3));
        assert!(matches!(error, Error::Rows(_)), "{name}: {error}");
        let fault = Fault::from(error);
        assert_eq!(fault.class, FaultClass::Host);
        for part in [words, file.to_str().unwrap(), "delete it to index again"] {
            assert!(fault.message.contains(part), "{name}: {fault}");
        }
    }
}

#[test]
fn files_of_rows_that_are_nobodys_are_removed() {
    let (dir, chain) = indexed();
    let before = dump(dir.path());
    let whole = files(dir.path()).pop().unwrap();
    let strays = ["000000000007.rows", "half.rows"].map(|name| dir.path().join("rocksdb").join(name));
    fs::copy(whole, &strays[0]).unwrap();
    fs::write(&strays[1], "half a file").unwrap();
    let other = dir.path().join("rocksdb/notes.txt");
    fs::write(&other, "of somebody else").unwrap();
    assert_eq!(open(dir.path(), 3, DEEP).tip(), chain.tip());
    assert!(other.exists() && strays.iter().all(|stray| !stray.exists()));
    assert_eq!(dump(dir.path()), before);
}

/// Names of files below a folder with their bytes.
fn contents(dir: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(contents(&path));
        } else {
            found.push((path.clone(), fs::read(path).unwrap()));
        }
    }
    found.sort();
    found
}

#[test]
fn a_store_that_lacks_the_file_current_is_refused_and_keeps_what_it_has() {
    let is_of = |name: &str, endings: &[&str]| endings.iter().any(|ending| name.ends_with(ending));
    // The file alone; and what a copy leaves that was interrupted before it came to the rest.
    for kept in [&[][..], &[".rows"], &[".sst"], &[".log"]] {
        let (dir, _) = indexed();
        let database = dir.path().join("rocksdb");
        fs::write(database.join("000000000999.sst"), "a table").unwrap();
        for entry in fs::read_dir(&database).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            if name == "CURRENT" || !kept.is_empty() && !is_of(name, kept) {
                fs::remove_file(path).unwrap();
            }
        }
        let before = contents(dir.path());
        for error in [
            refusal(dir.path(), &identity(3)),
            patiently(|| Store::open_existing(dir.path())).unwrap_err(),
            Vacancy::find(dir.path()).unwrap_err(),
        ] {
            assert!(matches!(error, Error::Incomplete { .. }), "{kept:?}: {error}");
            let text = error.to_string();
            for part in ["lacks rocksdb/CURRENT", "copy it again", "restore a snapshot"] {
                assert!(text.contains(part), "{text}");
            }
        }
        assert!(contents(dir.path()) == before, "{kept:?}: something was changed");
    }
}

#[test]
fn no_store_is_made_where_one_is_only_looked_at() {
    let dir = tempdir().unwrap();
    fs::write(dir.path().join("shrewd-store"), "").unwrap();
    fs::create_dir(dir.path().join("rocksdb")).unwrap();
    let error = patiently(|| Store::open_existing(dir.path())).unwrap_err();
    assert!(matches!(error, Error::Missing { .. }), "{error}");
    assert_eq!(fs::read_dir(dir.path().join("rocksdb")).unwrap().count(), 0);
}

#[test]
fn a_store_without_blocks_becomes_the_index_that_is_wanted() {
    let dir = tempdir().unwrap();
    let undone = tempdir().unwrap();
    let store = open(undone.path(), 3, DEEP);
    commit(&store, Chain::new(3).extend(0, pairs([("k", "v")])));
    store.unwind(None).unwrap();
    drop(store);
    for folder in [dir.path(), undone.path()] {
        drop(open(folder, 3, DEEP));
        let mut chain = Chain::new(0);
        let store = open(folder, 0, DEEP);
        assert_eq!((store.start().0, store.lineage().newest()), (0, &identity(0)));
        commit(&store, chain.extend(0, pairs([("k", "v")])));
        drop(store);
        assert!(dump(folder) == chain.fresh_dump(), "another index");
        let error = refusal(folder, &identity(3));
        assert!(matches!(error, Error::OtherIndex { .. }), "{error}");
    }
}
