//! What the guests must answer, computed from the node's blocks without any code of the product.

use bitcoin::{Block, OutPoint, Script, Transaction, consensus::encode, hashes::Hash};

/// Answer of `outpoint` of the guest `outpoints`: value, height, script.
///
/// # Panics
/// If the transaction has no such output.
#[must_use]
pub fn outpoint_row(height: u32, tx: &Transaction, vout: usize) -> Vec<u8> {
    let output = &tx.output[vout];
    [
        &output.value.to_sat().to_le_bytes()[..],
        &height.to_le_bytes(),
        output.script_pubkey.as_bytes(),
    ]
    .concat()
}

/// Answer of `script` of the guest `outpoints`: every outpoint that pays the script, in the order of the chain.
#[must_use]
pub fn outpoints_paying(script: &Script, blocks: &[Block]) -> Vec<u8> {
    let mut found = Vec::new();
    for tx in blocks.iter().flat_map(|block| &block.txdata) {
        let txid = tx.compute_txid();
        for (vout, output) in (0..).zip(&tx.output) {
            if output.script_pubkey.as_script() == script {
                found.extend(encode::serialize(&OutPoint { txid, vout }));
            }
        }
    }
    found
}

/// Answer of `spender` of the guest `outpoints`: the transaction that spends the outpoint, or nothing.
#[must_use]
pub fn spender(outpoint: OutPoint, blocks: &[Block]) -> Vec<u8> {
    let mut txs = blocks.iter().flat_map(|block| &block.txdata);
    let found = txs.find(|tx| tx.input.iter().any(|input| input.previous_output == outpoint));
    found.map_or_else(Vec::new, |tx| tx.compute_txid().to_byte_array().to_vec())
}

/// Answer of `tip` of the guest `outpoints`: height and hash.
#[must_use]
pub fn tip_row(height: u32, block: &Block) -> Vec<u8> {
    [&height.to_le_bytes()[..], &block.block_hash().to_byte_array()].concat()
}

/// Key of the row that the small guests write for each block.
#[must_use]
pub fn header_key(height: u32) -> Vec<u8> {
    [b"h/", &height.to_le_bytes()[..]].concat()
}

/// Its value: the first 32 bytes of the header.
#[must_use]
pub fn header_row(block: &Block) -> Vec<u8> {
    encode::serialize(&block.header)[..32].to_vec()
}

#[cfg(test)]
mod tests {
    use std::slice;

    use bitcoin::{Network, constants::genesis_block};

    use super::*;

    #[test]
    fn genesis_pays_its_script_once_and_is_never_spent() {
        let genesis = genesis_block(Network::Regtest);
        let coinbase = &genesis.txdata[0];
        let outpoint = OutPoint {
            txid: coinbase.compute_txid(),
            vout: 0,
        };
        let script = &coinbase.output[0].script_pubkey;
        assert_eq!(
            outpoints_paying(script, slice::from_ref(&genesis)),
            encode::serialize(&outpoint)
        );
        assert!(spender(outpoint, slice::from_ref(&genesis)).is_empty());
        assert_eq!(
            outpoint_row(0, coinbase, 0)[..12],
            hex::decode("00f2052a0100000000000000").unwrap()
        );
        assert_eq!(header_row(&genesis)[..4], [1, 0, 0, 0]);
    }
}
