//! A few real blocks, and files in which they lie as the input says.

use std::collections::HashMap;

use bitcoin::{
    Amount, Block, BlockHash, OutPoint, Sequence, Target, Transaction, TxIn, TxOut, Witness, absolute,
    block::Header,
    consensus::{deserialize, serialize},
    constants::genesis_block,
    params::Params,
    script::Builder,
    transaction::Version,
};

/// How records of regtest begin.
const MAGIC: [u8; 4] = [0xfa, 0xbf, 0xb5, 0xda];
/// Two are one that may be cut, and one behind it.
const FILES_MAX: usize = 3;

/// Genesis, five blocks on it, and four on the second of them, each with its coinbase alone.
#[must_use]
pub fn blocks() -> Vec<Vec<u8>> {
    let genesis = genesis_block(Params::REGTEST);
    let mut blocks = vec![genesis];
    for (branch, parent) in [(0, 0), (0, 1), (0, 2), (0, 3), (0, 4), (1, 2), (1, 6), (1, 7), (1, 8)] {
        blocks.push(mined(&blocks[parent], branch));
    }
    blocks.iter().map(serialize).collect()
}

fn mined(parent: &Block, branch: i64) -> Block {
    let coinbase = Transaction {
        version: Version::ONE,
        lock_time: absolute::LockTime::ZERO,
        input: vec![TxIn {
            previous_output: OutPoint::null(),
            script_sig: Builder::new().push_int(branch).into_script(),
            sequence: Sequence::MAX,
            witness: Witness::new(),
        }],
        output: vec![TxOut {
            value: Amount::ZERO,
            script_pubkey: Builder::new().into_script(),
        }],
    };
    let mut block = Block {
        header: Header {
            prev_blockhash: parent.block_hash(),
            nonce: 0,
            ..parent.header
        },
        txdata: vec![coinbase],
    };
    block.header.merkle_root = block.compute_merkle_root().unwrap_or(parent.header.merkle_root);
    while !has_work(&block.header) {
        block.header.nonce += 1;
    }
    block
}

/// Writes files as the bytes tell: blocks, zeros, bytes of their own; and then spoils or cuts what is there.
#[must_use]
pub fn files(blocks: &[Vec<u8>], bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut files = vec![Vec::new()];
    let mut bytes = bytes.iter().copied();
    while let Some(code) = bytes.next() {
        let count = files.len();
        let file = &mut files[count - 1];
        let mut number = || usize::from(bytes.next().unwrap_or(0));
        match usize::from(code) {
            code if code < 200 => {
                let block = &blocks[code % blocks.len()];
                file.extend(MAGIC);
                file.extend(u32::try_from(block.len()).unwrap_or(0).to_le_bytes());
                file.extend(block);
            }
            200..210 => file.resize(file.len() + number(), 0),
            210..220 => {
                let count = number() % 32;
                file.extend(bytes.by_ref().take(count));
            }
            220..230 => {
                if let Some(at) = file.len().checked_sub(1 + number()) {
                    file[at] ^= code;
                }
            }
            230..240 => file.truncate(file.len().saturating_sub(number())),
            240..250 => {
                file.extend(MAGIC);
                file.extend([code, number().to_le_bytes()[0], 0, 0]);
            }
            _ if count < FILES_MAX => files.push(Vec::new()),
            _ => {}
        }
    }
    files
}

/// How high a chain the records of these files make, those alone that `counts`; none without genesis.
#[must_use]
pub fn height(files: &[Vec<u8>], counts: impl Fn(&[u8]) -> bool) -> Option<u32> {
    let mut parents: HashMap<BlockHash, BlockHash> = HashMap::new();
    for record in files.iter().flat_map(|file| records(file)) {
        let header = record.get(..80).and_then(|bytes| deserialize::<Header>(bytes).ok());
        if let Some(header) = header.filter(|header| has_work(header) && counts(record)) {
            parents.insert(header.block_hash(), header.prev_blockhash);
        }
    }
    let genesis = genesis_block(Params::REGTEST).block_hash();
    let above = |hash: &BlockHash| {
        let (mut hash, mut steps) = (*hash, 0);
        while hash != genesis {
            hash = *parents.get(&hash)?;
            steps += 1;
        }
        parents.contains_key(&hash).then_some(steps)
    };
    parents.keys().filter_map(above).max()
}

/// Whether a header has the work for its target, and a target that no block of regtest may have.
#[must_use]
pub fn has_other_target(files: &[Vec<u8>]) -> bool {
    let bits = genesis_block(Params::REGTEST).header.bits;
    let headers = files
        .iter()
        .flat_map(|file| records(file))
        .filter_map(|record| deserialize::<Header>(record.get(..80)?).ok());
    headers
        .into_iter()
        .any(|header| has_work(&header) && header.bits != bits)
}

/// One after the other from the start of a file.
fn records(mut file: &[u8]) -> Vec<&[u8]> {
    let mut records = Vec::new();
    while let Some((size, rest)) = file.strip_prefix(&MAGIC).and_then(|rest| rest.split_first_chunk()) {
        let Some((record, rest)) = rest.split_at_checked(u32::from_le_bytes(*size) as usize) else {
            break;
        };
        // A header and one byte.
        if record.len() < 81 {
            break;
        }
        records.push(record);
        file = rest;
    }
    records
}

fn has_work(header: &Header) -> bool {
    let target = header.target();
    target <= Target::MAX_ATTAINABLE_REGTEST && target.is_met_by(header.block_hash())
}
