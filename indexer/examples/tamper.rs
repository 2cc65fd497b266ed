//! Changes one bit of what a store says of its newest block, past all checks: for tests of what finds that out.
//! `tamper DIR`, DIR being the folder of a store that no process has open. Prints the height.
#![allow(clippy::print_stdout)] // a command's result goes there

use anyhow::{Context, Result};
use rocksdb::{DB, IteratorMode, Options, WriteOptions};

/// The family whose keys are heights, and where in its values the digest begins: `store::schema` says so.
const BLOCKS: &str = "blocks";
const DIGEST_AT: usize = 32;

fn main() -> Result<()> {
    let dir = std::env::args().nth(1).context("usage: tamper DIR")?;
    let path = std::path::Path::new(&dir).join("rocksdb");
    let families = DB::list_cf(&Options::default(), &path)?;
    let db = DB::open_cf(&Options::default(), &path, families)?;
    let blocks = db.cf_handle(BLOCKS).context("the store has no blocks")?;
    let newest = db.iterator_cf(blocks, IteratorMode::End).next();
    let (key, mut row) = newest.context("the store is empty")??;
    row[DIGEST_AT] ^= 1;
    let mut options = WriteOptions::default();
    options.set_sync(true);
    db.put_cf_opt(blocks, &key, &row, &options)?;
    let height: [u8; 4] = key.as_ref().try_into().context("the key is no height")?;
    println!("{}", u32::from_be_bytes(height));
    Ok(())
}
