//! The process dies at each named step of publishing, tidying up and restoring: what is there is whole at any time, and
//! the next process continues.

use std::{env, num::NonZeroU32, os::unix::process::ExitStatusExt as _, path::Path, time::Duration};

use tempfile::{TempDir, tempdir};

use self::fixture::{Chain, DEEP, commit, dump, existing, open, pairs};
use super::{
    Pace,
    manifest::{Manifest, Wanted},
    place::{Access, Place},
    plan::Retention,
    publish::{Published, Publisher},
    restore::{Check, Restorer},
    verify,
};
use crate::{chain::Height, fault::point::run_until, store::Store};

#[allow(clippy::duplicate_mod, dead_code, unused_imports)] // Tests of the store have it too, and use all of it.
#[path = "../../tests/store/fixture.rs"]
mod fixture;

/// Set for the process that dies: the folder it works in.
const VICTIM_DIR: &str = "SHREWD_SNAPSHOT_VICTIM_DIR";
const SIGABRT: i32 = 6;
/// The blocks of the first snapshot and of the second one.
const TIPS: [u32; 2] = [6, 12];

fn now<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.unwrap().block_on(work)
}

fn chain(blocks: u32) -> Chain {
    let mut chain = Chain::new(0);
    for height in 0..blocks {
        let own = (0..20).map(|n| (format!("{height}/{n}"), format!("{height:>200}")));
        chain.extend(0, pairs(own));
    }
    chain
}

/// An index with so many blocks, in the folder `data`. Begun, or continued.
fn index(folder: &Path, blocks: u32) -> Store {
    let store = open(&folder.join("data/store"), 0, DEEP);
    let next = store.tip().map_or(0, |tip| tip.at.height.0 + 1);
    for block in chain(blocks).blocks.iter().skip(next as usize) {
        commit(&store, block);
    }
    store
}

fn place(folder: &Path) -> Place {
    Place::new(
        &format!("file://{}", folder.join("remote").display()),
        &Access::default(),
    )
    .unwrap()
}

fn publish(folder: &Path, store: &Store, retention: Option<Retention>) -> Published {
    let publisher = Publisher {
        place: place(folder),
        data_dir: folder.join("data"),
        retention,
    };
    now(publisher.publish(store, &mut Pace::new(None), |_| ())).unwrap()
}

/// Only the newest snapshot stays, and at once no file that it does not name.
fn newest_alone() -> Option<Retention> {
    Some(Retention {
        keep: NonZeroU32::MIN,
        grace: Duration::ZERO,
    })
}

fn publish_both(folder: &Path) {
    for tip in TIPS {
        let store = index(folder, tip);
        publish(folder, &store, newest_alone());
    }
}

/// Restores the newest snapshot into the folder `copy`; gives how many bytes were received.
fn restore(folder: &Path) -> (Manifest, u64) {
    let place = place(folder);
    let name = now(place.names()).unwrap().pop().unwrap();
    let restorer = Restorer {
        place,
        name,
        wanted: Wanted::default(),
        pinned: None,
        check: Check::Digests,
        data_dir: folder.join("copy"),
        store_dir: folder.join("copy/store"),
    };
    let mut received = 0;
    let restored = now(restorer.restore(&mut Pace::new(None), |progress| received = progress.total_bytes));
    (restored.unwrap(), received)
}

/// Every snapshot there is can be used. Gives the heights.
fn whole_snapshots(folder: &Path) -> Vec<Height> {
    let place = place(folder);
    let mut heights = Vec::new();
    for name in now(place.names()).unwrap() {
        if now(place.manifest(&name)).unwrap().is_some() {
            now(verify::files(
                &place,
                &name,
                &Wanted::default(),
                None,
                &mut Pace::new(None),
                |_| (),
            ))
            .unwrap();
            heights.push(name.height);
        }
    }
    heights
}

fn dies(victim: &str, folder: &Path, point: &str, times: u32) -> bool {
    let test = format!("snapshot::tests::{victim}");
    let ended = run_until(&test, (VICTIM_DIR, folder), point, times);
    assert!(
        ended.success() || ended.signal() == Some(SIGABRT),
        "{point}#{times}: {ended}"
    );
    !ended.success()
}

fn victims_folder() -> std::path::PathBuf {
    env::var_os(VICTIM_DIR)
        .expect("only as a child of the tests below")
        .into()
}

#[test]
#[ignore = "started by a test below, as the process that dies"]
fn publisher() {
    publish_both(&victims_folder());
}

