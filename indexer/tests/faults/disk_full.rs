//! A disk that is full, at every write in turn.

use std::{
    error::Error as _,
    path::Path,
    time::{Duration, Instant},
};

use indexer::{
    chain::Height,
    store::{Durability, Error, Store},
};
use tempfile::tempdir;

use crate::{
    fixture::{Chain, DEEP, Pairs, assert_reads, dump, identity, pairs, patiently, write_set},
    heavy_guest,
    node::Node,
    process::Index,
    setup,
    tmpfs::Tmpfs,
};

/// Room for everything.
const ENOUGH_KIB: u32 = 256 << 10;

/// About 36 KB, that no compression makes less.
fn block_pairs(height: u32) -> Pairs {
    pairs((0..1000u32).map(|n| {
        let value = blake3::hash(&[height.to_be_bytes(), n.to_be_bytes()].concat());
        (format!("k{}", (height * 700 + n) % 3000), *value.as_bytes())
    }))
}

/// Contract §8.14. With little room the store cannot even be made, with more it ends in the middle of a block, or when
/// it is opened again and the log becomes a table file.
#[test]
fn a_full_disk_is_an_error_wherever_it_is_met_and_with_more_room_all_goes_on() {
    let mut chain = Chain::new(0);
    for height in 0..60 {
        chain.extend(0, block_pairs(height));
    }
    let fresh = chain.fresh_dump();
    let (mut not_made, mut cut_off, mut not_opened) = (0, 0, 0);
    for kib in [4, 8, 16, 40, 80, 160, 240, 320, 480, 640, 960, 1280, 1920, 2560, 3200] {
        let disk = Tmpfs::of_kib(kib);
        let dir = disk.path().join("store");
        match opened(&dir) {
            Err(error) => {
                assert_named(&error);
                not_made += 1;
            }
            Ok(store) => cut_off += usize::from(fill(&store, &chain)),
        }
        let committed = match opened(&dir) {
            Err(error) => {
                assert_named(&error);
                not_opened += 1;
                None
            }
            Ok(store) => Some(store.tip()),
        };
        disk.resize_kib(ENOUGH_KIB);
        let store = opened(&dir).unwrap();
        if let Some(committed) = committed {
            assert_eq!(store.tip(), committed, "{kib} KiB");
        }
        let blocks = store.tip().map_or(0, |tip| tip.at.height.0 as usize + 1);
        for block in &chain.blocks[blocks..] {
            crate::fixture::commit(&store, block);
        }
        drop(store);
        assert!(dump(&dir) == fresh, "{kib} KiB");
    }
    println!("{not_made} could not be made, {cut_off} were cut off, {not_opened} could not be opened again");
    assert!(not_made > 1 && cut_off > 1 && not_opened > not_made);
}

fn opened(dir: &Path) -> Result<Store, Error> {
    patiently(|| Store::open(dir, &identity(0), DEEP))
}

fn assert_named(error: &Error) {
    let mut words = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        words = format!("{words}: {error}");
        cause = error.source();
    }
    assert!(words.contains("No space left on device"), "{words}");
}

/// Commits until the disk is full, if it gets full. Nothing of the block that fails is there, what was committed is.
fn fill(store: &Store, chain: &Chain) -> bool {
    for (committed, block) in chain.blocks.iter().enumerate() {
        let durability = if committed % 3 == 0 {
            Durability::EachBlock
        } else {
            Durability::Lazy
        };
        let writes = write_set(&block.pairs);
        let Err(error) = store.commit(block.tip.at, &writes, block.tip.digest, durability) else {
            continue;
        };
        assert!(
            matches!(error, Error::Write { .. } | Error::Rows(_) | Error::Folder { .. }),
            "{error:?}"
        );
        assert!(error.to_string().contains("make room"), "{error}");
        assert_named(&error);
        let last = committed.checked_sub(1).map(|last| chain.blocks[last].tip);
        assert_eq!(store.tip(), last);
        if let Some(last) = last {
            let wanted = chain.as_of(last.at.height.0);
            let keys = block.pairs.keys().chain(wanted.keys());
            assert_reads(&mut store.reader(Height(u32::MAX)), &wanted, keys);
        }
        return true;
    }
    false
}

/// Contract §8.14. A merge needs more room than the next block: without it, blocks are committed and read all the same,
/// and it is made when there is room.
#[test]
fn a_merge_that_has_no_room_is_made_later_and_holds_no_block_up() {
    let mut chain = Chain::new(0);
    for height in 0..9 {
        // Ten of the others in one: 360 KB.
        let parts = (0..10).map(|part| block_pairs(height * 10 + part));
        let numbered = parts.enumerate().flat_map(|(part, pairs)| {
            let of_part = move |(key, value): (Vec<u8>, Vec<u8>)| ([key, part.to_be_bytes().to_vec()].concat(), value);
            pairs.into_iter().map(of_part)
        });
        chain.extend(0, numbered.collect());
    }
    let disk = Tmpfs::of_kib(ENOUGH_KIB);
    let dir = disk.path().join("store");
    let store = opened(&dir).unwrap();
    let (last, before) = chain.blocks.split_last().unwrap();
    let (eighth, before) = before.split_last().unwrap();
    for block in before {
        crate::fixture::commit(&store, block);
    }
    assert_eq!(store.stats().runs, 7);
    let space = store.room().space().unwrap();
    // A sixteenth is kept, and two blocks fit, for each of which 1 MiB must be free; the merge takes 3.
    let used = space.capacity_bytes - space.free_bytes;
    disk.resize_kib(u32::try_from((used + (1_900 << 10)) * 16 / 15 / 1024).unwrap());
    crate::fixture::commit(&store, eighth);
    std::thread::sleep(Duration::from_secs(2));
    let stats = store.stats();
    assert_eq!((stats.runs, stats.merging.pending), (8, 1));
    crate::fixture::commit(&store, last);
    let wanted = chain.as_of(8);
    assert_reads(&mut store.reader(Height(u32::MAX)), &wanted, wanted.keys());
    disk.resize_kib(ENOUGH_KIB);
    let end = Instant::now() + Duration::from_secs(30);
    while store.stats().runs > 2 {
        assert!(Instant::now() < end, "{:?}", store.stats());
        std::thread::sleep(Duration::from_millis(20));
    }
    drop(store);
    assert!(dump(&dir) == chain.fresh_dump());
}

/// Contract §8.14.
#[tokio::test]
async fn a_run_that_fills_its_disk_ends_in_words_and_goes_on_with_more_room() {
    let folder = tempdir().unwrap();
    let module = heavy_guest(folder.path());
    let mut node = Node::start();
    let tip = node.mine(120);
    let disk = Tmpfs::of_kib(4 << 10);
    let full = setup(&module, &node, disk.path().join("data"));
    let mut process = full.start();
    assert!(!process.exit().await.success());
    let words = last_line(&process.log());
    for part in [
        "the store failed",
        "make room",
        "start again",
        "No space left on device",
    ] {
        assert!(words.contains(part), "{words}");
    }
    drop(process);
    disk.resize_kib(ENOUGH_KIB);
    let mut process = full.start();
    let resumed = Index::of(&mut process, tip).await;
    let mut fresh = setup(&module, &node, folder.path().join("fresh")).start();
    assert_eq!(resumed, Index::of(&mut fresh, tip).await);
}

fn last_line(log: &str) -> String {
    log.lines().last().unwrap_or_default().to_owned()
}
