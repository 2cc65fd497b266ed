//! Block files as a real node writes them.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::OnceLock,
};

use crds::{
    Network,
    pod::{self, source_reasons},
};
use indexer::{
    chain::BlockRef,
    source::{BlockSource, Error, block_files::BlockFiles, configured::Configured},
};
use tempfile::TempDir;

use crate::{contract, node::Node};

/// Of regtest.
const MAGIC: [u8; 4] = [0xfa, 0xbf, 0xb5, 0xda];

fn files(folder: &Path) -> BlockFiles {
    BlockFiles::new(folder, Network::Regtest)
}

/// What reading a folder from genesis to its tip gives.
async fn read_all(source: &impl BlockSource) -> Vec<BlockRef> {
    source.tip().await.unwrap();
    let all = contract::all_headers(source, 2000).await;
    for at in &all {
        assert_eq!(source.block(*at).await.unwrap().at, *at);
    }
    all
}

async fn reason(source: &impl BlockSource) -> (&'static str, String) {
    let error = source.tip().await.unwrap_err();
    (error.reason(), error.message())
}

/// Nodes that obfuscate and that do not, with files of 64 KiB.
fn nodes() -> [Node; 2] {
    [Node::start(), Node::start_with(&["-rest=1", "-blocksxor=0"])]
}

#[tokio::test]
async fn a_chain_is_read_whole_from_files_while_the_node_writes_them() {
    for mut node in nodes() {
        let source = files(&node.blocks_dir());
        contract::reads_a_chain_whole(&mut node, &source, 600).await;
        assert!(node.blocks_dir().join("blk00001.dat").exists(), "several files");
        assert_eq!(read_all(&source).await.len(), 601);
    }
}

#[tokio::test]
async fn a_reorganisation_is_followed_in_files() {
    let [mut obfuscated, mut plain] = nodes();
    for node in [&mut obfuscated, &mut plain] {
        let source = files(&node.blocks_dir());
        contract::follows_a_reorg(node, &source).await;
    }
    let key = fs::read(obfuscated.blocks_dir().join("xor.dat")).unwrap();
    assert!(key.len() == 8 && key.iter().any(|byte| *byte != 0), "{key:?}");
    let start = fs::read(plain.blocks_dir().join("blk00000.dat")).unwrap();
    assert_eq!(start[..4], MAGIC, "in clear");
}

/// The records of a plain file, magic and size included, and what follows the last of them.
fn records(file: &Path) -> (Vec<Vec<u8>>, Vec<u8>) {
    let mut rest = fs::read(file).unwrap();
    let mut records = Vec::new();
    while rest.len() > 8 && rest[..4] == MAGIC {
        let size = u32::from_le_bytes(rest[4..8].try_into().unwrap()) as usize;
        let next = rest.split_off(8 + size);
        records.push(std::mem::replace(&mut rest, next));
    }
    (records, rest)
}

/// The records of the first 1,101 blocks of a regtest chain, that of genesis first.
fn real_records() -> &'static [Vec<u8>] {
    static RECORDS: OnceLock<Vec<Vec<u8>>> = OnceLock::new();
    RECORDS.get_or_init(|| {
        let mut node = Node::start_with(&["-rest=1", "-blocksxor=0"]);
        node.mine(1100);
        let mut all = Vec::new();
        for number in 0.. {
            let file = node.blocks_dir().join(format!("blk{number:05}.dat"));
            if !file.exists() {
                break;
            }
            let (records, padding) = records(&file);
            assert!(padding.iter().all(|byte| *byte == 0));
            all.extend(records);
        }
        assert_eq!(all.len(), 1101);
        all
    })
}

/// Files made of real records.
struct Made<'a> {
    folder: TempDir,
    records: &'a [Vec<u8>],
}

impl Made<'_> {
    fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            records: real_records(),
        }
    }

    fn file(&self, number: u32) -> PathBuf {
        self.folder.path().join(format!("blk{number:05}.dat"))
    }

    fn write(&self, number: u32, records: impl IntoIterator<Item = usize>, after: &[u8]) {
        let records: Vec<&[u8]> = records.into_iter().map(|at| &self.records[at][..]).collect();
        fs::write(self.file(number), [&records.concat(), after].concat()).unwrap();
    }
}

