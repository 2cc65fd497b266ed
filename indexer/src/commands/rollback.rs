//! `rollback --to HEIGHT`: undoes the newest blocks of an index that is not running.

use std::io::{self, Write};

use crate::{
    chain::Height,
    cli::args::{self, RollbackFlags},
    store::{self, Store},
};

/// Why blocks cannot be undone.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The flags do not name an index.
    #[error(transparent)]
    Flags(#[from] args::Error),
    /// There is no such store, or it cannot be used.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// The report cannot be written.
    #[error("write what was undone")]
    Write(#[source] io::Error),
}

/// Undoes every block above a height and writes what was undone. A height below the first block undoes all of them.
///
/// # Errors
/// [`Error`]. A run that is killed leaves whole blocks: the same command resumes it.
pub fn rollback(flags: RollbackFlags, out: &mut impl Write) -> Result<(), Error> {
    let to = Height(flags.to);
    let store = Store::open_existing(&flags.folder.store_dir()?)?;
    let (before, rows_before) = (store.tip(), store.stats().entries);
    let undone = store.unwind(Some(to))?;
    store.flush()?;
    let rows = rows_before - store.stats().entries;
    let mut line = |name: &str, value: String| writeln!(out, "{name:<10} {value}").map_err(Error::Write);
    match before {
        Some(tip) if undone > 0 => {
            let lowest = tip.at.height.0 - (undone - 1);
            line(
                "undone",
                format!("blocks {lowest} to {}, with {rows} rows", tip.at.height),
            )?;
        }
        _ => line("undone", "nothing: no block is above that height".into())?,
    }
    match store.tip() {
        Some(tip) => {
            line("block", format!("{} {}", tip.at.height, tip.at.hash))?;
            line("digest", tip.digest.to_string())
        }
        None => line("block", "none: the index is empty".into()),
    }
}
