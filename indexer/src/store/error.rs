//! What the store refuses or fails to do.

use std::{error::Error as _, io, path::PathBuf};

use crds::{Identity, pod::FaultClass};

use super::refusal::{Refusal, undoable};
use crate::{chain::Height, fault::Fault, rows};

/// A call that failed. Nothing of it is in the store: every change is one atomic batch.
///
/// After [`Error::Write`] the store may refuse further writes until it is opened again (a full disk makes RocksDB
/// read-only); reads go on.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The folder cannot be made, read or written.
    #[error("{action} {}", path.display())]
    Folder {
        /// What was being done.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// There is something in the folder, and it is not a store of this program.
    #[error("{} is not empty and holds no store of this program: give an empty folder", dir.display())]
    NotOurs {
        /// The folder.
        dir: PathBuf,
    },
    /// There is nothing in the folder, where something is needed.
    #[error("there is no store in {}: give --db-path, --label, --manifest or --config as the run had them", dir.display())]
    Missing {
        /// The folder.
        dir: PathBuf,
    },
    /// The store has another layout than this program reads.
    #[error(
        "the store in {} says {found:?}, this program reads {wanted:?}: run the version that wrote it, or give an empty \
         folder to index again", dir.display()
    )]
    Format {
        /// The folder.
        dir: PathBuf,
        /// What the folder's marker says.
        found: String,
        /// What it must say.
        wanted: String,
    },
    /// Another process has the store open.
    #[error("the store in {} is in use by another process: stop that one first", dir.display())]
    Locked {
        /// The folder.
        dir: PathBuf,
    },
    /// There are blocks where a store was to be put.
    #[error("there is an index with blocks up to {height} in {}: give an empty folder, or delete it first", dir.display())]
    Occupied {
        /// The folder.
        dir: PathBuf,
        /// Its newest block.
        height: Height,
    },
    /// The files of a database are there, and the one that names them is not.
    #[error(
        "the store in {} is damaged: it has {found} and lacks rocksdb/CURRENT, as after a copy that was interrupted. Nothing \
         in there was changed: copy it again from where it came; or delete it, then restore a snapshot or index again",
        dir.display()
    )]
    Incomplete {
        /// The folder.
        dir: PathBuf,
        /// One of the files, from there.
        found: String,
    },
    /// The store holds another index than the one wanted.
    #[error(
        "the store in {} holds {}, not {}: if only the module differs, --in-place (in a manifest \
         rollout.strategy: InPlace) continues its data with the new one; else give an empty folder for the new index",
        dir.display(), in_words(found), in_words(wanted)
    )]
    OtherIndex {
        /// The folder.
        dir: PathBuf,
        /// The index in the store.
        found: Box<Identity>,
        /// The index wanted.
        wanted: Box<Identity>,
    },
    /// The module wanted cannot continue the data of the store.
    #[error("the store in {} cannot be continued in place: {refusal}", dir.display())]
    InPlace {
        /// The folder.
        dir: PathBuf,
        /// Why, and what to do.
        refusal: Refusal,
    },
    /// RocksDB cannot open the database.
    #[error(
        "cannot open the database in {}: make room if its disk is full; if it is damaged, restore the folder, or delete it \
         to index again", dir.display()
    )]
    Open {
        /// The folder.
        dir: PathBuf,
        /// Its words.
        #[source]
        source: rocksdb::Error,
    },
    /// RocksDB cannot read.
    #[error("cannot read {what} from the store: if its disk is well, restore the folder, or delete it to index again")]
    Read {
        /// What was being read.
        what: &'static str,
        /// Its words.
        #[source]
        source: rocksdb::Error,
    },
    /// RocksDB cannot write.
    #[error("cannot write {what} to the store: make room if its disk is full, then start again")]
    Write {
        /// What was being written.
        what: &'static str,
        /// Its words.
        #[source]
        source: rocksdb::Error,
    },
    /// A file of rows cannot be read or written.
    #[error(
        "cannot read or write rows: make room if the disk is full, then start again; if a file is damaged, restore the \
         store, or delete it to index again"
    )]
    Rows(#[from] rows::Error),
    /// Rows cannot be merged, and there are as many files as there may be.
    #[error("no more blocks can be added until rows can be merged, which fails: {why}")]
    MergeFailed {
        /// The last failure.
        why: String,
        /// Its class.
        class: FaultClass,
    },
    /// What is on disk cannot have been written by this program.
    #[error("the store is damaged: {what}; restore it, or delete it to index again")]
    Damaged {
        /// What was found.
        what: String,
    },
    /// Blocks are committed one after the other.
    #[error("commit of block {height}, but the next block is {wanted}")]
    OutOfOrder {
        /// The height that came.
        height: Height,
        /// The height that must come.
        wanted: Height,
    },
    /// More blocks would have to be undone than may be.
    #[error("cannot undo down to block {lowest}: {}", undoable(*oldest, *tip))]
    TooDeep {
        /// The lowest block to undo.
        lowest: Height,
        /// The oldest block that can be undone, if any.
        oldest: Option<Height>,
        /// The newest block.
        tip: Height,
    },
}

impl Error {
    /// A block below the tip that the store should know and does not.
    pub(super) fn no_block_row(height: Height) -> Self {
        Self::Damaged {
            what: format!("block {height} has no row"),
        }
    }

    /// What the loop that sees it must do.
    #[must_use]
    pub fn class(&self) -> FaultClass {
        match self {
            Self::TooDeep { .. } => FaultClass::Reorg,
            Self::MergeFailed { class, .. } => *class,
            Self::Folder { source, .. } if rows::is_for_want_of_room(source) => FaultClass::DiskFull,
            Self::Rows(error) if error.is_for_want_of_room() => FaultClass::DiskFull,
            Self::Folder { .. }
            | Self::NotOurs { .. }
            | Self::Missing { .. }
            | Self::Format { .. }
            | Self::Locked { .. }
            | Self::Occupied { .. }
            | Self::Incomplete { .. }
            | Self::OtherIndex { .. }
            | Self::InPlace { .. }
            | Self::Open { .. }
            | Self::Read { .. }
            | Self::Write { .. }
            | Self::Rows(_)
            | Self::Damaged { .. }
            | Self::OutOfOrder { .. } => FaultClass::Host,
        }
    }
}

impl From<Fault> for Error {
    /// Of a merge.
    fn from(Fault { class, message }: Fault) -> Self {
        Self::MergeFailed { why: message, class }
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        let mut message = error.to_string();
        let mut cause = error.source();
        while let Some(error) = cause {
            message = format!("{message}: {error}");
            cause = error.source();
        }
        Self {
            class: error.class(),
            message,
        }
    }
}

fn in_words(identity: &Identity) -> String {
    format!(
        "revision {} (module {}, {} from height {}, memory limit {} bytes)",
        identity.revision(),
        identity.module_sha256,
        identity.network.as_str(),
        identity.start_height,
        identity.memory_limit_bytes
    )
}
