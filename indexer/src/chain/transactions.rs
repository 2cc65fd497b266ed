//! The transactions of a block, as far as header and coinbase commit to them: hashed where they lie, only the coinbase
//! is built. Building them all would take longer than hashing them.

use std::ops::ControlFlow;

use bitcoin::{
    Block, BlockHash, Transaction, TxMerkleNode, WitnessMerkleNode,
    block::Header,
    consensus::{deserialize, encode},
    hashes::{Hash, HashEngine, sha256d},
    merkle_tree::calculate_root,
};
use bitcoin_slices::{Error as Unreadable, Visit, Visitor, bsl};

/// Bytes of a transaction at least: version, no input, no output, lock time.
const TRANSACTION_BYTES_MIN: usize = 10;
/// What the output of a coinbase with the commitment to all witnesses begins with, and its length with it (BIP 141).
const COMMITMENT: [u8; 6] = [0x6a, 0x24, 0xaa, 0x21, 0xa9, 0xed];
const COMMITMENT_BYTES: usize = COMMITMENT.len() + 32;

/// A block whose transactions were hashed.
pub(super) struct HashedBlock {
    pub(super) header: Header,
    txids: Vec<sha256d::Hash>,
    /// Those of the coinbase count as zeros.
    wtxids: Vec<sha256d::Hash>,
    /// None if there is no transaction, or if the first one is none.
    coinbase: Option<Transaction>,
    has_witnesses: bool,
}

/// Why bytes are no block.
#[derive(Debug, thiserror::Error)]
pub enum Malformed {
    /// The header is none.
    #[error("its header: {0}")]
    Header(#[from] encode::Error),
    /// A transaction, or how many there are.
    #[error("its transactions: {0:?}")]
    Transactions(Unreadable),
    /// The block ends before the bytes do.
    #[error("{0} bytes follow after its end")]
    Tail(usize),
}

impl HashedBlock {
    /// Reads and hashes all of a block.
    pub(super) fn new(bytes: &[u8]) -> Result<Self, Malformed> {
        let header = deserialize(bytes.get(..Header::SIZE).unwrap_or(bytes))?;
        let mut hashed = Self {
            header,
            txids: Vec::new(),
            wtxids: Vec::new(),
            coinbase: None,
            has_witnesses: false,
        };
        let mut hashing = Hashing {
            block: &mut hashed,
            transactions_max: bytes.len() / TRANSACTION_BYTES_MIN,
        };
        let block = bsl::Block::visit(bytes, &mut hashing).map_err(Malformed::Transactions)?;
        match block.remaining() {
            [] => Ok(hashed),
            tail => Err(Malformed::Tail(tail.len())),
        }
    }

    pub(super) fn hash(&self) -> BlockHash {
        self.header.block_hash()
    }

    /// Whether the header commits to this list of transactions and to no other.
    ///
    /// A list and the same list with its end repeated have one root (CVE-2012-2459), so the last transaction must be
    /// unique; and inner nodes of the tree could pose as transactions, but not as a coinbase.
    pub(super) fn transactions_match(&self) -> bool {
        let Some((last, others)) = self.txids.split_last() else {
            return false;
        };
        let is_whole = self.coinbase.as_ref().is_some_and(Transaction::is_coinbase) && !others.contains(last);
        let root = calculate_root(self.txids.iter().copied()).map(TxMerkleNode::from_raw_hash);
        is_whole && root == Some(self.header.merkle_root)
    }

    /// Whether the witnesses are those the coinbase commits to. The header does not cover them, and a node can be set
    /// to leave them out.
    ///
    /// Where the rule is in force, the coinbase of a block that commits to witnesses has one itself.
    pub(super) fn witnesses_match(&self, is_in_force: bool) -> bool {
        let Some(coinbase) = &self.coinbase else { return false };
        let outputs = coinbase
            .output
            .iter()
            .rev()
            .map(|output| output.script_pubkey.as_bytes());
        let commitment = outputs
            .filter(|script| script.starts_with(&COMMITMENT))
            .find_map(|script| script.get(COMMITMENT.len()..COMMITMENT_BYTES));
        if !self.has_witnesses {
            return !(is_in_force && commitment.is_some());
        }
        let witness = coinbase.input.first().map(|input| &input.witness);
        let reserved = witness
            .filter(|witness| witness.len() == 1)
            .and_then(|witness| witness.nth(0));
        let root = calculate_root(self.wtxids.iter().copied()).map(WitnessMerkleNode::from_raw_hash);
        match (commitment, reserved, root) {
            (Some(commitment), Some(reserved), Some(root)) if reserved.len() == 32 => {
                Block::compute_witness_commitment(&root, reserved).to_byte_array() == *commitment
            }
            _ => false,
        }
    }
}

/// Hashes each transaction that the reader visits.
struct Hashing<'a> {
    block: &'a mut HashedBlock,
    transactions_max: usize,
}

impl Visitor for Hashing<'_> {
    fn visit_block_begin(&mut self, transactions: usize) {
        // The number may be a lie.
        let room = transactions.min(self.transactions_max);
        self.block.txids.reserve(room);
        self.block.wtxids.reserve(room);
    }

    fn visit_transaction(&mut self, transaction: &bsl::Transaction<'_>) -> ControlFlow<()> {
        let whole = transaction.as_ref();
        let (start, middle, end) = transaction.txid_preimage();
        let mut engine = sha256d::Hash::engine();
        for part in [start, middle, end] {
            engine.input(part);
        }
        let txid = sha256d::Hash::from_engine(engine);
        let has_witnesses = start.len() + middle.len() + end.len() < whole.len();
        self.block.has_witnesses |= has_witnesses;
        let wtxid = if self.block.txids.is_empty() {
            self.block.coinbase = deserialize(whole).ok();
            sha256d::Hash::all_zeros()
        } else if has_witnesses {
            sha256d::Hash::hash(whole)
        } else {
            txid
        };
        self.block.txids.push(txid);
        self.block.wtxids.push(wtxid);
        ControlFlow::Continue(())
    }
}
