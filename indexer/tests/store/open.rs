//! Which folders a store is opened in, and what is refused.

use std::{fs, path::Path};

use crds::{Identity, STORE_FORMAT, pod::FaultClass};
use indexer::{
    fault::Fault,
    store::{Error, Store},
};
use tempfile::{TempDir, tempdir};

use crate::fixture::{Chain, DEEP, commit, dump, identity, open, pairs, tamper};

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
    Store::open(dir, identity, DEEP).expect_err("it must be refused")
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
    let error = refusal(dir.path(), &identity(3));
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
    // Killed after RocksDB was made and before it got its families.
    let bare = dir.path().join("bare");
    fs::create_dir_all(&bare).unwrap();
    fs::write(
        bare.join("shrewd-store"),
        format!("shrewd store, format {STORE_FORMAT}\n"),
    )
    .unwrap();
    let mut options = rocksdb::Options::default();
    options.create_if_missing(true);
    drop(rocksdb::DB::open(&options, bare.join("rocksdb")).unwrap());
    for folder in [missing, volume, unmarked, bare] {
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
    let changes: [(&str, Change); 5] = [
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
    ];
    for (name, change) in changes {
        let (dir, _) = indexed();
        tamper(dir.path(), change);
        let error = refusal(dir.path(), &identity(3));
        assert!(matches!(error, Error::Damaged { .. }), "{name}: {error}");
    }
}

#[test]
fn a_lost_undo_record_stops_an_unwind_at_its_block() {
    let (dir, chain) = indexed();
    tamper(dir.path(), |db| {
        db.delete_cf(db.cf_handle("undo").unwrap(), [0, 0, 0, 4]).unwrap()
    });
    let before = dump(dir.path());
    let store = open(dir.path(), 3, DEEP);
    assert!(matches!(store.unwind(None).unwrap_err(), Error::Damaged { .. }));
    assert_eq!(store.tip(), chain.tip());
    drop(store);
    assert_eq!(dump(dir.path()), before);
}
