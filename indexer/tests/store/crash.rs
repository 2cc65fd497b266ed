//! A process that is killed while it commits and unwinds leaves a store that holds whole blocks.

use std::{
    env,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use indexer::{chain::Height, store::Durability};
use tempfile::tempdir;

use crate::fixture::{Chain, DEEP, Pairs, assert_reads, open, pairs, write_set};

/// Set in the process that is to be killed: the folder of its store.
const VICTIM_DIR: &str = "SHREWD_CRASH_TEST_DIR";
/// Its name as the test harness knows it.
const THIS_TEST: &str = "crash::a_killed_process_leaves_whole_blocks";

/// What block `height` writes: enough for the batch to be cut somewhere in the middle.
fn block_pairs(height: u32) -> Pairs {
    let changed = (0..300).map(|n| (format!("changed{n}"), format!("{height}/{n}")));
    let added = (0..300).map(|n| (format!("added{height}/{n}"), "x".repeat(100)));
    pairs(changed.chain(added))
}

fn chain_up_to(tip: Option<Height>) -> Chain {
    let mut chain = Chain::new(0);
    for height in 0..tip.map_or(0, |tip| tip.0 + 1) {
        chain.extend(0, block_pairs(height));
    }
    chain
}

/// Commits and unwinds without end, and says so after each block.
fn be_the_victim(dir: &Path) -> ! {
    let store = open(dir, 0, DEEP);
    let mut chain = chain_up_to(store.tip().map(|tip| tip.at.height));
    loop {
        let height = u32::try_from(chain.blocks.len()).unwrap();
        let block = chain.extend(0, block_pairs(height));
        let durability = if height.is_multiple_of(4) {
            Durability::EachBlock
        } else {
            Durability::Lazy
        };
        store
            .commit(block.tip.at, &write_set(&block.pairs), block.tip.digest, durability)
            .unwrap();
        println!("committed {height}");
        if height % 7 == 6 {
            chain.blocks.truncate(chain.blocks.len() - 2);
            store.unwind(chain.tip().map(|tip| tip.at.height)).unwrap();
            // Forward past the unwound heights, so that the next unwind is further up.
            for height in height - 1..=height + 1 {
                let block = chain.extend(0, block_pairs(height));
                store
                    .commit(
                        block.tip.at,
                        &write_set(&block.pairs),
                        block.tip.digest,
                        Durability::Lazy,
                    )
                    .unwrap();
            }
        }
    }
}

/// Runs a victim and kills it after some blocks; gives the last height it reported.
fn kill_after(blocks: usize, dir: &Path) -> u32 {
    let mut victim = Command::new(env::current_exe().unwrap())
        .args([THIS_TEST, "--exact", "--nocapture"])
        .env(VICTIM_DIR, dir)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(victim.stdout.take().unwrap())
        .lines()
        .map(Result::unwrap);
    let mut heights = lines.filter_map(|line| line.split_once("committed ")?.1.parse().ok());
    let last = heights.nth(blocks - 1).unwrap();
    victim.kill().unwrap();
    victim.wait().unwrap();
    heights.last().unwrap_or(last)
}

/// Contract §8.10.
#[test]
fn a_killed_process_leaves_whole_blocks() {
    if let Some(dir) = env::var_os(VICTIM_DIR) {
        be_the_victim(&PathBuf::from(dir));
    }
    let dir = tempdir().unwrap();
    for blocks in [1, 2, 5, 3, 8, 4] {
        let reported = kill_after(blocks, dir.path());
        let store = open(dir.path(), 0, DEEP);
        let tip = store.tip().unwrap().at.height;
        // It may have been in the middle of undoing two blocks.
        assert!(
            tip.0 + 2 >= reported,
            "block {reported} was committed, the tip is {tip}"
        );
        let chain = chain_up_to(Some(tip));
        assert_eq!(store.tip(), chain.tip());
        assert_eq!(store.stats().entries, chain.entries());
        let wanted = chain.as_of(tip.0);
        let above = block_pairs(tip.0 + 1);
        assert_reads(
            &mut store.reader(Height(u32::MAX)),
            &wanted,
            wanted.keys().chain(above.keys()),
        );
        drop(store);
        assert_eq!(crate::fixture::dump(dir.path()), chain.fresh_dump());
    }
}
