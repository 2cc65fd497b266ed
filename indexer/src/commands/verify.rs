//! `verify`: whether an index that nobody runs still is what its digests say.

use std::io::{self, Write};

use crate::{
    cli::args::{self, FolderFlags},
    store::{self, Store, verify::Verified},
};

/// Why an index is not in order, or why that cannot be found out.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The flags do not name an index.
    #[error(transparent)]
    Flags(#[from] args::Error),
    /// There is no such store, or it cannot be used.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// It can be used, and is wrong.
    #[error("{0}; roll back below it if that is still possible, else delete the store to index again")]
    Wrong(store::verify::Error),
    /// The findings cannot be written.
    #[error("write the findings")]
    Write(#[source] io::Error),
}

/// Reads all of an index and writes what was found.
///
/// # Errors
/// [`Error`]; [`Error::Wrong`] names the first block that is.
pub fn verify(flags: FolderFlags, out: &mut impl Write) -> Result<(), Error> {
    let store = Store::open_existing(&flags.store_dir()?)?;
    let mut written = Ok(());
    let verified = store.verify(|blocks| {
        // On its way to an error the rest is computed all the same; what was found goes unseen, and the error is told.
        if written.is_ok() {
            written = writeln!(out, "{:<10} blocks {} to {}", "verified", blocks.start(), blocks.end());
        }
    });
    written.map_err(Error::Write)?;
    let Verified { tip, entries, bytes } = verified.map_err(|error| match error {
        store::verify::Error::Store(error) => Error::Store(error),
        wrong => Error::Wrong(wrong),
    })?;
    let text = match tip {
        Some(tip) => format!(
            "{:<10} {} {}\n{:<10} {}\n{:<10} {entries} rows, {bytes} bytes\n",
            "block", tip.at.height, tip.at.hash, "digest", tip.digest, "total"
        ),
        None => "nothing is indexed\n".into(),
    };
    out.write_all(text.as_bytes()).map_err(Error::Write)
}
