//! Flags of `run`, as they are typed.

use std::path::PathBuf;

use clap::Args;
use crds::{ByteSize, Registry, TimeSpan, quantity::ParseError};

/// What to run: `--config`, `--manifest`, or `--indexer` with the flags Metashrew users know.
#[derive(Debug, Default, Args)]
pub struct RunFlags {
    /// Configuration as the operator writes it for a pod; complete, so no other flag goes with it.
    #[arg(
        long,
        value_name = "FILE",
        // The group of a struct that has other structs flattened into it is empty, so its own flags are named.
        conflicts_with_all = [
            "manifest", "indexer", "db_path", "label", "exit_at", "in_place",
            "ChainFlags", "ServerFlags", "ViewLimitFlags",
        ]
    )]
    pub config: Option<PathBuf>,
    /// An Indexer as it is applied to a cluster, run on this machine; the other flags override its fields.
    #[arg(long, value_name = "FILE")]
    pub manifest: Option<PathBuf>,
    /// A registry that modules are pulled from without TLS, credentials included; for tests and private networks. May be
    /// given several times.
    #[arg(
        long = "plain-http-registry",
        value_name = "HOST[:PORT]",
        env = "SHREWD_PLAIN_HTTP_REGISTRIES",
        value_delimiter = ','
    )]
    pub plain_http_registries: Vec<Registry>,
    /// The other flags.
    #[command(flatten)]
    pub local: LocalFlags,
}

/// Flags of a run without the operator's configuration. Those of rockshrew-mono keep their meaning, so that it can be
/// replaced in place.
#[derive(Debug, Default, Args)]
pub struct LocalFlags {
    /// The module's file. With a manifest, its digest must be the declared one.
    #[arg(long, value_name = "FILE")]
    pub indexer: Option<PathBuf>,
    /// Folder of the database [default: ./shrewd-data/NAME].
    #[arg(long, value_name = "DIR")]
    pub db_path: Option<PathBuf>,
    /// Name of the index; with --db-path also of its folder there, so that several can share one path.
    #[arg(long)]
    pub label: Option<String>,
    /// Stop before this height and exit.
    #[arg(long, value_name = "HEIGHT")]
    pub exit_at: Option<u32>,
    /// Continue the data of another module, from the next height on; or return to where a newer module took over from
    /// this one. In a manifest: `rollout.strategy: InPlace`.
    #[arg(long)]
    pub in_place: bool,
    /// Where blocks come from.
    #[command(flatten)]
    pub chain: ChainFlags,
    /// Where clients connect.
    #[command(flatten)]
    pub servers: ServerFlags,
    /// Bounds on queries.
    #[command(flatten)]
    pub views: ViewLimitFlags,
}

/// The chain, and the node or files it is read from.
#[derive(Debug, Default, Args)]
pub struct ChainFlags {
    /// The node: http(s)://HOST:PORT.
    #[arg(long, value_name = "URL")]
    pub daemon_rpc_url: Option<String>,
    /// A node's folder of blk*.dat files. Together with a node's address, the node decides which blocks make the chain,
    /// and those found in the files need not be downloaded.
    #[arg(long, value_name = "DIR")]
    pub block_files: Option<PathBuf>,
    /// The network: mainnet, testnet3, testnet4, signet or regtest [default without a manifest: the node's; with
    /// --block-files alone, mainnet].
    #[arg(long)]
    pub network: Option<String>,
    /// Height of the first block [default without a manifest: 0].
    #[arg(long, value_name = "HEIGHT")]
    pub start_block: Option<u32>,
    /// Credentials of the node, USER:PASSWORD. Every user of this machine can read a command line: prefer the variable.
    #[arg(long, value_name = "USER:PASSWORD", env = "SHREWD_AUTH", hide_env_values = true)]
    pub auth: Option<String>,
    /// The file `.cookie` that a node on this machine writes at each start, in place of credentials.
    #[arg(long, value_name = "FILE")]
    pub rpc_cookie_file: Option<PathBuf>,
    /// How many blocks can be undone.
    #[arg(long, value_name = "BLOCKS")]
    pub max_reorg_depth: Option<u32>,
    /// Accepted for compatibility and ignored: every block is checked against its parent, however far from the tip.
    #[arg(long, value_name = "BLOCKS")]
    pub reorg_check_threshold: Option<u32>,
}

/// The two HTTP servers.
#[derive(Debug, Default, Args)]
pub struct ServerFlags {
    /// Address the JSON-RPC server listens on [default: 127.0.0.1].
    #[arg(long)]
    pub host: Option<String>,
    /// Port of the JSON-RPC server [default: 8080].
    #[arg(long)]
    pub port: Option<u16>,
    /// Port of the ops server, always on 127.0.0.1 [default: 9090].
    #[arg(long)]
    pub ops_port: Option<u16>,
    /// Origins that browsers may call from, with commas between them, or `*`.
    #[arg(long, value_name = "ORIGIN[,ORIGIN]")]
    pub cors: Option<String>,
}

/// Bounds on queries, each a field of `views` in a manifest.
#[derive(Debug, Default, Args)]
pub struct ViewLimitFlags {
    /// Views that run at the same time; more wait, within their timeout [default: 32].
    #[arg(long, value_name = "N")]
    pub max_concurrent_views: Option<u32>,
    /// Wall time of one view, waiting included, such as 500ms, 10s or 5m [default: 10s].
    #[arg(long, value_name = "TIME", value_parser = time_span)]
    pub view_timeout: Option<TimeSpan>,
    /// Linear memory of one view, such as 64Mi or 4Gi [default: 512Mi].
    #[arg(long, value_name = "SIZE", value_parser = byte_size)]
    pub view_memory_limit: Option<ByteSize>,
    /// The longest request body [default: 8Mi].
    #[arg(long, value_name = "SIZE", value_parser = byte_size)]
    pub max_request_bytes: Option<ByteSize>,
    /// The longest answer of one view, before it is written as hex [default: 64Mi].
    #[arg(long, value_name = "SIZE", value_parser = byte_size)]
    pub max_response_bytes: Option<ByteSize>,
}

pub(super) fn time_span(text: &str) -> Result<TimeSpan, ParseError> {
    let span = TimeSpan(text.into());
    span.duration()?;
    Ok(span)
}

pub(super) fn byte_size(text: &str) -> Result<ByteSize, ParseError> {
    let size = ByteSize(text.into());
    size.bytes()?;
    Ok(size)
}
