//! Why two indexers could not be compared.

use std::{io, path::PathBuf};

use crate::commands::request;

/// Why two indexers could not be compared.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// One of them did not answer.
    #[error(transparent)]
    Request(#[from] request::Error),
    /// One of them does not say how far it is.
    #[error("{url} does not tell its height: {words}")]
    NoHeight {
        /// Which.
        url: String,
        /// What it says instead.
        words: String,
    },
    /// The file with views cannot be read.
    #[error("read {}", path.display())]
    Views {
        /// The file.
        path: PathBuf,
        /// What went wrong.
        #[source]
        source: io::Error,
    },
    /// The file with views has something else.
    #[error("{} is no list of views, each `{{function: NAME, input: 0x…, heights: […]}}`", path.display())]
    NoViews {
        /// The file.
        path: PathBuf,
        /// What it has.
        #[source]
        source: serde_yaml::Error,
    },
    /// The file with views has none.
    #[error("{} names no views: add some, or leave out --views to compare blocks alone", path.display())]
    EmptyViews {
        /// The file.
        path: PathBuf,
    },
    /// Nothing is left to ask.
    #[error(
        "no block can be compared: all heights are above {newest}, the newest that both have; choose lower ones with \
         --heights, or wait until both have them"
    )]
    NoBlockLeft {
        /// The lower tip.
        newest: u32,
    },
    /// Blocks are left, and nothing to ask of views.
    #[error(
        "no view can be compared: all heights of {} are above {newest}, the newest that both have; name lower ones \
         there, or wait until both have them",
        path.display()
    )]
    NoViewLeft {
        /// The file with views.
        path: PathBuf,
        /// The lower tip.
        newest: u32,
    },
    /// The report cannot be written.
    #[error("write the report")]
    Write(#[source] io::Error),
}
