//! `verify`: whether the data of an index that is not running matches its digests.

use std::io::{self, Write};

use crate::{
    cli::args::{self, FolderFlags},
    store::{self, Store, verify::Verified},
};

/// What is wrong with an index, or why it cannot be verified.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The flags do not name an index.
    #[error(transparent)]
    Flags(#[from] args::Error),
    /// There is no such store, or it cannot be used.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// Its data does not match its digests.
    #[error("{0}; roll back below it if that is still possible, else delete the store to index again")]
    Wrong(store::verify::Error),
    /// The report cannot be written.
    #[error("write the findings")]
    Write(#[source] io::Error),
}

/// Reads all of an index and writes a report.
///
/// # Errors
/// [`Error`]; [`Error::Wrong`] names the first block that does not match.
pub fn verify(flags: FolderFlags, out: &mut impl Write) -> Result<(), Error> {
    let store = Store::open_existing(&flags.store_dir()?)?;
    let mut written = Ok(());
    let verified = store.verify(|blocks| {
        // After a failed write the rest is computed all the same; that failure is then the command's.
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
