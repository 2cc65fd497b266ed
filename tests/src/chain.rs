//! Makes regtest blocks full of valid transactions, without a wallet and without a signature.
//!
//! Coinbases pay a bare `OP_TRUE`. A hundred blocks later such coins are spent: to outputs of every common type, and to
//! `OP_TRUE` again, bare or as a witness script, so that blocks have transactions with and without witnesses. A block is a function of the seed and of the chain below it, so one seed gives
//! the same hashes every time, wherever the making of the chain was interrupted; another seed gives a branch.

use std::{
    array,
    collections::{HashSet, VecDeque},
    iter,
};

use anyhow::{Result, ensure};
use bitcoin::{
    Amount, Block, BlockHash, Network, OutPoint, PubkeyHash, Script, ScriptBuf, ScriptHash, Sequence, Transaction,
    TxIn, TxMerkleNode, TxOut, WPubkeyHash, WScriptHash, Witness, WitnessMerkleNode, absolute,
    block::{Header, Version},
    constants::{COINBASE_MATURITY, genesis_block},
    hashes::{Hash, sha256},
    merkle_tree,
    opcodes::OP_TRUE,
    script::Builder,
    transaction,
};

/// Seconds between blocks: far in the past, as the genesis block is, and never in a node's future.
const SPACING_SECS: u32 = 600;
/// Regtest halves the subsidy so often.
const HALVING_BLOCKS: u32 = 150;
/// What determines a chain.
#[derive(Clone, Copy, Debug)]
pub struct Recipe {
    /// Another seed is another chain.
    pub seed: u64,
    /// Transactions in a block besides the coinbase, once enough coins can be spent.
    pub txs_per_block: usize,
    /// A transaction pays so many owners at most, one at least.
    pub payments_max: u64,
    /// Scripts are paid from so many owners, each with six of them, so that most scripts occur more than once.
    pub owners: u64,
}

impl Recipe {
    /// Some kilobytes a block.
    #[must_use]
    pub const fn light(seed: u64, txs_per_block: usize) -> Self {
        Self {
            seed,
            txs_per_block,
            payments_max: 3,
            owners: 40,
        }
    }

    /// Blocks as full as those of a busy main network: the guest `outpoints` writes some 40,000 pairs for each and
    /// reads some 5,000.
    #[must_use]
    pub const fn dense(seed: u64) -> Self {
        Self {
            seed,
            txs_per_block: 2_500,
            payments_max: 10,
            owners: 850,
        }
    }
}

/// The next block of a chain, and what must be known of the chain to make it.
pub struct ChainMaker {
    recipe: Recipe,
    height: u32,
    tip: Header,
    /// Unspent outputs that anyone can spend, the oldest first.
    coins: VecDeque<Coin>,
}

#[derive(Clone, Debug)]
struct Coin {
    outpoint: OutPoint,
    value: Amount,
    spendable_from: u32,
    /// What spends it.
    witness: Witness,
}

impl ChainMaker {
    /// Stands on the genesis block.
    #[must_use]
    pub fn new(recipe: Recipe) -> Self {
        Self {
            recipe,
            height: 0,
            tip: genesis_block(Network::Regtest).header,
            coins: VecDeque::new(),
        }
    }

    /// Height of the block it stands on.
    #[must_use]
    pub fn height(&self) -> u32 {
        self.height
    }

    /// Hash of the block it stands on.
    #[must_use]
    pub fn tip(&self) -> BlockHash {
        self.tip.block_hash()
    }

    /// Continues the chain with other blocks from here on.
    #[must_use]
    pub fn with_seed(mut self, seed: u64) -> Self {
        self.recipe.seed = seed;
        self
    }

    /// Takes over a block that exists already.
    ///
    /// # Errors
    /// If it is not the child of the block this stands on.
    pub fn replay(&mut self, block: &Block) -> Result<()> {
        ensure!(
            block.header.prev_blockhash == self.tip(),
            "block {} does not follow {}",
            block.block_hash(),
            self.tip()
        );
        self.height += 1;
        self.tip = block.header;
        let spent: HashSet<_> = block
            .txdata
            .iter()
            .flat_map(|tx| &tx.input)
            .map(|input| input.previous_output)
            .collect();
        self.coins.retain(|coin| !spent.contains(&coin.outpoint));
        for tx in &block.txdata {
            let age = if tx.is_coinbase() { COINBASE_MATURITY } else { 1 };
            let txid = tx.compute_txid();
            for (vout, output) in (0..).zip(&tx.output) {
                let Some(witness) = witness_for(&output.script_pubkey) else {
                    continue;
                };
                let outpoint = OutPoint { txid, vout };
                self.coins.push_back(Coin {
                    outpoint,
                    value: output.value,
                    spendable_from: self.height + age,
                    witness,
                });
            }
        }
        Ok(())
    }

