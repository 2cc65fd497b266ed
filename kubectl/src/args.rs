//! The command line.

use std::{path::PathBuf, time::Duration};

use clap::{Args as Flags, Parser, Subcommand};
use clap_complete::Shell;
use crds::TimeSpan;

use crate::{cluster::Place, document::Format, rpc::At};

/// What Indexers do, why, and what to do about it.
#[derive(Debug, Parser)]
#[command(
    name = "kubectl-shrewd",
    bin_name = "kubectl shrewd",
    version,
    propagate_version = true
)]
pub struct Args {
    #[command(flatten)]
    scope: Scope,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Flags of every command, named as kubectl's.
#[derive(Debug, Flags)]
struct Scope {
    /// The namespace; that of the context by default.
    #[arg(short, long, global = true, value_name = "NAME")]
    namespace: Option<String>,
    /// The context of the kubeconfig; the current one by default.
    #[arg(long, global = true, value_name = "NAME")]
    context: Option<String>,
    /// The kubeconfig; $KUBECONFIG or ~/.kube/config by default.
    #[arg(long, global = true, value_name = "FILE")]
    kubeconfig: Option<PathBuf>,
}

/// A command.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Everything about an Indexer on one screen.
    Status {
        /// The Indexer.
        name: String,
        /// A document with the same facts.
        #[arg(short, long, value_enum)]
        output: Option<Format>,
    },
    /// What is not as it should be, most important first, and what to do about it.
    Why {
        /// The Indexer.
        name: String,
        /// A document with the same findings.
        #[arg(short, long, value_enum)]
        output: Option<Format>,
    },
    /// A line for each Indexer: height, memory, refreshes, disk.
    Top {
        /// Those of all namespaces.
        #[arg(short = 'A', long)]
        all_namespaces: bool,
        /// A document with the same figures, sizes in bytes.
        #[arg(short, long, value_enum)]
        output: Option<Format>,
    },
    /// Has every pod make a fresh instance of its guest before its next block.
    Refresh {
        /// The Indexer.
        name: String,
        /// Waits until every pod has made one.
        #[arg(long)]
        wait: bool,
        /// How long it waits at most.
        #[arg(long, value_name = "TIME", default_value = "5m", value_parser = span)]
        timeout: Duration,
    },
    /// Snapshots that an Indexer publishes.
    Snapshot {
        /// What is to be done.
        #[command(subcommand)]
        what: SnapshotCommand,
    },
    /// Removes the pods and keeps their data.
    Suspend {
        /// The Indexer.
        name: String,
    },
    /// Starts the pods of a suspended Indexer.
    Resume {
        /// The Indexer.
        name: String,
    },
    /// Lists the views that the module of an Indexer has. It needs the right to forward ports of pods.
    Views {
        /// The Indexer.
        name: String,
        /// A document that also says which pod has it.
        #[arg(short, long, value_enum)]
        output: Option<Format>,
    },
    /// Calls a view of an Indexer and prints its answer in hex. It needs the right to forward ports of pods.
    Query {
        /// The Indexer.
        name: String,
        /// The view.
        function: String,
        /// Its input in hex, with or without 0x.
        #[arg(value_name = "HEX")]
        input: String,
        /// The block whose state it sees, or `latest`.
        #[arg(long, default_value = "latest", value_parser = at)]
        height: At,
        /// A document that also says at which block it was answered.
        #[arg(short, long, value_enum)]
        output: Option<Format>,
    },
    /// What applying a manifest changes, and whether it is a rollout. Ends with 0 if nothing changes, 1 if something
    /// does, 2 if it is refused or cannot be said.
    Diff {
        /// The manifest; - for standard input.
        #[arg(short, long, value_name = "FILE")]
        filename: PathBuf,
    },
    /// Lines that the guests of the serving revision wrote.
    Logs {
        /// The Indexer.
        name: String,
        /// Lines of guests; those of the programs that run them are shown by `kubectl logs`.
        #[arg(long, required = true)]
        guest: bool,
        /// Shows new lines until the pods end.
        #[arg(short, long)]
        follow: bool,
        /// The number of lines to begin with.
        #[arg(long, value_name = "N", default_value_t = 100)]
        tail: usize,
    },
    /// Writes a folder with the Indexer, its objects, events and logs, without secrets.
    Report {
        /// The Indexer.
        name: String,
        /// Where the folder is created.
        #[arg(long, value_name = "DIR", default_value = ".")]
        into: PathBuf,
    },
    /// Prints what completes commands and flags in a shell.
    Completion {
        /// The shell.
        shell: Shell,
    },
}

/// A command about snapshots.
#[derive(Debug, Subcommand)]
pub enum SnapshotCommand {
    /// Has the pod that publishes make a snapshot of the index as it is now, whatever the schedule says.
    Now {
        /// The Indexer.
        name: String,
        /// Waits until it is there.
        #[arg(long)]
        wait: bool,
        /// How long it waits at most.
        #[arg(long, value_name = "TIME", default_value = "30m", value_parser = span)]
        timeout: Duration,
    },
}

/// A time span as in an Indexer: `90s`, `5m`.
fn span(text: &str) -> Result<Duration, String> {
    TimeSpan(text.to_owned()).duration().map_err(|error| error.to_string())
}

fn at(text: &str) -> Result<At, String> {
    match text {
        "latest" => Ok(At::Latest),
        height => height
            .parse()
            .map(At::Height)
            .map_err(|_| "it is a height or `latest`".into()),
    }
}

impl Args {
    /// The cluster and the namespace that are meant.
    #[must_use]
    pub fn place(&self) -> Place {
        let Scope {
            namespace,
            context,
            kubeconfig,
        } = &self.scope;
        Place {
            kubeconfig: kubeconfig.clone(),
            context: context.clone(),
            namespace: namespace.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Args::command().debug_assert();
    }

    #[test]
    fn flags_may_follow_the_command() {
        let args = Args::parse_from([
            "kubectl-shrewd",
            "status",
            "one",
            "-n",
            "ns",
            "--context",
            "c",
            "-o",
            "json",
        ]);
        let place = args.place();
        assert_eq!(
            (place.namespace.as_deref(), place.context.as_deref()),
            (Some("ns"), Some("c"))
        );
    }
}
