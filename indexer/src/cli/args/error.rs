//! Why flags and files do not say what to run.

use std::{io, path::PathBuf};

use crds::Problem;

use crate::cli::manifest;

/// Why flags and files do not say what to run.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Neither a configuration, nor a manifest, nor a module.
    #[error("nothing to run: give --manifest FILE, or --indexer FILE and --daemon-rpc-url URL, or --config FILE")]
    Nothing,
    /// No folder.
    #[error("which index? give --db-path DIR or --label NAME, --manifest FILE, or --config FILE, as the run had them")]
    NoFolder,
    /// A module without a source of blocks.
    #[error("--indexer needs --daemon-rpc-url URL or --block-files DIR, or a manifest that names the node")]
    NoNode,
    /// A file cannot be read.
    #[error("read {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's words.
        #[source]
        source: io::Error,
    },
    /// The configuration is none.
    #[error("read configuration {path}")]
    Config {
        /// The file.
        path: PathBuf,
        /// The parser's words.
        #[source]
        source: serde_yaml::Error,
    },
    /// The manifest is none.
    #[error(transparent)]
    Manifest(#[from] manifest::Error),
    /// The module is in a cluster.
    #[error("spec.module.configMap is an object of a cluster: give --indexer FILE with the same module")]
    ModuleInCluster,
    /// No such network.
    #[error("--network {0:?}: it must be mainnet, testnet3, testnet4, signet or regtest")]
    Network(String),
    /// Credentials without a user or without a colon.
    #[error("--auth (or SHREWD_AUTH) must read USER:PASSWORD")]
    Auth,
    /// No URL.
    #[error(
        "--daemon-rpc-url must read http(s)://HOST[:PORT], without path and query; credentials go into SHREWD_AUTH, \
         --auth or --rpc-cookie-file, or before the host as USER:PASSWORD@, with %40 for @ and %2F for /"
    )]
    Url,
    /// Two pairs of credentials.
    #[error(
        "credentials are in more than one of --daemon-rpc-url, --auth (or SHREWD_AUTH) and --rpc-cookie-file: give one"
    )]
    AuthTwice,
    /// The manifest's values do not fit.
    #[error("{}", .0.iter().map(Problem::to_string).collect::<Vec<_>>().join("; "))]
    Spec(Vec<Problem>),
    /// The file has other bytes than the manifest declares.
    #[error(
        "module file {} has sha256 {found}, but the manifest declares {declared}: give the file or the digest that \
         belong together", .path.display()
    )]
    OtherModule {
        /// The file.
        path: PathBuf,
        /// The digest it has.
        found: String,
        /// The digest it should have.
        declared: String,
    },
    /// The configuration's values do not fit.
    #[error("{}", .0.join("; "))]
    Values(Vec<String>),
}