#[tokio::test]
async fn blocks_out_of_order_and_twice_and_zeros_at_the_end_are_read() {
    let made = Made::new();
    made.write(0, (0..=40).rev().step_by(2), &[0; 3000]);
    made.write(1, [1, 3, 0, 1].into_iter().chain((5..40).step_by(2)), &[0; 5]);
    // Neither of them is a file of blocks.
    fs::write(made.folder.path().join("rev00000.dat"), b"undo").unwrap();
    fs::write(made.folder.path().join("blk1.dat"), b"not ours").unwrap();
    assert_eq!(read_all(&files(made.folder.path())).await.len(), 41);
}

#[tokio::test]
async fn a_record_that_is_not_all_there_is_waited_for() {
    let made = Made::new();
    let whole = &made.records[3];
    made.write(0, 0..3, &[]);
    let source = files(made.folder.path());
    let before = source.tip().await.unwrap();
    // Cut anywhere, or with zeros where the rest will be, as in space a node has reserved.
    for cut in [1, 7, 8, 50, 87, 88, 100, whole.len() - 40] {
        made.write(0, 0..3, &whole[..cut]);
        assert_eq!(source.tip().await.unwrap(), before, "{cut} bytes");
        made.write(0, 0..3, &[&whole[..cut], &vec![0; 5000]].concat());
        assert_eq!(source.tip().await.unwrap(), before, "{cut} bytes and zeros");
    }
    made.write(0, 0..=3, &[0; 5000]);
    assert_eq!(source.tip().await.unwrap().height.0, 3);
    assert_eq!(read_all(&source).await.len(), 4);
}

#[tokio::test]
async fn a_file_that_is_written_anew_is_read_anew() {
    let made = Made::new();
    made.write(0, 0..=30, &[]);
    let source = files(made.folder.path());
    let tip = source.tip().await.unwrap();
    // The same blocks elsewhere, as after a crash of the node; those of a run are not kept indefinitely.
    made.write(0, (0..=30).rev(), &[]);
    let error = source.block(tip).await.unwrap_err();
    assert!(error.message().contains("blk00000.dat has no valid block"), "{error}");
    assert_eq!(error.reason(), source_reasons::BAD_ANSWER);
    assert_eq!(read_all(&source).await.len(), 31);
}

#[tokio::test]
async fn what_is_wrong_with_the_folder_has_its_reason() {
    let made = Made::new();
    let source = files(&made.folder.path().join("nowhere"));
    let (code, text) = reason(&source).await;
    assert_eq!(code, source_reasons::BLOCK_FILES_MISSING);
    assert!(text.contains("nowhere") && text.contains("No such file"), "{text}");

    let source = files(made.folder.path());
    assert_eq!(reason(&source).await.0, source_reasons::BLOCK_FILES_MISSING, "empty");

    // Without genesis: pruned. The text says so in words, and what to do.
    made.write(1, 9..=30, &[]);
    let (code, text) = reason(&source).await;
    assert_eq!(code, source_reasons::BLOCK_FILES_INCOMPLETE);
    assert!(text.contains("a hole after nothing: 22 blocks"), "{text}");

    // Some blocks that wait for others are what a node in its first sync has.
    made.write(0, 0..5, &[0; 100]);
    assert_eq!(source.tip().await.unwrap().height.0, 4);
    made.write(0, 0..9, &[]);
    assert_eq!(read_all(&source).await.len(), 31);

    // The key of another folder.
    fs::write(made.folder.path().join("xor.dat"), [7; 8]).unwrap();
    let (code, text) = reason(&files(made.folder.path())).await;
    assert_eq!(code, source_reasons::WRONG_NETWORK);
    assert!(text.contains("and their xor.dat"), "{text}");
    fs::write(made.folder.path().join("xor.dat"), [7; 9]).unwrap();
    let (code, _) = reason(&files(made.folder.path())).await;
    assert_eq!(code, source_reasons::BLOCK_FILES_UNREADABLE);
    fs::remove_file(made.folder.path().join("xor.dat")).unwrap();

    let mainnet = BlockFiles::new(made.folder.path(), Network::Mainnet);
    let (code, text) = reason(&mainnet).await;
    assert_eq!(code, source_reasons::WRONG_NETWORK);
    assert!(
        text.contains("block of mainnet (its first bytes are fabfb5da)"),
        "{text}"
    );
}