    /// Makes the next block and stands on it.
    ///
    /// # Errors
    /// Never in practice: only if the block made does not follow the one before.
    pub fn next_block(&mut self) -> Result<Block> {
        let height = self.height + 1;
        let mut random = Random::new(self.recipe.seed, self.tip());
        let mut txdata = vec![coinbase(height, random.next())];
        let mut ready: VecDeque<_> = self.coins.iter().filter(|coin| coin.spendable_from <= height).collect();
        for _ in 0..self.recipe.txs_per_block {
            let enough = ready.len() > 2 * self.recipe.txs_per_block;
            let inputs = if enough && random.below(4) == 0 { 2 } else { 1 };
            let coins: Vec<_> = (0..inputs).filter_map(|_| ready.pop_front()).collect();
            if coins.is_empty() {
                break;
            }
            txdata.push(payment(&coins, !enough, &self.recipe, &mut random));
        }
        commit_to_witnesses(&mut txdata);
        let block = mined(&self.tip, txdata);
        self.replay(&block)?;
        Ok(block)
    }
}

fn coinbase(height: u32, extra: u64) -> Transaction {
    let subsidy = Amount::from_int_btc(50)
        .to_sat()
        .checked_shr(height / HALVING_BLOCKS)
        .unwrap_or(0);
    let script_sig = Builder::new()
        .push_int(i64::from(height))
        .push_slice(extra.to_le_bytes())
        .into_script();
    transaction(
        vec![TxIn {
            previous_output: OutPoint::null(),
            script_sig,
            ..TxIn::default()
        }],
        vec![TxOut {
            value: Amount::from_sat(subsidy),
            script_pubkey: anyone(),
        }],
    )
}

/// Spends coins: small payments to some owners, the rest to anyone again, in two parts if coins are still scarce.
fn payment(coins: &[&Coin], split: bool, recipe: &Recipe, random: &mut Random) -> Transaction {
    let input = coins.iter().map(|coin| TxIn {
        previous_output: coin.outpoint,
        sequence: Sequence::MAX,
        script_sig: ScriptBuf::new(),
        witness: coin.witness.clone(),
    });
    let mut rest: u64 = coins.iter().map(|coin| coin.value.to_sat()).sum();
    let mut output = Vec::new();
    for _ in 0..=random.below(recipe.payments_max) {
        let value = (600 + random.below(100_000)).min(rest / 8);
        rest -= value;
        output.push(TxOut {
            value: Amount::from_sat(value),
            script_pubkey: owned(recipe.owners, random),
        });
    }
    let halves = if split {
        vec![rest / 2, rest - rest / 2]
    } else {
        vec![rest]
    };
    for value in halves {
        let script_pubkey = if random.below(2) == 0 {
            anyone()
        } else {
            anyone().to_p2wsh()
        };
        output.push(TxOut {
            value: Amount::from_sat(value),
            script_pubkey,
        });
    }
    transaction(input.collect(), output)
}

fn transaction(input: Vec<TxIn>, output: Vec<TxOut>) -> Transaction {
    Transaction {
        version: transaction::Version::TWO,
        lock_time: absolute::LockTime::ZERO,
        input,
        output,
    }
}

/// A script that anyone can spend.
fn anyone() -> ScriptBuf {
    Builder::new().push_opcode(OP_TRUE).into_script()
}

/// The witness that spends an output, if anyone can.
fn witness_for(script: &Script) -> Option<Witness> {
    if *script == *anyone() {
        return Some(Witness::new());
    }
    (*script == *anyone().to_p2wsh()).then(|| Witness::from_slice(&[anyone()]))
}

/// BIP 141: where a transaction has a witness, an output of the coinbase commits to all of them.
fn commit_to_witnesses(txdata: &mut [Transaction]) {
    const RESERVED: [u8; 32] = [0; 32];
    const MAGIC: [u8; 4] = [0xaa, 0x21, 0xa9, 0xed];
    if txdata
        .iter()
        .flat_map(|tx| &tx.input)
        .all(|input| input.witness.is_empty())
    {
        return;
    }
    // The coinbase's own hash counts as zero.
    let hashes = txdata
        .iter()
        .skip(1)
        .map(|tx| WitnessMerkleNode::from(tx.compute_wtxid()));
    let root = merkle_tree::calculate_root(iter::once(WitnessMerkleNode::all_zeros()).chain(hashes));
    let commitment = Block::compute_witness_commitment(&root.unwrap_or_else(WitnessMerkleNode::all_zeros), &RESERVED);
    let data: [u8; 36] = array::from_fn(|i| if i < 4 { MAGIC[i] } else { commitment[i - 4] });
    txdata[0].output.push(TxOut {
        value: Amount::ZERO,
        script_pubkey: ScriptBuf::new_op_return(data),
    });
    txdata[0].input[0].witness = Witness::from_slice(&[RESERVED]);
}

