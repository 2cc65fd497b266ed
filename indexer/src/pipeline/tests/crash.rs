//! The process dies at each named point in the processing of a block, and the next one completes the index as an
//! undisturbed run would.

use std::{env, os::unix::process::ExitStatusExt as _};

use super::{
    in_place::{other, other_guest},
    *,
};
use crate::fault::point::run_until;

/// Set for the process that dies: the folder of its store.
const VICTIM_DIR: &str = "SHREWD_VICTIM_DIR";
/// Where the tests of such processes are, as the harness knows them.
const VICTIMS: &str = "pipeline::tests::crash::";
/// The first block of a module that continues another one's data.
const TAKEN_OVER: u32 = 28;
/// The first block of the chain that the victim's one turns into, the last block of both, and SIGABRT.
const FORK: u32 = 25;
const TIPS: (u32, u32) = (30, 34);
const SIGABRT: i32 = 6;

/// Follows a chain and its reorganisation, and dies on the way.
#[test]
#[ignore = "started by the test below, as the process that dies"]
fn victim() {
    let folder = env::var_os(VICTIM_DIR).expect("only as a child of the test below");
    let process = Process::start_in(Path::new(&folder), CHAINED, MemorySource::up_to(1, TIPS.0), |_| {});
    process.wait_for_tip(1, TIPS.0);
    process.source.replace(FORK, 2, TIPS.1);
    process.wait_for_tip(2, TIPS.1);
}

/// Continues the first module's data as the other one, and dies on the way.
#[test]
#[ignore = "started by the test below, as the process that dies"]
fn heir() {
    let folder = env::var_os(VICTIM_DIR).expect("only as a child of the test below");
    let process = Process::start_in(
        Path::new(&folder),
        &other_guest(),
        forked(FORK, TIPS.1),
        other(Some(TAKEN_OVER)),
    );
    process.wait_for_tip(2, TIPS.1);
}

/// Takes the data back as the first module, and dies on the way.
#[test]
#[ignore = "started by the test below, as the process that dies"]
fn returning() {
    let folder = env::var_os(VICTIM_DIR).expect("only as a child of the test below");
    let process = Process::start_in(Path::new(&folder), CHAINED, forked(FORK, TIPS.1), |c| c.in_place = true);
    process.wait_for_tip(2, TIPS.1);
}

#[test]
fn a_process_that_ends_while_it_takes_data_over_or_back_goes_on_to_the_same_index() {
    let chain = || forked(FORK, TIPS.1);
    let end = |folder: &Path, guest: &str, change: &dyn Fn(&mut Config)| {
        let process = Process::start_in(folder, guest, chain(), change);
        process.wait_for_tip(2, TIPS.1);
        assert_eq!(process.stop().0, PipelineEnd::Stopped);
        rows::dump(folder)
    };
    let first = |folder: &Path| end(folder, CHAINED, &|config| config.in_place = true);
    let second = |folder: &Path| end(folder, &other_guest(), &|config| other(Some(TAKEN_OVER))(config));
    let undisturbed = tempfile::tempdir().unwrap();
    let wanted_back = first(undisturbed.path());
    let wanted_over = second(undisturbed.path());
    assert!(wanted_over != wanted_back);
    // Undoing blocks comes first, then the lineage, then blocks. Merges, which come in the background, have tests of their
    // own.
    let places = [
        "database made",
        "identity written",
        "before blocks are undone",
        "file written",
        "file announced",
        "before the lineage",
        "lineage written",
        "before the batch",
        "after the batch",
    ];
    for place in places {
        let folder = tempfile::tempdir().unwrap();
        first(folder.path());
        die_at("heir", folder.path(), place, 1);
        assert!(second(folder.path()) == wanted_over, "another index after {place}");
        die_at("returning", folder.path(), place, 1);
        assert!(
            first(folder.path()) == wanted_back,
            "another index on the way back after {place}"
        );
        // The one that was on its way can also give way to the other at once.
        die_at("heir", folder.path(), place, 1);
        assert!(
            first(folder.path()) == wanted_back,
            "another index after {place} and the way back"
        );
    }
}

/// Contract §8.10.
#[test]
fn a_process_that_ends_at_any_step_goes_on_to_the_same_index() {
    let end = |folder: &Path| {
        let process = Process::start_in(folder, CHAINED, forked(FORK, TIPS.1), |_| {});
        process.wait_for_tip(2, TIPS.1);
        let (end, tip) = process.stop();
        assert_eq!(end, PipelineEnd::Stopped);
        (tip, rows::dump(folder))
    };
    let undisturbed = tempfile::tempdir().unwrap();
    let wanted = end(undisturbed.path());
    // In the middle of the first chain, and where it is known at which block it is: at the start, and while unwinding.
    let places = [
        ("database made", 1),
        ("identity written", 1),
        ("fetched", 7),
        ("before a refresh", 9),
        ("after a refresh", 9),
        ("executed", 1),
        ("executed", 12),
        ("before the digest", 1),
        ("before the batch", 1),
        ("file written", 1),
        ("file announced", 1),
        ("after the batch", 1),
        ("after the batch", 2),
        ("announced", 2),
        ("before blocks are undone", 1),
        ("file written", 2),
        ("file announced", 2),
        ("after an unwind", 1),
        ("fetched", 33),
        ("before the batch", 5),
    ];
    // Most of it is waiting until the other chain is heard of.
    std::thread::scope(|scope| {
        for part in places.chunks(places.len().div_ceil(4)) {
            let (end, wanted) = (&end, &wanted);
            scope.spawn(move || {
                for (place, times) in part {
                    let folder = tempfile::tempdir().unwrap();
                    die_at("victim", folder.path(), place, *times);
                    assert!(
                        end(folder.path()) == *wanted,
                        "another index after {place}, time {times}"
                    );
                }
            });
        }
    });
}

/// Runs a victim until it dies.
fn die_at(victim: &str, folder: &Path, place: &str, times: u32) {
    let died = run_until(&format!("{VICTIMS}{victim}"), (VICTIM_DIR, folder), place, times);
    assert_eq!(
        died.signal(),
        Some(SIGABRT),
        "{place}, time {times}, was not reached by the {victim}: {died}"
    );
}
