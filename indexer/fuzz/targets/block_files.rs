//! Block files: whatever lies in them, the chain found is one that is there; xored files and files that grew between two
//! looks give the same one; and every block handed out lies in a file as it is.
#![no_main]
#![allow(clippy::expect_used)] // a panic is how a target says that something is wrong

use std::{env, fs, path::Path, process, sync::OnceLock};

use bitcoin::{Block, consensus::deserialize};
use crds::Network;
use fuzz::chain;
use indexer::source::{BlockSource as _, Headers, block_files::BlockFiles};
use libfuzzer_sys::fuzz_target;
use tokio::runtime::{self, Runtime};

/// What a node xors with, and what changes nothing.
const KEY: [u8; 8] = [0x5a, 1, 0xff, 0, 0x80, 7, 9, 0xc3];
const PLAIN: [u8; 8] = [0; 8];

struct Stage {
    blocks: Vec<Vec<u8>>,
    runtime: Runtime,
}

fn stage() -> &'static Stage {
    static STAGE: OnceLock<Stage> = OnceLock::new();
    STAGE.get_or_init(|| Stage {
        blocks: chain::blocks(),
        runtime: runtime::Builder::new_current_thread().build().expect("a runtime"),
    })
}

fn write(folder: &Path, files: &[Vec<u8>], key: [u8; 8]) {
    for (number, bytes) in files.iter().enumerate() {
        let bytes: Vec<u8> = bytes.iter().zip(key.iter().cycle()).map(|(a, b)| a ^ b).collect();
        fs::write(folder.join(format!("blk{number:05}.dat")), bytes).expect("a file written");
    }
    fs::write(folder.join("xor.dat"), key).expect("a file written");
}

/// The height of the best chain, or the word for why there is none.
async fn look(source: &BlockFiles) -> Result<u32, &'static str> {
    source
        .tip()
        .await
        .map(|tip| tip.height.0)
        .map_err(|error| error.reason())
}

async fn check(blocks: &[Vec<u8>], files: &[Vec<u8>], cut: usize) {
    // In a folder of this process, which whoever started it removes.
    let folder = &env::temp_dir().join(format!("fuzz-block-files-{}", process::id()));
    let _ = fs::remove_dir_all(folder);
    fs::create_dir_all(folder).expect("a folder");
    let source = || BlockFiles::new(folder, Network::Regtest);
    // Zeros at the start are room that a node reserved, and it does not xor that.
    let starts_with_zeros = |file: &Vec<u8>| file.starts_with(&[0; 8]) || file.starts_with(&KEY);
    let key = if files.iter().any(starts_with_zeros) {
        PLAIN
    } else {
        KEY
    };
    write(folder, files, key);
    let xored = look(&source()).await;

    let (last, others) = files.split_last().expect("one file at least");
    let grown = source();
    let cut = last[..cut.min(last.len())].to_vec();
    write(folder, &[others, &[cut]].concat(), PLAIN);
    let _ = look(&grown).await;
    write(folder, files, PLAIN);
    let grown = look(&grown).await;

    let plain = source();
    let found = look(&plain).await;
    assert_eq!((xored, grown), (found, found));
    let Ok(found) = found else { return };
    let (least, most) = (
        chain::height(files, |record| blocks.iter().any(|block| block == record)),
        chain::height(files, |_| true),
    );
    assert!(
        least <= Some(found) && Some(found) <= most,
        "{least:?} {found} {most:?}"
    );
    let links = match plain.headers_after(None, 100).await {
        Ok(Headers::Next(links)) => links,
        Ok(Headers::NotInChain) => panic!("there is no block that it could lack"),
        Err(error) => return assert!(chain::has_other_target(files), "{error}"),
    };
    assert_eq!(links.len(), found as usize + 1);
    for at in links.into_iter().map(|link| link.at) {
        let Ok(block) = plain.block(at).await else { continue };
        let decoded: Block = deserialize(&block.bytes).expect("a block");
        assert_eq!((block.at, decoded.block_hash()), (at, at.hash));
        let lies_in = |file: &Vec<u8>| file.windows(block.bytes.len()).any(|part| part == block.bytes);
        assert!(files.iter().any(lies_in), "{at:?}");
    }
}

fuzz_target!(|bytes: &[u8]| {
    let Some((cut, bytes)) = bytes.split_first() else {
        return;
    };
    let Stage { blocks, runtime } = stage();
    let files = chain::files(blocks, bytes);
    runtime.block_on(check(blocks, &files, usize::from(*cut) * 8));
});
