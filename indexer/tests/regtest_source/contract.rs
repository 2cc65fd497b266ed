//! What every source of blocks must do, each shown on the chain of a real node.

use bitcoin::BlockHash;
use indexer::{
    chain::{BlockRef, Height},
    source::{BlockSource, Headers},
};

use crate::node::Node;

/// Everything of a chain that grows, whatever the size of a question.
pub(crate) async fn reads_a_chain_whole(node: &mut Node, source: &impl BlockSource, blocks: u32) {
    node.mine(blocks / 2);
    assert_eq!(source.tip().await.unwrap(), node.tip());
    let tip = node.mine(blocks - blocks / 2);
    assert_eq!(source.tip().await.unwrap(), tip);
    for max in [2000, 250] {
        let headers = all_headers(source, max).await;
        assert_eq!(headers.len(), blocks as usize + 1);
        for height in [0, 1, 250, blocks / 2, blocks / 2 + 1, blocks] {
            assert_eq!(headers[height as usize], node.at(height));
        }
    }
    for height in [0, 1, blocks - 1, blocks] {
        let at = node.at(height);
        assert_eq!(source.hash_at(at.height).await.unwrap(), Some(at.hash));
        let block = source.block(at).await.unwrap();
        assert_eq!(block.at, at);
        assert_eq!(block.bytes, node.block(at));
    }
    assert_eq!(source.hash_at(Height(blocks + 1)).await.unwrap(), None);
    let unknown = BlockRef {
        hash: other_hash(),
        ..tip
    };
    assert!(source.block(unknown).await.is_err());
}

/// A branch that loses is no longer in the chain, and its blocks can still be read.
pub(crate) async fn follows_a_reorg(node: &mut Node, source: &impl BlockSource) {
    let old_tip = node.mine(20);
    assert_eq!(source.tip().await.unwrap(), old_tip);
    let old_fork = node.invalidate(15);
    let new_tip = node.mine(8);
    assert_eq!(source.tip().await.unwrap(), new_tip);
    for gone in [old_tip, old_fork] {
        assert_eq!(
            source.headers_after(Some(gone), 100).await.unwrap(),
            Headers::NotInChain
        );
        assert_eq!(source.block(gone).await.unwrap().at, gone);
    }
    let expected: Vec<_> = (15..=22).map(|height| node.at(height)).collect();
    let next = source.headers_after(Some(node.at(14)), 100).await.unwrap();
    let Headers::Next(next) = next else { panic!("{next:?}") };
    assert_eq!(next.iter().map(|link| link.at).collect::<Vec<_>>(), expected);
    let unknown = BlockRef {
        hash: other_hash(),
        ..new_tip
    };
    assert_eq!(
        source.headers_after(Some(unknown), 100).await.unwrap(),
        Headers::NotInChain
    );
}

/// All blocks from genesis on, by as many questions as it takes.
pub(crate) async fn all_headers(source: &impl BlockSource, max: usize) -> Vec<BlockRef> {
    let mut all = Vec::new();
    loop {
        match source.headers_after(all.last().copied(), max).await.unwrap() {
            Headers::Next(next) if next.is_empty() => return all,
            Headers::Next(next) => all.extend(next.iter().map(|link| link.at)),
            Headers::NotInChain => panic!("no reorg here"),
        }
    }
}

fn other_hash() -> BlockHash {
    "11".repeat(32).parse().unwrap()
}
