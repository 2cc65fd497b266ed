//! The command line: raw flags here, ready values in [`launch`](Launch). No flag is looked at later.

mod folder;
mod launch;
mod run;
mod validate;

use std::{ffi::OsString, path::PathBuf};

use clap::{CommandFactory as _, Parser, Subcommand, ValueEnum, error::ErrorKind};
use crds::pod::{OPS_PORT, RPC_PORT};

pub use folder::{FolderFlags, store_dir};
pub use launch::{Credentials, Error, Launch};
pub use run::{KeptFlags, RunFlags};
pub use validate::problems;

/// Feeds Bitcoin blocks to a WASM module and serves the index it builds.
#[derive(Debug, Parser)]
#[command(name = "shrewd-indexer", version, max_term_width = 100)]
pub struct Cli {
    /// How log lines are written; which ones is up to the variable `RUST_LOG`.
    #[arg(long, global = true, value_enum, default_value_t, env = "SHREWD_LOG_FORMAT")]
    pub log_format: LogFormat,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// How log lines are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Index and serve.
    Run(Box<RunFlags>),
    /// Show how a running indexer is doing.
    Status(StatusFlags),
    /// Ask a running indexer's view and print its answer as hex.
    View(ViewFlags),
    /// Ask a running indexer for a fresh instance of its guest, and wait until it has one.
    Refresh(RefreshFlags),
    /// Undo the newest blocks of an index that nobody runs.
    Rollback(RollbackFlags),
    /// Compute all digests of an index that nobody runs once more, and name the first block that does not agree.
    Verify(FolderFlags),
    /// Load a module and say whether and how it can be run.
    Check(CheckFlags),
}

/// Flags of `status`.
#[derive(Debug, clap::Args)]
pub struct StatusFlags {
    /// Address of its ops port.
    #[arg(long, default_value_t = format!("http://127.0.0.1:{OPS_PORT}"))]
    pub url: String,
    /// Print the answer as it came, for programs.
    #[arg(long)]
    pub json: bool,
}

/// Flags of `view`.
#[derive(Debug, clap::Args)]
pub struct ViewFlags {
    /// The module's export.
    pub function: String,
    /// Bytes handed to it, in hex; `0x` in front is optional.
    pub input: String,
    /// The height it sees: a number or `latest`.
    #[arg(long, default_value = "latest")]
    pub height: String,
    /// Address of its JSON-RPC port.
    #[arg(long, default_value_t = format!("http://127.0.0.1:{RPC_PORT}"))]
    pub url: String,
}

/// Flags of `refresh`.
#[derive(Debug, clap::Args)]
pub struct RefreshFlags {
    /// Address of its ops port.
    #[arg(long, default_value_t = format!("http://127.0.0.1:{OPS_PORT}"))]
    pub url: String,
    /// How long to wait for it, in seconds: a refresh comes between two blocks.
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub timeout: u64,
}

/// Flags of `rollback`.
#[derive(Debug, clap::Args)]
pub struct RollbackFlags {
    /// The last block that stays.
    #[arg(long, value_name = "HEIGHT")]
    pub to: u32,
    /// Which index.
    #[command(flatten)]
    pub folder: FolderFlags,
}

/// Flags of `check`.
#[derive(Debug, clap::Args)]
pub struct CheckFlags {
    /// The module, `.wasm` or `.wat`.
    pub module: PathBuf,
}

impl Cli {
    /// Reads the process's own command line; on bad flags says so and ends the process, as clap does.
    #[must_use]
    pub fn from_env() -> Self {
        Self::read(std::env::args_os()).unwrap_or_else(|error| error.exit())
    }

    /// Reads a command line, the program's name first.
    ///
    /// # Errors
    /// Clap's, and one for flags that never did anything in the program they come from.
    pub fn read(args: impl IntoIterator<Item = OsString>) -> Result<Self, clap::Error> {
        let args: Vec<OsString> = args.into_iter().collect();
        if let Some(flag) = args.iter().skip(1).filter_map(|arg| arg.to_str()).find_map(dead_flag) {
            let message = format!(
                "{flag} never did anything in rockshrew-mono and does nothing here: blocks are always fetched ahead, \
                 and there are no snapshots to take or to load. Leave it out"
            );
            return Err(Self::command().error(ErrorKind::UnknownArgument, message));
        }
        Self::try_parse_from(args)
    }
}

/// The flag's name, if it is one that only pretended.
fn dead_flag(arg: &str) -> Option<&str> {
    let name = arg.split_once('=').map_or(arg, |(name, _)| name);
    (name == "--pipeline-size" || name == "--repo" || name.starts_with("--snapshot-")).then_some(name)
}
