//! The command line: raw flags here, checked values in [`Launch`]. No flag is looked at later.

mod address;
mod credentials;
mod error;
mod folder;
mod heights;
mod launch;
mod reach;
mod run;
mod snapshot;
mod validate;
mod variables;

use std::{ffi::OsString, path::PathBuf};

use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand, ValueEnum, error::ErrorKind};
use crds::pod::{OPS_PORT, RPC_PORT};

pub use address::shown_address;
pub use credentials::Credentials;
pub use error::Error;
pub use folder::{FolderFlags, IndexFolder, store_dir};
pub use heights::{Heights, chosen};
pub use launch::Launch;
pub use run::{ChainFlags, LocalFlags, RunFlags, ServerFlags, ViewLimitFlags};
pub use snapshot::{AccessFlags, CreateFlags, ListFlags, RestoreFlags, SnapshotCommand, VerifyFlags, WantedFlags};

/// Feeds Bitcoin blocks to a WASM module and serves the index it builds.
#[derive(Debug, Parser)]
#[command(name = "shrewd-indexer", version, max_term_width = 100)]
pub struct Cli {
    /// Format of log lines; the variable `RUST_LOG` selects which are written.
    #[arg(long, global = true, value_enum, default_value_t, env = "SHREWD_LOG_FORMAT")]
    pub log_format: LogFormat,
    /// The subcommand.
    #[command(subcommand)]
    pub command: Command,
}

/// Format of log lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Index and serve.
    Run(Box<RunFlags>),
    /// Show the status of a running indexer.
    Status(StatusFlags),
    /// Call a view of a running indexer and print its answer as hex.
    View(ViewFlags),
    /// Ask two running indexers the same, and report what they answer differently. Exit codes: 0 the same, 1 different,
    /// 2 could not be compared, such as when a question was not answered.
    Compare(CompareFlags),
    /// Make a running indexer replace its guest's instance by a fresh one, and wait until it has.
    Refresh(RefreshFlags),
    /// Undo the newest blocks of an index that is not running.
    Rollback(RollbackFlags),
    /// Recompute all digests of an index that is not running, and name the first block that does not match.
    Verify(FolderFlags),
    /// Copies of an index in an object storage: publish, list, restore, verify.
    #[command(subcommand)]
    Snapshot(Box<SnapshotCommand>),
    /// Load a module and report whether it can be run, what it exports and what it needs.
    Check(CheckFlags),
}

/// Flags of `status`.
#[derive(Debug, clap::Args)]
pub struct StatusFlags {
    /// Address of its ops port.
    #[arg(long, default_value_t = format!("http://127.0.0.1:{OPS_PORT}"))]
    pub url: String,
    /// Print the answer unchanged, as JSON.
    #[arg(long)]
    pub json: bool,
}

/// Flags of `view`.
#[derive(Debug, clap::Args)]
pub struct ViewFlags {
    /// The module's export.
    pub function: String,
    /// Its input, in hex; the prefix `0x` is optional.
    pub input: String,
    /// The height whose state it reads: a number or `latest`.
    #[arg(long, default_value = "latest")]
    pub height: String,
    /// Address of its JSON-RPC port.
    #[arg(long, default_value_t = format!("http://127.0.0.1:{RPC_PORT}"))]
    pub url: String,
}

/// Flags of `compare`.
#[derive(Debug, clap::Args)]
pub struct CompareFlags {
    /// Address of the JSON-RPC port of one.
    #[arg(long, default_value_t = format!("http://127.0.0.1:{RPC_PORT}"))]
    pub url: String,
    /// Address of the JSON-RPC port of the other one: an indexer, or Metashrew's own server.
    #[arg(long, value_name = "URL")]
    pub with: String,
    /// Views to ask, as YAML: a list of `{function: NAME, input: 0x…, heights: […]}`, the last two if need be. Views
    /// that fail on both are the same. Without it blocks alone are compared.
    #[arg(long, value_name = "FILE")]
    pub views: Option<PathBuf>,
    /// Heights: numbers, ranges with a step (`0-840000/10000`) and `latest`, which is the newest that both have. Those
    /// above it are counted in the report, and left out.
    #[arg(long, value_delimiter = ',', default_value = "latest")]
    pub heights: Vec<Heights>,
    /// Questions that are under way at the same time, to each of both.
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u8).range(1..=64))]
    pub at_once: u8,
}

/// Flags of `refresh`.
#[derive(Debug, clap::Args)]
pub struct RefreshFlags {
    /// Address of its ops port.
    #[arg(long, default_value_t = format!("http://127.0.0.1:{OPS_PORT}"))]
    pub url: String,
    /// How long to wait for it, in seconds: a refresh happens between two blocks.
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub timeout: u64,
}

/// Flags of `rollback`.
#[derive(Debug, clap::Args)]
pub struct RollbackFlags {
    /// The last block to keep.
    #[arg(long, value_name = "HEIGHT")]
    pub to: u32,
    /// Which index.
    #[command(flatten)]
    pub folder: FolderFlags,
}

/// Flags of `check`.
#[derive(Debug, clap::Args)]
pub struct CheckFlags {
    /// The module: `.wasm`, or its text form `.wat`, which `run` does not take.
    pub module: PathBuf,
}

impl Cli {
    /// Parses the process's own command line; on bad flags, prints why and exits, as clap does.
    #[must_use]
    pub fn from_env() -> Self {
        Self::read(std::env::args_os()).unwrap_or_else(|error| error.exit())
    }

    /// Parses a command line that begins with the program's name.
    ///
    /// # Errors
    /// Clap's, and one for flags of rockshrew-mono that never had an effect.
    pub fn read(args: impl IntoIterator<Item = OsString>) -> Result<Self, clap::Error> {
        let args: Vec<OsString> = args.into_iter().collect();
        if let Some(flag) = args.iter().skip(1).filter_map(|arg| arg.to_str()).find_map(dead_flag) {
            let message = format!(
                "{flag} never did anything in rockshrew-mono and does nothing here: blocks are always fetched ahead, \
                 and snapshots have commands of their own, `shrewd-indexer snapshot`. Leave it out"
            );
            return Err(Self::command().error(ErrorKind::UnknownArgument, message));
        }
        let has_config = args.iter().filter_map(|arg| arg.to_str()).any(is_config);
        let mut command = variables::counted(Self::command(), has_config);
        let matches = command.try_get_matches_from_mut(args)?;
        Self::from_arg_matches(&matches).map_err(|error| error.format(&mut command))
    }
}

fn is_config(arg: &str) -> bool {
    arg == "--config" || arg.starts_with("--config=")
}

/// The flag's name, if it is one that never had an effect.
fn dead_flag(arg: &str) -> Option<&str> {
    let name = arg.split_once('=').map_or(arg, |(name, _)| name);
    (name == "--pipeline-size" || name == "--repo" || name.starts_with("--snapshot-")).then_some(name)
}
