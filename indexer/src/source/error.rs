//! How a chain source fails, and why an address cannot be used.

use std::{io, path::PathBuf, sync::Arc};

use bitcoin::BlockHash;
use crds::{Network, pod::source_reasons};

use super::block_files::error as files;
use crate::chain::{self, BlockRef, Height};

/// How a chain source fails. All of it is of class `Source`: retried indefinitely, and shown. URLs in here never carry
/// credentials.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)] // Each field is explained by the text it appears in.
pub enum Error {
    /// No connection, a timeout, or an answer that breaks off.
    #[error("{url} does not answer: check that the node runs and can be reached from here")]
    Unreachable { url: Arc<str>, source: reqwest::Error },
    /// It answers that it cannot answer now.
    #[error("{url} is starting or overloaded: wait, or raise its rpcworkqueue")]
    Busy { url: Arc<str> },
    /// 401 or 403.
    #[error("{url} refuses access (HTTP {status}): check username and password, and the node's rpcauth and rpcallowip")]
    Unauthorized { url: Arc<str>, status: u16 },
    /// Credentials are declared, and cannot be read.
    #[error("credentials for {url} cannot be read from {}: provide that file, in a cluster as key of the secret", .path.display())]
    CredentialsMissing {
        url: Arc<str>,
        path: PathBuf,
        source: io::Error,
    },
    /// Its genesis block is another one.
    #[error("{url} is not on {network}: its genesis block is {found}; give the address of a {network} node")]
    WrongNetwork {
        url: Arc<str>,
        network: Network,
        found: BlockHash,
    },
    /// It no longer has a block that is needed.
    #[error("{url} has pruned block {height}: give the address of a node that keeps all blocks from there on")]
    Pruned { url: Arc<str>, height: Height },
    /// It is still catching up with the network.
    #[error("{url} is still syncing (block {blocks} of {headers}): wait for it")]
    InitialSync { url: Arc<str>, blocks: u32, headers: u32 },
    /// Neither REST nor JSON-RPC can be used.
    #[error("{url} does not offer REST, and JSON-RPC needs credentials: set rest=1 on the node or give credentials")]
    NoInterface { url: Arc<str> },
    /// An answer with an unexpected status.
    #[error("{url} answers {what} with HTTP {status}: check that this is a Bitcoin node's RPC port")]
    Status {
        url: Arc<str>,
        what: &'static str,
        status: u16,
    },
    /// A JSON-RPC error.
    #[error("{url} answers {what} with error {code} ({message}): check the node's log")]
    Rpc {
        url: Arc<str>,
        what: &'static str,
        code: i64,
        message: String,
    },
    /// An answer longer than any valid one.
    #[error("{url} answers {what} with more than {max_bytes} bytes: check that this is a Bitcoin node's RPC port")]
    TooLong {
        url: Arc<str>,
        what: &'static str,
        max_bytes: usize,
    },
    /// An answer that cannot be read.
    #[error("{url} answers {what} with something else: check that this is a Bitcoin node's RPC port")]
    Malformed { url: Arc<str>, what: &'static str },
    /// A header or a block that is not valid, or not the one asked for.
    #[error("{url} sent what cannot be right: check the node's disk, or use another node")]
    Invalid { url: Arc<str>, source: chain::Error },
    /// It does not know a block it has listed before.
    #[error("{url} does not have block {} at height {}: wait, or check that the node's disk is whole", .at.hash, .at.height)]
    NoBlock { url: Arc<str>, at: BlockRef },
    /// Of block files, not of a node.
    #[error(transparent)]
    Files(#[from] files::Error),
}

/// Why a node's address cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum AddressError {
    /// There is none.
    #[error("no node given: give the address of at least one")]
    Missing,
    /// It is no URL, or one that is not for HTTP.
    #[error("address {position} of the node is no http:// or https:// URL")]
    NoUrl {
        /// Which of the addresses, from 1. The address itself may be anything, even a password.
        position: usize,
    },
    /// It has a user name or a password in it.
    #[error("address {position} of the node has credentials in it: give them in files instead")]
    Credentials {
        /// Which of the addresses, from 1.
        position: usize,
    },
    /// The HTTP client cannot be made.
    #[error("set up the HTTP client")]
    Client(#[source] reqwest::Error),
}

impl Error {
    /// The word for it out of [`source_reasons`].
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Unreachable { .. } | Self::Busy { .. } => source_reasons::UNREACHABLE,
            Self::Unauthorized { .. } => source_reasons::UNAUTHORIZED,
            Self::CredentialsMissing { .. } => source_reasons::CREDENTIALS_MISSING,
            Self::WrongNetwork { .. } => source_reasons::WRONG_NETWORK,
            Self::Pruned { .. } => source_reasons::PRUNED,
            Self::InitialSync { .. } => source_reasons::INITIAL_SYNC,
            Self::NoInterface { .. } => source_reasons::NO_INTERFACE,
            Self::Files(error) => error.reason(),
            Self::Status { .. }
            | Self::Rpc { .. }
            | Self::TooLong { .. }
            | Self::Malformed { .. }
            | Self::Invalid { .. }
            | Self::NoBlock { .. } => source_reasons::BAD_ANSWER,
        }
    }

    /// Whether asking again is pointless until a person changes the node, its address, the credentials or the files.
    #[must_use]
    pub fn is_lasting(&self) -> bool {
        matches!(
            self.reason(),
            source_reasons::UNAUTHORIZED
                | source_reasons::WRONG_NETWORK
                | source_reasons::PRUNED
                | source_reasons::NO_INTERFACE
                | source_reasons::BLOCK_FILES_MISSING
                | source_reasons::BLOCK_FILES_INCOMPLETE
        )
    }

    /// The error and its causes in one line, for people.
    #[must_use]
    pub fn message(&self) -> String {
        let causes = std::iter::successors(std::error::Error::source(self), |cause| cause.source());
        causes.fold(self.to_string(), |text, cause| format!("{text}: {cause}"))
    }
}
