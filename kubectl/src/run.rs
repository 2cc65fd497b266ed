//! One run of the program.

use std::{process::ExitCode, time::Duration};

use anyhow::Result;

use crate::{
    args::{Args, Command, SnapshotCommand},
    cluster::{Cluster, Place},
    commands::{
        completion,
        diff::{self, Outcome},
        logs::{self, Outlets, Wanted},
        query::{self, Query},
        refresh, report, snapshot, status, suspend, top, views, why,
    },
    requests::{LOOK_EVERY, Wait},
    style::Style,
    terminal,
};

/// Of `diff`, for what is neither "no differences" nor "differences", as kubectl's.
const DIFF_FAILED: u8 = 2;

/// Carries out a command and prints what it says. Returns the code with which the program ends.
pub async fn run(args: Args) -> ExitCode {
    let place = args.place();
    let failed = match args.command {
        Command::Diff { .. } => ExitCode::from(DIFF_FAILED),
        _ => ExitCode::FAILURE,
    };
    let done = carry_out(&place, args.command, terminal::style()).await;
    done.unwrap_or_else(|error| {
        terminal::complain(&error);
        failed
    })
}

async fn carry_out(place: &Place, command: Command, style: Style) -> Result<ExitCode> {
    let cluster = async || Cluster::at(place).await;
    let mut code = ExitCode::SUCCESS;
    let said = match command {
        Command::Status { name, output } => status::status(&cluster().await?, &name, output, style).await?,
        Command::Why { name, output } => why::why(&cluster().await?, &name, output, style).await?,
        Command::Top { all_namespaces, output } => {
            let (said, remarks) = top::top(&cluster().await?, all_namespaces, output, style).await?;
            remarks.iter().for_each(|remark| terminal::note(remark));
            said
        }
        Command::Refresh { name, wait, timeout } => {
            refresh::refresh(&cluster().await?, &name, wait.then(|| patience(timeout))).await?
        }
        Command::Snapshot {
            what: SnapshotCommand::Now { name, wait, timeout },
        } => snapshot::now(&cluster().await?, &name, wait.then(|| patience(timeout))).await?,
        Command::Suspend { name } => suspend::set(&cluster().await?, &name, true).await?,
        Command::Resume { name } => suspend::set(&cluster().await?, &name, false).await?,
        Command::Views { name, output } => {
            let (said, remark) = views::views(&cluster().await?, &name, output).await?;
            remark.iter().for_each(|remark| terminal::note(remark));
            said
        }
        Command::Query {
            name,
            function,
            input,
            height,
            output,
        } => {
            let view = Query {
                function,
                input,
                at: height,
            };
            query::query(&cluster().await?, &name, &view, output).await?
        }
        Command::Diff { filename } => {
            let (said, outcome) = diff::diff(&cluster().await?, &filename, place.namespace.as_deref(), style).await?;
            code = match outcome {
                Outcome::Same => ExitCode::SUCCESS,
                Outcome::Differs => ExitCode::FAILURE,
                Outcome::Refused => ExitCode::from(DIFF_FAILED),
            };
            said
        }
        Command::Logs { name, follow, tail, .. } => {
            let outlets = Outlets {
                print: &terminal::stream,
                note: &terminal::note,
            };
            if !logs::logs(&cluster().await?, &name, Wanted { tail, follow }, outlets).await? {
                let among = logs::LOOKED_THROUGH_LINES;
                terminal::note(&format!(
                    "No guest wrote any of the last {among} lines of each pod's log."
                ));
            }
            String::new()
        }
        Command::Report { name, into } => report::report(&cluster().await?, &name, &into).await?,
        Command::Completion { shell } => completion::completion(shell)?,
    };
    terminal::print(&said)?;
    Ok(code)
}

fn patience(timeout: Duration) -> Wait {
    Wait {
        timeout,
        every: LOOK_EVERY,
    }
}
