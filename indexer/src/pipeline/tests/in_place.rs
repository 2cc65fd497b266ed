//! Another module continues the data, while the chain moves.

use super::*;

/// The first module's guest with twice the work, so with other numbers from its first block on.
pub(super) fn other_guest() -> String {
    let other = CHAINED.replace("$rounds i32 (i32.const 1)", "$rounds i32 (i32.const 2)");
    assert_ne!(other, CHAINED);
    other
}

/// A configuration of the other module.
pub(super) fn other(at: Option<u32>) -> impl FnOnce(&mut Config) {
    move |config| {
        config.identity.module_sha256 = "cd".repeat(32);
        config.in_place = true;
        config.in_place_at = at;
    }
}

/// Follows a chain until this block and stops.
#[track_caller]
fn follow(folder: &Path, guest: &str, chain: MemorySource, tip: (u8, u32), change: impl FnOnce(&mut Config)) -> Status {
    let process = Process::start_in(folder, guest, chain, change);
    let status = process.wait_for_tip(tip.0, tip.1);
    assert_eq!(process.stop().0, PipelineEnd::Stopped);
    status
}

fn assert_verified(folder: &Path) {
    let store = Store::open_existing(folder).unwrap();
    assert_eq!(store.verify(|_| ()).unwrap().tip, store.tip());
}

/// The index of the first module alone.
fn alone(tip: u32) -> rows::Dump {
    let folder = tempfile::tempdir().unwrap();
    follow(folder.path(), CHAINED, MemorySource::up_to(1, tip), (1, tip), |_| {});
    rows::dump(folder.path())
}

#[test]
fn replicas_at_different_heights_go_on_from_the_same_one_to_the_same_index() {
    let ends = [40, 43, 48].map(|height| {
        let folder = tempfile::tempdir().unwrap();
        let chain = || MemorySource::up_to(1, height);
        let before = follow(folder.path(), CHAINED, chain(), (1, height), |_| {});
        assert!(before.lineage.is_empty());
        let status = follow(
            folder.path(),
            &other_guest(),
            MemorySource::up_to(1, 60),
            (1, 60),
            other(Some(41)),
        );
        let shown: Vec<_> = status.lineage.iter().map(|step| step.from_height).collect();
        assert_eq!(shown, [0, 41]);
        assert_verified(folder.path());
        (status.digest, rows::dump(folder.path()))
    });
    assert!(ends[0] == ends[1] && ends[0] == ends[2], "replicas differ");
    let digest = |guest: &str, change: fn(&mut Config)| {
        let folder = tempfile::tempdir().unwrap();
        follow(folder.path(), guest, MemorySource::up_to(1, 60), (1, 60), change).digest
    };
    assert_ne!(ends[0].0, digest(CHAINED, |_| {}));
    assert_ne!(ends[0].0, digest(&other_guest(), |config| other(None)(config)));
}

#[test]
fn a_module_that_is_taken_back_ends_like_one_that_was_never_left() {
    let folder = tempfile::tempdir().unwrap();
    let chain = |tip| MemorySource::up_to(1, tip);
    follow(folder.path(), CHAINED, chain(40), (1, 40), |_| {});
    follow(folder.path(), &other_guest(), chain(47), (1, 47), other(None));
    let status = follow(folder.path(), CHAINED, chain(55), (1, 55), |config| {
        config.in_place = true
    });
    assert!(status.lineage.is_empty());
    assert!(rows::dump(folder.path()) == alone(55), "another index");
}

#[test]
fn blocks_below_its_first_one_that_are_replaced_are_run_by_the_newest_module() {
    let end = |height: u32, at: u32, chain: MemorySource| {
        let folder = tempfile::tempdir().unwrap();
        follow(
            folder.path(),
            CHAINED,
            MemorySource::up_to(1, height),
            (1, height),
            |_| {},
        );
        let process = Process::start_in(folder.path(), &other_guest(), chain, other(Some(at)));
        if at == 41 {
            process.wait_for_tip(1, 45);
            process.source.replace(38, 2, 50);
        }
        let status = process.wait_for_tip(2, 50);
        assert_eq!(process.stop().0, PipelineEnd::Stopped);
        assert_eq!(status.lineage[1].from_height, 38);
        assert_verified(folder.path());
        rows::dump(folder.path())
    };
    let reorganised = end(40, 41, MemorySource::up_to(1, 45));
    let undisturbed = end(37, 38, forked(38, 50));
    assert!(reorganised == undisturbed, "another index");
}
