//! (I/O) A chain in a file, as a node keeps its blocks: for an index without a node.

use std::{
    fs::{self, File},
    io::{BufWriter, Write},
    path::Path,
};

use anyhow::{Context, Result};
use bitcoin::{Network, consensus::serialize, constants::genesis_block};

use crate::chain::{ChainMaker, recipe::Recipe};

/// The first file of a node's folder. Blocks go into another one from 128 MiB on, which is thousands of light blocks; a
/// reader knows no such bound.
const FILE: &str = "blk00000.dat";

/// Makes a chain up to a height in a folder, which gets one file in place of that of the same name: for each block the
/// network's magic number, its length and its bytes. Returns the chain, which stands on the last block.
///
/// # Errors
/// If the folder cannot be written.
pub fn write(folder: &Path, recipe: Recipe, to_height: u32) -> Result<ChainMaker> {
    let path = folder.join(FILE);
    let about = || format!("write {}", path.display());
    fs::create_dir_all(folder).with_context(about)?;
    let mut file = BufWriter::new(File::create(&path).with_context(about)?);
    let mut maker = ChainMaker::new(recipe);
    let mut block = genesis_block(Network::Regtest);
    loop {
        let bytes = serialize(&block);
        file.write_all(&Network::Regtest.magic().to_bytes())
            .with_context(about)?;
        file.write_all(&u32::try_from(bytes.len())?.to_le_bytes())
            .with_context(about)?;
        file.write_all(&bytes).with_context(about)?;
        if maker.height() >= to_height {
            break;
        }
        block = maker.next_block()?;
    }
    file.flush().with_context(about)?;
    Ok(maker)
}