/// A script of one of the common types that belongs to one of the owners.
fn owned(owners: u64, random: &mut Random) -> ScriptBuf {
    let key = sha256::Hash::hash(&random.below(owners).to_le_bytes()).to_byte_array();
    let mut short = [0; 20];
    short.copy_from_slice(&key[..20]);
    match random.below(6) {
        0 => ScriptBuf::new_p2pkh(&PubkeyHash::from_byte_array(short)),
        1 => ScriptBuf::new_p2sh(&ScriptHash::from_byte_array(short)),
        2 => ScriptBuf::new_p2wpkh(&WPubkeyHash::from_byte_array(short)),
        3 => ScriptBuf::new_p2wsh(&WScriptHash::from_byte_array(key)),
        4 => Builder::new().push_int(1).push_slice(key).into_script(), // taproot
        _ => ScriptBuf::new_op_return(key),
    }
}

/// Regtest's target is met by every second hash.
fn mined(parent: &Header, txdata: Vec<Transaction>) -> Block {
    let header = Header {
        version: Version::from_consensus(0x2000_0000),
        prev_blockhash: parent.block_hash(),
        merkle_root: TxMerkleNode::all_zeros(),
        time: parent.time + SPACING_SECS,
        bits: parent.bits,
        nonce: 0,
    };
    let mut block = Block { header, txdata };
    block.header.merkle_root = block.compute_merkle_root().unwrap_or_else(TxMerkleNode::all_zeros);
    while !block.header.target().is_met_by(block.block_hash()) {
        block.header.nonce += 1;
    }
    block
}

/// Numbers from a seed and a block hash: SHA-256 applied over and over.
struct Random([u8; 32]);

impl Random {
    fn new(seed: u64, parent: BlockHash) -> Self {
        Self(sha256::Hash::hash(&[&seed.to_le_bytes()[..], &parent.to_byte_array()].concat()).to_byte_array())
    }

    fn next(&mut self) -> u64 {
        self.0 = sha256::Hash::hash(&self.0).to_byte_array();
        self.0[..8]
            .iter()
            .fold(0, |number, byte| number << 8 | u64::from(*byte))
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RECIPE: Recipe = Recipe::light(7, 5);

    fn chain(mut maker: ChainMaker, blocks: u32) -> Vec<Block> {
        (0..blocks).map(|_| maker.next_block().unwrap()).collect()
    }

    #[test]
    fn one_seed_gives_one_chain_wherever_it_was_interrupted() {
        let whole = chain(ChainMaker::new(RECIPE), 130);
        let mut resumed = ChainMaker::new(RECIPE);
        for block in &whole[..115] {
            resumed.replay(block).unwrap();
        }
        assert_eq!(chain(resumed, 15), whole[115..]);
    }

    #[test]
    fn another_seed_branches_off() {
        let trunk = chain(ChainMaker::new(RECIPE), 3);
        let mut fork = ChainMaker::new(RECIPE);
        fork.replay(&trunk[0]).unwrap();
        let branch = chain(fork.with_seed(8), 2);
        assert_eq!(branch[0].header.prev_blockhash, trunk[1].header.prev_blockhash);
        assert_ne!(branch[0].block_hash(), trunk[1].block_hash());
    }

    #[test]
    fn blocks_fill_up_once_coins_have_matured() {
        let blocks = chain(ChainMaker::new(RECIPE), 120);
        assert_eq!(blocks[98].txdata.len(), 1, "the first coin is spendable at height 101");
        assert_eq!(blocks[119].txdata.len(), 6);
        assert!(
            blocks
                .iter()
                .all(|block| block.check_merkle_root() && block.check_witness_commitment())
        );
        let has_witness = |tx: &&Transaction| !tx.is_coinbase() && !tx.input[0].witness.is_empty();
        assert!(blocks[119].txdata.iter().any(|tx| has_witness(&tx)));
        assert!(!blocks[119].txdata.iter().all(|tx| tx.is_coinbase() || has_witness(&tx)));
    }

    #[test]
    fn a_block_of_another_chain_is_refused() {
        let trunk = chain(ChainMaker::new(RECIPE), 2);
        assert!(ChainMaker::new(RECIPE).replay(&trunk[1]).is_err());
    }
}