#[test]
#[ignore = "started by a test below, as the process that dies"]
fn restorer() {
    restore(&victims_folder());
}

#[test]
fn a_publisher_that_dies_leaves_whole_snapshots_and_the_next_one_completes_its_own() {
    let points = [
        ("snapshot linked", &[1, 2][..]),
        ("file uploaded", &[1, 3, 7, 10, 12]),
        ("before the manifest", &[1, 2]),
        ("manifest written", &[1, 2]),
        ("manifest removed", &[1]),
        ("file removed", &[1, 2]),
    ];
    for (point, all_times) in points {
        for times in all_times {
            let dir = tempdir().unwrap();
            let folder = dir.path();
            assert!(
                dies("publisher", folder, point, *times),
                "{point}#{times} was not reached"
            );
            let heights = whole_snapshots(folder);
            if ["manifest written", "manifest removed", "file removed"].contains(&point) {
                assert!(!heights.is_empty(), "{point}#{times}");
            }
            publish_both(folder);
            assert_eq!(whole_snapshots(folder), [Height(TIPS[1] - 1)], "{point}#{times}");
            assert_only_named_files(folder);
            assert!(!folder.join("data/snapshot").exists(), "links are left");
            restore(folder);
            let (copy, original) = (folder.join("copy/store"), folder.join("data/store"));
            assert!(dump(&copy) == dump(&original), "another index, {point}#{times}");
        }
    }
}

/// No file is left that the newest snapshot does not name.
fn assert_only_named_files(folder: &Path) {
    let place = place(folder);
    let name = now(place.names()).unwrap().pop().unwrap();
    let manifest = Manifest::parse(&now(place.manifest(&name)).unwrap().unwrap()).unwrap();
    let mut named: Vec<_> = manifest.files.iter().map(|file| file.sha256).collect();
    let mut stored: Vec<_> = now(place.files()).unwrap().iter().map(|file| file.sha256).collect();
    named.sort();
    named.dedup();
    stored.sort();
    assert_eq!(stored, named);
}

#[test]
fn what_a_publisher_that_died_had_uploaded_is_not_uploaded_again() {
    let uploaded = |before: u32| {
        let dir = tempdir().unwrap();
        let folder = dir.path();
        if before > 0 {
            assert!(dies("publisher", folder, "file uploaded", before));
        }
        // Not the files that differ from link to link: the options, the log of versions, and the name of that.
        let stay = now(place(folder).files()).unwrap().len();
        let store = index(folder, TIPS[0]);
        (stay, publish(folder, &store, None).uploaded.0)
    };
    let (_, all) = uploaded(0);
    let (stayed, rest) = uploaded(5);
    assert_eq!(stayed, 5);
    assert!(
        rest < all && rest + stayed >= all && rest + stayed <= all + 3,
        "{rest} of {all}, {stayed} were there"
    );
}

#[test]
fn a_restore_that_dies_leaves_no_store_and_the_next_one_continues() {
    let source = tempdir().unwrap();
    let store = index(source.path(), TIPS[1]);
    publish(source.path(), &store, None);
    drop(store);
    let fresh = |source: &TempDir| {
        let dir = tempdir().unwrap();
        std::os::unix::fs::symlink(source.path().join("remote"), dir.path().join("remote")).unwrap();
        dir
    };
    let whole = fresh(&source);
    let (manifest, all_bytes) = restore(whole.path());
    assert_eq!(manifest.bytes(), all_bytes);
    let wanted = dump(&source.path().join("data/store"));
    let dir = fresh(&source);
    for time in 0..10 {
        assert!(dies("restorer", dir.path(), "file received", 1), "{time}");
        assert!(!dir.path().join("copy/store").exists());
        // Each time one file more: what was whole stayed.
        assert_eq!(received_files(dir.path()), time + 1);
    }
    let (_, rest) = restore(dir.path());
    assert!(rest < all_bytes, "{rest} of {all_bytes} were received again");
    assert!(dump(&dir.path().join("copy/store")) == wanted, "another index");

    let dir = fresh(&source);
    assert!(dies("restorer", dir.path(), "snapshot received", 1));
    assert!(!dir.path().join("copy/store").exists());
    restore(dir.path());
    drop(existing(&dir.path().join("copy/store")));
    assert!(dump(&dir.path().join("copy/store")) == wanted, "another index");
    assert!(!dir.path().join("copy/restore").exists());
}

/// How many files are whole.
fn received_files(folder: &Path) -> usize {
    std::fs::read_dir(folder.join("copy/restore/rocksdb")).unwrap().count()
}
