use bitcoin::hashes::Hash as _;

use super::*;
use crate::store::Step;

fn identity(module: &str) -> Identity {
    Identity {
        module_sha256: module.repeat(32),
        network: Network::Regtest,
        start_height: 5,
        memory_limit_bytes: 4 << 30,
    }
}

fn manifest() -> Manifest {
    let later = Step {
        from_height: Height(20),
        identity: identity("cd"),
    };
    let file = |name: &str, bytes| File {
        name: name.into(),
        bytes,
        sha256: Sha256::of(name.as_bytes()),
    };
    let tip = Tip {
        at: BlockRef {
            height: Height(30),
            hash: BlockHash::from_byte_array([7; 32]),
        },
        digest: Digest([9; 32]),
    };
    let lineage = Lineage::of(identity("ab"), vec![later]).unwrap();
    let files = vec![file("CURRENT", 16), file("000000000012.rows", 5_000_000_000)];
    Manifest {
        made_by: "shrewd-indexer 0.2.0".into(),
        ..Manifest::new(lineage, tip, files)
    }
}

/// The bytes of a manifest with something in the place of something else.
fn but(from: &str, to: &str) -> Vec<u8> {
    let text = String::from_utf8(manifest().to_bytes()).unwrap();
    assert!(text.contains(from), "{from}");
    text.replace(from, to).into_bytes()
}

/// Snapshots of years are read by later versions: a change here takes another format.
#[test]
fn its_bytes_are_pinned() {
    let bytes = manifest().to_bytes();
    expectorate::assert_contents("tests/golden/manifest.json", std::str::from_utf8(&bytes).unwrap());
    assert_eq!(Manifest::parse(&bytes).unwrap(), manifest());
}

#[test]
fn what_is_no_manifest_is_refused_in_words() {
    let cases = [
        (Vec::new(), "no manifest"),
        (b"<html>".to_vec(), "no manifest"),
        (vec![b' '; MANIFEST_BYTES_MAX + 1], "more than"),
        (
            but("\"format\": 1", "\"format\": 2"),
            "its format is 2, this version reads 1",
        ),
        (but("\"height\": 30", "\"height\": 4"), "below the first block"),
        (but("\"height\": 30", "\"height\": -1"), "no manifest"),
        (but(&"07".repeat(32), "07"), "its block hash is none"),
        (but(&"09".repeat(32), "09"), "its digest is none"),
        (but("\"fromHeight\": 20", "\"fromHeight\": 2"), "no manifest"),
        (but("\"CURRENT\"", "\"../CURRENT\""), "\"../CURRENT\""),
        (but("\"CURRENT\"", "\"/etc/passwd\""), "which no file of a store has"),
        (but("\"CURRENT\"", "\"\""), "which no file of a store has"),
        (but("\"CURRENT\"", &format!("\"{}\"", "a".repeat(256))), "which no file"),
        (but("\"CURRENT\"", "\"000000000012.rows\""), "two files have the name"),
        (but("\"bytes\": 16", &format!("\"bytes\": {}", u64::MAX)), "too large"),
        (but("\"bytes\": 16", "\"bytes\": -1"), "no manifest"),
    ];
    for (bytes, words) in cases {
        let error = Manifest::parse(&bytes).unwrap_err().to_string();
        assert!(error.contains(words), "{error}, not {words}");
    }
    let mut many = manifest();
    let name = |n: usize| File {
        name: n.to_string(),
        ..many.files[0].clone()
    };
    many.files = (0..=FILES_MAX).map(name).collect();
    // Its JSON is too long already, so what counts files is asked alone.
    assert!(matches!(check(&many.files), Err(Malformed::TooManyFiles(_))));
}

#[test]
fn a_later_version_may_add_fields() {
    let bytes = but("\"madeBy\"", "\"later\": 1,\n  \"madeBy\"");
    assert_eq!(Manifest::parse(&bytes).unwrap(), manifest());
}

#[test]
fn another_index_is_refused_in_words() {
    let of = |identity| Wanted {
        identity: Some(identity),
        ..Wanted::default()
    };
    let module = |module: &str| Wanted {
        module_sha256: Some(module.repeat(32)),
        ..Wanted::default()
    };
    let network = |network| Wanted {
        network: Some(network),
        ..Wanted::default()
    };
    let judged = |wanted: Wanted| manifest().judge(&wanted).map_err(|refusal| refusal.to_string());
    for wanted in [
        Wanted::default(),
        of(identity("cd")),
        module("cd"),
        network(Network::Regtest),
    ] {
        judged(wanted).unwrap();
    }
    let mainnet = Identity {
        network: Network::Mainnet,
        ..identity("cd")
    };
    let later = Identity {
        start_height: 6,
        ..identity("cd")
    };
    for (wanted, words) in [
        (
            of(identity("ab")),
            format!("its module is {}, not {}", "cd".repeat(32), "ab".repeat(32)),
        ),
        (of(mainnet), "its chain.network is regtest, not mainnet".into()),
        (of(later), "its chain.startHeight is 5, not 6".into()),
        (
            module("ab"),
            format!("its module is {}, not {}", "cd".repeat(32), "ab".repeat(32)),
        ),
        (network(Network::Signet), "its network is regtest, not signet".into()),
    ] {
        assert_eq!(judged(wanted), Err(words));
    }
    let other = Manifest {
        store_format: STORE_FORMAT + 1,
        ..manifest()
    };
    let refusal = other.judge(&Wanted::default()).unwrap_err();
    assert_eq!(
        refusal,
        Refusal::StoreFormat {
            found: STORE_FORMAT + 1
        }
    );
}
