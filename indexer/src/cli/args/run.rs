//! Flags of `run`, as they are typed.

use std::path::PathBuf;

use clap::Args;
use crds::Registry;

/// What to run: `--config`, `--manifest`, or `--indexer` with the flags Metashrew users know.
#[derive(Debug, Default, Args)]
pub struct RunFlags {
    /// Configuration as the operator writes it for a pod; complete, so no other flag goes with it.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["manifest", "KeptFlags"])]
    pub config: Option<PathBuf>,
    /// An Indexer as it is applied to a cluster, run here; the other flags override what it says.
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
    pub kept: KeptFlags,
}

/// Flags of rockshrew-mono, kept so that it can be replaced in place, and the few that are needed besides.
#[derive(Debug, Default, Args)]
pub struct KeptFlags {
    /// The module's file. With a manifest its digest must still be the declared one.
    #[arg(long, value_name = "FILE")]
    pub indexer: Option<PathBuf>,
    /// The node: http(s)://HOST:PORT.
    #[arg(long, value_name = "URL")]
    pub daemon_rpc_url: Option<String>,
    /// A node's folder of blk*.dat files. With a node's address too, the node says which blocks and need not send these.
    #[arg(long, value_name = "DIR")]
    pub block_files: Option<PathBuf>,
    /// The node's network; without a manifest mainnet.
    #[arg(long)]
    pub network: Option<String>,
    /// Folder of the database [default: ./shrewd-data/NAME].
    #[arg(long, value_name = "DIR")]
    pub db_path: Option<PathBuf>,
    /// Height of the first block; without a manifest 0.
    #[arg(long, value_name = "HEIGHT")]
    pub start_block: Option<u32>,
    /// Credentials of the node, USER:PASSWORD. Everybody on this machine can read a command line: prefer the variable.
    #[arg(long, value_name = "USER:PASSWORD", env = "SHREWD_AUTH", hide_env_values = true)]
    pub auth: Option<String>,
    /// The file `.cookie` that a node on this machine writes into its data at each start, in place of credentials.
    #[arg(long, value_name = "FILE")]
    pub rpc_cookie_file: Option<PathBuf>,
    /// Address the JSON-RPC server listens at [default: 127.0.0.1].
    #[arg(long)]
    pub host: Option<String>,
    /// Port of the JSON-RPC server [default: 8080].
    #[arg(long)]
    pub port: Option<u16>,
    /// Port of the ops server, always on 127.0.0.1 [default: 9090].
    #[arg(long)]
    pub ops_port: Option<u16>,
    /// Name of the index; with --db-path also of its folder there, so that several share one path.
    #[arg(long)]
    pub label: Option<String>,
    /// Stop before this height and exit.
    #[arg(long, value_name = "HEIGHT")]
    pub exit_at: Option<u32>,
    /// Go on with data of another module, from the next height on; or go back to where a newer module went on with this
    /// one's. A manifest says the same with `rollout.strategy: InPlace`.
    #[arg(long)]
    pub in_place: bool,
    /// Origin that browsers may call from, or `*`.
    #[arg(long, value_name = "ORIGIN")]
    pub cors: Option<String>,
    /// How many blocks can be undone.
    #[arg(long, value_name = "BLOCKS")]
    pub max_reorg_depth: Option<u32>,
    /// Taken for compatibility: every block is checked against its parent, however far from the tip.
    #[arg(long, value_name = "BLOCKS")]
    pub reorg_check_threshold: Option<u32>,
}
