//! Transactions of the chains that are made: who is paid, and what can be spent without a key.

use bitcoin::{
    Amount, OutPoint, PubkeyHash, Script, ScriptBuf, ScriptHash, Sequence, Transaction, TxIn, TxOut, WPubkeyHash,
    WScriptHash, Witness, absolute,
    hashes::{Hash, sha256},
    opcodes::OP_TRUE,
    script::Builder,
    transaction,
};

use super::{random::Random, recipe::Recipe};

/// Blocks between two halvings of regtest's subsidy.
const HALVING_BLOCKS: u32 = 150;

/// An unspent output that needs no key.
#[derive(Clone, Debug)]
pub(crate) struct Coin {
    pub(crate) outpoint: OutPoint,
    pub(crate) value: Amount,
    pub(crate) spendable_from: u32,
    /// What spends it.
    pub(crate) witness: Witness,
}

pub(crate) fn coinbase(height: u32, extra: u64) -> Transaction {
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
pub(crate) fn payment(coins: &[&Coin], split: bool, recipe: &Recipe, random: &mut Random) -> Transaction {
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
pub(crate) fn witness_for(script: &Script) -> Option<Witness> {
    if *script == *anyone() {
        return Some(Witness::new());
    }
    (*script == *anyone().to_p2wsh()).then(|| Witness::from_slice(&[anyone()]))
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
