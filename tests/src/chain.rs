//! Makes regtest blocks full of valid transactions, without a wallet and without a signature.
//!
//! Coinbases pay a bare `OP_TRUE`. A hundred blocks later such coins are spent: to outputs of every common type, and to
//! `OP_TRUE` again, bare or as a witness script, so that blocks have transactions with and without witnesses. A block
//! is a function of the seed and of the chain below it, so one seed results in the same hashes every time, wherever the
//! making of the chain was interrupted; another seed results in a branch.

use std::collections::{HashSet, VecDeque};

use anyhow::{Result, ensure};
use bitcoin::{
    Block, BlockHash, Network, OutPoint,
    block::Header,
    constants::{COINBASE_MATURITY, genesis_block},
};

mod header;
mod random;
pub mod recipe;
mod transactions;
mod witnesses;

use header::mined;
use random::Random;
use recipe::Recipe;
use transactions::{Coin, coinbase, payment, witness_for};
use witnesses::commit_to_witnesses;

/// Makes the next block of a chain, with what must be known of the chain for it.
pub struct ChainMaker {
    recipe: Recipe,
    height: u32,
    tip: Header,
    /// Unspent outputs that anyone can spend, the oldest first.
    coins: VecDeque<Coin>,
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

#[cfg(test)]
mod tests {
    use bitcoin::Transaction;

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
