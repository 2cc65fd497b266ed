use bitcoin::{
    Amount, Block as DecodedBlock, BlockHash, OutPoint, ScriptBuf, Transaction, TxIn, TxOut, Witness, absolute,
    block::{Header, Version},
    consensus::{deserialize, serialize},
    constants::genesis_block,
    hashes::Hash,
    transaction,
};
use bytes::Bytes;
use crds::Network;

use super::*;

const NETWORK: Network = Network::Regtest;

/// The first headers of mainnet after the genesis block, as nodes send them.
const MAINNET_HEADERS: [&str; 2] = [
    "010000006fe28c0ab6f1b372c1a6a246ae63f74f931e8365e15a089c68d6190000000000982051fd1e4ba744bbbe680e1fee14677ba1a3c3\
     540bf7b1cdb606e857233e0e61bc6649ffff001d01e36299",
    "010000004860eb18bf1b1620e37e9490fc8a427514416fd75159ab86688e9a8300000000d5fdcc541e25de1c7a5addedf24858b8bb665c9f\
     36ef744ee42c316022c90f9bb0bc6649ffff001d08d2bd61",
];

fn headers() -> Vec<Header> {
    MAINNET_HEADERS
        .iter()
        .map(|text| deserialize(&hex::decode(text).unwrap()).unwrap())
        .collect()
}

/// That of a chain of the genesis block alone.
fn difficulty(network: Network) -> Difficulty {
    let genesis = genesis_block(params(network)).header;
    Difficulty::begin(Rules::of(network), Height(0), Claim::from(&genesis))
}

fn check_after(headers: &[Header], prev: BlockHash, network: Network) -> Result<Vec<Link>, Error> {
    check_headers(headers, prev, &mut difficulty(network))
}

/// The same header with the first nonce that meets its target.
fn mined(mut header: Header) -> Header {
    while !header.target().is_met_by(header.block_hash()) {
        header.nonce += 1;
    }
    header
}

fn transaction(spends: OutPoint, witness: Witness, scripts: &[&[u8]]) -> Transaction {
    Transaction {
        version: transaction::Version::ONE,
        lock_time: absolute::LockTime::ZERO,
        input: vec![TxIn {
            previous_output: spends,
            witness,
            ..TxIn::default()
        }],
        output: scripts
            .iter()
            .map(|script| TxOut {
                value: Amount::from_sat(1),
                script_pubkey: ScriptBuf::from_bytes(script.to_vec()),
            })
            .collect(),
    }
}

/// A block of a coinbase and two transactions, the last with a witness the coinbase commits to.
fn block() -> DecodedBlock {
    let spends = |n| OutPoint {
        txid: bitcoin::Txid::from_byte_array([n; 32]),
        vout: 0,
    };
    let mut block = DecodedBlock {
        header: Header {
            version: Version::ONE,
            ..genesis_block(params(NETWORK)).header
        },
        txdata: vec![
            transaction(OutPoint::null(), Witness::from_slice(&[[0; 32]]), &[&[0x51]]),
            transaction(spends(1), Witness::new(), &[&[0x52]]),
            transaction(spends(2), Witness::from_slice(&[b"witness"]), &[&[0x53]]),
        ],
    };
    let commitment = DecodedBlock::compute_witness_commitment(&block.witness_root().unwrap(), &[0; 32]);
    let script = [&[0x6a, 0x24, 0xaa, 0x21, 0xa9, 0xed], &commitment.to_byte_array()[..]].concat();
    block.txdata[0].output[0].script_pubkey = ScriptBuf::from_bytes(script);
    block.header.merkle_root = block.compute_merkle_root().unwrap();
    block
}

fn check(block: &DecodedBlock, height: u32, network: Network) -> Result<Block, Error> {
    let at = BlockRef {
        height: Height(height),
        hash: block.block_hash(),
    };
    check_block(serialize(block).into(), at, network)
}

#[test]
fn genesis_blocks_are_told_apart() {
    let all = [
        Network::Mainnet,
        Network::Testnet3,
        Network::Testnet4,
        Network::Signet,
        Network::Regtest,
    ];
    let hashes: std::collections::HashSet<_> = all.into_iter().map(genesis).collect();
    assert_eq!(hashes.len(), all.len());
    let mainnet = "000000000019d6689c085ae165831e934ff763ae46a2a6c172b3f1b60a8ce26f";
    assert_eq!(genesis(Network::Mainnet).to_string(), mainnet);
}

#[test]
fn headers_that_follow_each_other_are_accepted() {
    let links = check_after(&headers(), genesis(Network::Mainnet), Network::Mainnet).unwrap();
    let second = BlockRef {
        height: Height(2),
        hash: headers()[1].block_hash(),
    };
    assert_eq!(
        second.hash.to_string(),
        "000000006a625f06636b8bb6ac7b960a8d03705d1ace08b1a19da3fdcc99ddbd"
    );
    // 2^32 hashes and a little more, as nodes count it.
    let work = Work(0x1_0001_0001);
    assert_eq!(links[1], Link { at: second, work });
    assert_eq!(links.iter().map(|link| link.work).sum::<Work>(), work.times(2));
}

