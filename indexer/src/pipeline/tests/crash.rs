//! The process ends at each named place on the way of a block, and the next one goes on to the index of an undisturbed
//! run.

use std::{
    env,
    os::unix::process::ExitStatusExt as _,
    process::{Command, Stdio},
};

use super::*;
use crate::fault_point::DIE_AT;

/// Set for the process that dies: the folder of its store.
const VICTIM_DIR: &str = "SHREWD_VICTIM_DIR";
/// Its test, as the harness knows it.
const VICTIM: &str = "pipeline::tests::crash::victim";
/// The first block of the chain that the victim's one turns into, the last block of both, and SIGABRT.
const FORK: u32 = 25;
const TIPS: (u32, u32) = (30, 34);
const SIGABRT: i32 = 6;

/// Follows a chain and its reorganisation. It dies on the way, or whoever started it finds out that it did not.
#[test]
#[ignore = "started by the test below, as the process that dies"]
fn victim() {
    let folder = env::var_os(VICTIM_DIR).expect("only as a child of the test below");
    let process = Process::start_in(Path::new(&folder), CHAINED, MemorySource::up_to(1, TIPS.0), |_| {});
    process.wait_for_tip(1, TIPS.0);
    process.source.replace(FORK, 2, TIPS.1);
    process.wait_for_tip(2, TIPS.1);
}

/// Contract §8.10.
#[test]
fn a_process_that_ends_at_any_step_goes_on_to_the_same_index() {
    let end = |folder: &Path| {
        let process = Process::start_in(folder, CHAINED, forked(FORK, TIPS.1), |_| {});
        process.wait_for_tip(2, TIPS.1);
        let (finished, tip) = process.stop();
        assert_eq!(finished, Finished::Stopped);
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
        ("file taken over", 1),
        ("after the batch", 1),
        ("after the batch", 2),
        ("announced", 2),
        ("before blocks are undone", 1),
        ("file written", 2),
        ("file announced", 2),
        ("file taken over", 2),
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
                    die_at(folder.path(), place, *times);
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
fn die_at(folder: &Path, place: &str, times: u32) {
    let died = Command::new(env::current_exe().unwrap())
        .args([VICTIM, "--exact", "--ignored"])
        .env(VICTIM_DIR, folder)
        .env(DIE_AT, format!("{place}#{times}"))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .unwrap();
    assert_eq!(
        died.signal(),
        Some(SIGABRT),
        "{place}, time {times}, was not reached: {died}"
    );
}
