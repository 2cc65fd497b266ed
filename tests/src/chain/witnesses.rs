//! The commitment of a block to the witnesses of its transactions.

use std::{array, iter};

use bitcoin::{Amount, Block, ScriptBuf, Transaction, TxOut, Witness, WitnessMerkleNode, hashes::Hash, merkle_tree};

/// BIP 141: where a transaction has a witness, an output of the coinbase commits to all of them.
pub(crate) fn commit_to_witnesses(txdata: &mut [Transaction]) {
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
