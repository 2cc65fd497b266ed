//! The process dies at each named point of a commit, an unwind, a merge and a conversion, and the next one finds whole
//! blocks, no file that is nobody's, and continues to the same end.

use std::{env, os::unix::process::ExitStatusExt as _, path::Path};

use tempfile::tempdir;

use super::{
    fixture::{Chain, DEEP, Pairs, commit, commit_at_tip, dump, existing, open, pairs},
    format_1,
};
use crate::{fault::point::run_until, store::Store};

/// Set for the process that dies: the folder of its store.
const VICTIM_DIR: &str = "SHREWD_STORE_VICTIM_DIR";
/// Where the tests of such processes are, as the harness knows them.
const VICTIMS: &str = "store::tests::crash::";
const SIGABRT: i32 = 6;
/// Blocks of the first branch, where the second one leaves it, and blocks of that.
const FIRST: u32 = 14;
const FORK: u32 = 9;
const SECOND: u32 = 20;

fn block_pairs(height: u32) -> Pairs {
    let own = (0..4).map(|n| format!("{height}/{n}"));
    let all = ["a", "k", "z"].map(String::from);
    pairs(own.chain(all).map(|key| (key, format!("{height:>60}"))))
}

/// The first branch up to a height, or the second one.
fn chain(salt: u32, to: u32) -> Chain {
    let mut chain = Chain::new(0);
    for height in 0..to {
        chain.extend(if height < FORK { 0 } else { salt }, block_pairs(height));
    }
    chain
}

/// Adds blocks up to this one, merging whatever comes due; first undoes those of the other branch.
fn follow(store: &Store, salt: u32, to: u32) {
    let chain = chain(salt, to);
    while let Some(tip) = store.tip()
        && chain.blocks.get(tip.at.height.0 as usize).map(|block| block.tip) != Some(tip)
    {
        let fork = chain.blocks[FORK as usize - 1].tip.at.height;
        assert!(store.unwind(Some(fork)).unwrap() > 0);
    }
    let next = store.tip().map_or(0, |tip| tip.at.height.0 as usize + 1);
    for (number, block) in chain.blocks[next..].iter().enumerate() {
        // Some runs come together; what comes next finds their merge at its end, or under way.
        match number % 6 {
            2 => commit_at_tip(store, block),
            5 => {
                commit_at_tip(store, block);
                store.settle().unwrap();
            }
            _ => commit(store, block),
        }
    }
}

#[test]
#[ignore = "started by the test below, as the process that dies"]
fn victim() {
    let folder = env::var_os(VICTIM_DIR).expect("only as a child of the test below");
    let store = open(Path::new(&folder), 0, DEEP);
    follow(&store, 0, FIRST);
    follow(&store, 1, SECOND);
}

#[test]
#[ignore = "started by the test below, as the process that dies"]
fn converter() {
    let folder = env::var_os(VICTIM_DIR).expect("only as a child of the test below");
    drop(existing(Path::new(&folder)));
}

/// Contract §8.10.
#[test]
fn a_process_that_ends_within_a_commit_an_unwind_or_a_merge_leaves_whole_blocks() {
    let wanted = chain(1, SECOND).fresh_dump();
    let mut met = 0;
    for place in ["file written", "file announced", "before a merge", "merged"] {
        for times in [1, 2, 3, 4, 6, 9, 13, 18] {
            met += u32::from(dies_and_goes_on(place, times, &wanted));
        }
    }
    assert!(met > 25, "only {met} points were reached");
    assert!(dies_and_goes_on("before blocks are undone", 1, &wanted));
}

/// False: the victim did not come that far.
fn dies_and_goes_on(place: &str, times: u32, wanted: &super::fixture::Dump) -> bool {
    let dir = tempdir().unwrap();
    if !die_at("victim", dir.path(), place, times) {
        return false;
    }
    let store = open(dir.path(), 0, DEEP);
    let next = store.tip().map_or(0, |tip| tip.at.height.0 + 1);
    let found = [0, 1]
        .map(|salt| chain(salt, next))
        .into_iter()
        .find(|chain| chain.tip() == store.tip());
    let found = found.unwrap_or_else(|| panic!("{place}, time {times}: a tip of neither branch"));
    assert_eq!(store.verify(|_| ()).unwrap().tip, store.tip());
    drop(store);
    assert!(dump(dir.path()) == found.fresh_dump(), "{place}, time {times}");
    let store = open(dir.path(), 0, DEEP);
    follow(&store, 1, SECOND);
    store.settle().unwrap();
    store.verify(|_| ()).unwrap();
    drop(store);
    assert!(dump(dir.path()) == *wanted, "another index after {place}, time {times}");
    true
}

/// Contract §8.10.
#[test]
fn a_process_that_ends_within_a_conversion_goes_on_with_it() {
    let (undisturbed, chain) = format_1::store();
    drop(existing(undisturbed.path()));
    let wanted = dump(undisturbed.path());
    let mut deaths = 0;
    // Again and again in one folder: each time something more is copied, or nothing.
    let (again, _) = format_1::store();
    for times in 1.. {
        let (dir, _) = format_1::store();
        if !die_at("converter", dir.path(), "old rows copied", times) {
            break;
        }
        deaths += 1;
        assert!(die_at("converter", again.path(), "old rows copied", 2) || times > 1);
        let store = existing(dir.path());
        assert_eq!(store.tip(), chain.tip());
        store.verify(|_| ()).unwrap();
        drop(store);
        assert!(dump(dir.path()) == wanted, "another index after time {times}");
    }
    assert!(deaths > 3, "it was copied in {deaths} files");
    drop(existing(again.path()));
    assert!(dump(again.path()) == wanted, "another index after {deaths} deaths");
}

/// Runs a victim until it dies. False: it did not.
fn die_at(victim: &str, folder: &Path, place: &str, times: u32) -> bool {
    let died = run_until(&format!("{VICTIMS}{victim}"), (VICTIM_DIR, folder), place, times);
    assert!(
        died.success() || died.signal() == Some(SIGABRT),
        "{place}, time {times}: the {victim} failed: {died}"
    );
    !died.success()
}