#[tokio::test]
async fn a_hole_of_more_than_a_node_downloads_ahead_is_named() {
    let made = Made::new();
    made.write(0, (0..20).chain(21..=1100), &[]);
    let (code, text) = reason(&files(made.folder.path())).await;
    assert_eq!(code, source_reasons::BLOCK_FILES_INCOMPLETE);
    assert!(text.contains("a hole after block 19: 1080 blocks"), "{text}");
}

#[tokio::test]
async fn a_file_that_is_pruned_while_it_is_read_is_named() {
    let made = Made::new();
    made.write(0, 0..20, &[]);
    made.write(1, 20..=30, &[]);
    let source = files(made.folder.path());
    let all = read_all(&source).await;
    fs::remove_file(made.file(0)).unwrap();
    let fresh = files(made.folder.path());
    assert_eq!(reason(&fresh).await.0, source_reasons::BLOCK_FILES_INCOMPLETE);
    // The one that knows where it was. Blocks of the last jobs are still in memory: ask for one beside the chain's
    // order.
    let asked_anew = files(made.folder.path());
    made.write(0, 0..20, &[]);
    asked_anew.tip().await.unwrap();
    fs::remove_file(made.file(0)).unwrap();
    let error = asked_anew.block(all[5]).await.unwrap_err();
    assert_eq!(error.reason(), source_reasons::PRUNED, "{error}");
    assert_eq!(asked_anew.block(all[25]).await.unwrap().at, all[25]);
}

/// A source with both: blocks of the folder, and the node's word.
fn both(folder: &Path, node: &Node) -> Configured {
    let source = pod::Source {
        block_files: Some(folder.into()),
        ..node.source()
    };
    Configured::new(&source, Network::Regtest, None).unwrap()
}

#[tokio::test]
async fn with_a_node_and_files_the_node_decides_and_the_files_save_it_the_work() {
    let [_, mut node] = nodes();
    node.mine(30);
    let (records, _) = records(&node.blocks_dir().join("blk00000.dat"));
    let made = Made {
        folder: tempfile::tempdir().unwrap(),
        records: &records,
    };
    // Old files, with a hole, of which the node has another opinion from block 25 on.
    made.write(0, (0..10).chain(12..=30), &[]);
    let gone = node.invalidate(25);
    let tip = node.mine(20);
    let source = both(made.folder.path(), &node);
    assert_eq!(source.tip().await.unwrap(), tip);
    let all = read_all(&source).await;
    assert_eq!((all.len(), all[44], all[25] == gone), (45, tip, false));

    // A file that is damaged past a header costs nothing.
    let mut bytes = fs::read(made.file(0)).unwrap();
    bytes[records[..6].concat().len() - 3] ^= 1;
    fs::write(made.file(0), bytes).unwrap();
    assert_eq!(read_all(&both(made.folder.path(), &node)).await, all);

    // Without its node, what the files have can still be read, and nothing else.
    node.stop();
    assert_eq!(source.block(all[24]).await.unwrap().at, all[24]);
    assert!(matches!(source.block(all[10]).await, Err(Error::Unreachable { .. })));
    assert_eq!(reason(&source).await.0, source_reasons::UNREACHABLE);

    // A folder that is not there would only show in a slow sync.
    let wrong = both(&made.folder.path().join("nowhere"), &node);
    assert_eq!(reason(&wrong).await.0, source_reasons::BLOCK_FILES_MISSING);
}