#[test]
fn broken_headers_are_refused() {
    let start = genesis(Network::Mainnet);
    let other_start = check_after(&headers(), genesis(Network::Regtest), Network::Mainnet);
    assert!(matches!(other_start, Err(Error::Linkage { found, .. }) if found == start));

    let second_only = check_after(&headers()[1..], start, Network::Mainnet);
    assert!(matches!(second_only, Err(Error::Linkage { .. })));

    let mut no_work = headers();
    no_work[1].nonce += 1;
    assert!(matches!(
        check_after(&no_work, start, Network::Mainnet),
        Err(Error::ProofOfWork { .. })
    ));

    // Any hash meets the easiest target of regtest; mainnet must not take a header that claims it.
    let mut easy = headers();
    easy[0].bits = genesis_block(params(NETWORK)).header.bits;
    easy[0] = mined(easy[0]);
    assert!(matches!(
        check_after(&easy[..1], start, Network::Mainnet),
        Err(Error::ProofOfWork { .. })
    ));
    assert!(check_after(&easy[..1], start, NETWORK).is_ok());
}

#[test]
fn a_header_with_work_but_not_of_the_difficulty_that_the_rules_demand_is_refused() {
    let start = genesis(NETWORK);
    let next = |bits| {
        let header = Header {
            prev_blockhash: start,
            bits: bitcoin::CompactTarget::from_consensus(bits),
            ..genesis_block(params(NETWORK)).header
        };
        check_after(&[mined(header)], start, NETWORK)
    };
    assert!(next(0x207f_ffff).is_ok());
    // Harder than it must be is as wrong as easier.
    let wrong = next(0x207f_fffe);
    assert!(
        matches!(
            wrong,
            Err(Error::Difficulty {
                found: 0x207f_fffe,
                required: 0x207f_ffff,
                ..
            })
        ),
        "{wrong:?}"
    );
}

#[test]
fn whole_blocks_are_accepted() {
    let given = block();
    let checked = check(&given, 5, NETWORK).unwrap();
    assert_eq!(
        checked.at,
        BlockRef {
            height: Height(5),
            hash: given.block_hash()
        }
    );
    assert_eq!(checked.prev, given.header.prev_blockhash);
    assert_eq!(checked.bytes, serialize(&given));
    for network in [
        Network::Mainnet,
        Network::Testnet3,
        Network::Testnet4,
        Network::Signet,
        Network::Regtest,
    ] {
        check(&genesis_block(params(network)), 0, network).unwrap();
    }
}

#[test]
fn another_block_and_undecodable_bytes_are_refused() {
    let bytes = Bytes::from(serialize(&block()));
    let at = BlockRef {
        height: Height(5),
        hash: block().block_hash(),
    };
    let other = BlockRef {
        hash: genesis(NETWORK),
        ..at
    };
    assert!(matches!(
        check_block(bytes.clone(), other, NETWORK),
        Err(Error::WrongBlock { .. })
    ));
    for broken in [
        bytes.slice(..bytes.len() - 1),
        [&bytes[..], &[0]].concat().into(),
        Bytes::new(),
    ] {
        assert!(matches!(
            check_block(broken, at, NETWORK),
            Err(Error::Decode { what: "block", .. })
        ));
    }
}

#[test]
fn every_byte_of_a_block_is_one_that_counts() {
    let block = block();
    let bytes = serialize(&block);
    let at = BlockRef {
        height: Height(5),
        hash: block.block_hash(),
    };
    for place in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[place] ^= 1;
        assert!(check_block(changed.into(), at, NETWORK).is_err(), "byte {place}");
    }
    // Three transactions, told by a number that is longer than it has to be.
    let longer = [&bytes[..80], &[0xfd, 3, 0], &bytes[81..]].concat();
    assert!(matches!(
        check_block(longer.into(), at, NETWORK),
        Err(Error::Decode { what: "block", .. })
    ));
}

#[test]
fn blocks_with_other_transactions_are_refused() {
    type Change = fn(&mut DecodedBlock);
    let changes: [(&str, Change); 4] = [
        ("one missing", |block| block.txdata.truncate(2)),
        ("one changed", |block| {
            block.txdata[1].output[0].value = Amount::from_sat(2)
        }),
        ("the last repeated, which leaves the root as it was", |block| {
            block.txdata.push(block.txdata[2].clone())
        }),
        ("none", |block| block.txdata.clear()),
    ];
    for (name, change) in changes {
        let mut given = block();
        change(&mut given);
        assert!(
            matches!(check(&given, 5, NETWORK), Err(Error::MerkleRoot { .. })),
            "{name}"
        );
    }
    let mut headless = block();
    headless.txdata.remove(0);
    headless.header.merkle_root = headless.compute_merkle_root().unwrap();
    assert!(
        matches!(check(&headless, 5, NETWORK), Err(Error::MerkleRoot { .. })),
        "no coinbase"
    );
}

#[test]
fn blocks_with_other_witnesses_are_refused() {
    let mut changed = block();
    changed.txdata[2].input[0].witness = Witness::from_slice(&[b"another"]);
    assert!(matches!(check(&changed, 5, NETWORK), Err(Error::Witness { .. })));

    let mut stripped = block();
    for tx in &mut stripped.txdata {
        tx.input[0].witness = Witness::new();
    }
    assert_eq!(stripped.block_hash(), block().block_hash());
    assert!(matches!(check(&stripped, 5, NETWORK), Err(Error::Witness { .. })));
    assert!(matches!(
        check(&stripped, 481_824, Network::Mainnet),
        Err(Error::Witness { .. })
    ));
    // Before the rule was in force, miners committed to witnesses that blocks did not have.
    assert!(check(&stripped, 481_823, Network::Mainnet).is_ok());
}
