use bitcoin::{CompactTarget, TxMerkleNode, block::Version};
use crds::Network;
use proptest::prelude::*;

use super::*;

/// A made-up block; `branch` makes it differ from others on the same previous one. The lower `bits`, the more work.
fn record(prev: BlockHash, branch: u32, bits: u32) -> Record {
    let header = Header {
        version: Version::ONE,
        prev_blockhash: prev,
        merkle_root: TxMerkleNode::all_zeros(),
        time: branch,
        bits: CompactTarget::from_consensus(bits),
        nonce: 0,
    };
    let place = Place {
        file: 0,
        offset: branch,
        size: 100,
    };
    Record {
        hash: header.block_hash(),
        header,
        place,
    }
}

const EASY: u32 = 0x207f_ffff;
const HARD: u32 = 0x1f7f_ffff;

fn chain(from: BlockHash, branch: u32, count: usize) -> Vec<Record> {
    let mut prev = from;
    let next = std::iter::repeat_with(|| {
        let record = record(prev, branch, EASY);
        prev = record.hash;
        record
    });
    next.take(count).collect()
}

fn index(records: Vec<Record>) -> (Index, BlockHash) {
    let genesis = record(BlockHash::all_zeros(), 0, EASY);
    let mut index = Index::new(genesis.hash, Rules::of(Network::Regtest));
    let hash = genesis.hash;
    index.extend(vec![genesis]);
    index.extend(records);
    (index, hash)
}

fn genesis() -> BlockHash {
    index(Vec::new()).1
}

fn tip(index: &Index) -> (u32, BlockHash) {
    let tip = index.tip().unwrap();
    (tip.height.0, tip.hash)
}

#[test]
fn the_chain_with_the_most_work_is_the_best_not_the_longest() {
    let long = chain(genesis(), 1, 5);
    let heavy = record(genesis(), 2, HARD);
    let (first, last, heavy_hash) = (long[0].hash, long[4].hash, heavy.hash);
    let (mut index, _) = index(long);
    assert_eq!(tip(&index), (5, last));
    index.extend(vec![heavy]);
    assert_eq!(tip(&index), (1, heavy_hash));
    assert_eq!(index.hash_at(Height(2)), None);
    let gone = BlockRef {
        height: Height(1),
        hash: first,
    };
    assert_eq!(index.after(Some(gone), 10).unwrap(), Headers::NotInChain);
    assert!(index.run(gone, 10, 1000).is_empty());
    assert!(index.place(last).is_some(), "blocks beside the chain can be read");
}

#[test]
fn a_chain_of_which_a_block_breaks_the_rules_is_handed_out_up_to_it() {
    let mut records = chain(genesis(), 1, 3);
    let wrong = record(records[2].hash, 1, HARD);
    let hash = wrong.hash;
    records.push(wrong);
    let (index, _) = index(records);
    let Ok(Headers::Next(links)) = index.after(None, 4) else {
        panic!()
    };
    assert_eq!(links.last().map(|link| link.at.height), Some(Height(3)));
    let (at, error) = index.after(Some(links[3].at), 10).unwrap_err();
    assert_eq!((at.height, at.hash), (Height(4), hash));
    assert!(
        matches!(*error, chain::Error::Difficulty { required: EASY, .. }),
        "{error}"
    );
    assert!(index.after(None, 10).is_err());
}

#[test]
fn of_two_equal_branches_the_first_stays_until_the_other_is_longer() {
    let (one, mut two) = (chain(genesis(), 1, 3), chain(genesis(), 2, 4));
    let (first, last) = (one[2].hash, two[3].hash);
    let longer = two.pop().unwrap();
    let (mut index, _) = index(one);
    index.extend(two);
    assert_eq!(tip(&index), (3, first));
    index.extend(vec![longer]);
    assert_eq!(tip(&index), (4, last));
}

#[test]
fn a_block_found_again_lies_where_it_was_found_last() {
    let (mut index, genesis) = index(Vec::new());
    let moved = Place {
        file: 7,
        offset: 8,
        size: 100,
    };
    index.extend(vec![Record {
        place: moved,
        ..record(BlockHash::all_zeros(), 0, EASY)
    }]);
    assert_eq!(index.place(genesis), Some(moved));
    assert_eq!(tip(&index), (0, genesis));
}

#[test]
fn runs_are_bounded_in_blocks_and_in_bytes() {
    let (index, hash) = index(chain(genesis(), 1, 20));
    let from = BlockRef {
        height: Height(0),
        hash,
    };
    for (blocks, bytes, expected) in [(5, 10_000, 5), (50, 700, 7), (50, 10_000, 21), (50, 99, 0)] {
        assert_eq!(index.run(from, blocks, bytes).len(), expected);
    }
}

#[test]
fn blocks_that_do_not_go_back_to_genesis_are_counted() {
    let mut records = chain(genesis(), 1, 10);
    let missing = records.remove(4);
    let last = records[8].hash;
    let (mut index, _) = index(records);
    assert_eq!((tip(&index).0, index.unlinked()), (4, 5));
    index.extend(vec![missing]);
    assert_eq!((tip(&index), index.unlinked()), ((10, last), 0));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    // Files have blocks in the order in which they were downloaded, and a look may end anywhere among them.
    #[test]
    fn the_best_chain_does_not_depend_on_the_order_of_the_blocks(
        order in Just((0..30).collect::<Vec<usize>>()).prop_shuffle(), cut in 0..30_usize
    ) {
        let main = chain(genesis(), 1, 20);
        let branch = chain(main[9].hash, 2, 10);
        let hashes: Vec<_> = main.iter().map(|record| record.hash).collect();
        // One more, so that no order makes the two equal.
        let last = record(hashes[19], 3, EASY);
        let (mut rest, _) = (main.into_iter().chain(branch).map(Some).collect::<Vec<_>>(), ());
        let mut shuffled: Vec<_> = order.into_iter().map(|at| rest[at].take().unwrap()).collect();
        let later = shuffled.split_off(cut);
        let expected = last.hash;
        let (mut index, genesis) = index(shuffled);
        index.extend(later);
        index.extend(vec![last]);
        prop_assert_eq!(tip(&index), (21, expected));
        prop_assert_eq!(index.unlinked(), 0);
        let Ok(Headers::Next(all)) = index.after(None, 100) else { panic!() };
        let all: Vec<_> = all.into_iter().map(|link| link.at.hash).collect();
        prop_assert_eq!(&all[1..21], &hashes[..]);
        prop_assert_eq!(all[0], genesis);
    }
}
