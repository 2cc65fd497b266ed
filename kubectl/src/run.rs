//! One run of the program.

use std::process::ExitCode;

use anyhow::Result;

use crate::{
    args::{Args, Command},
    cluster::{Cluster, Place},
    commands::{
        completion,
        diff::{self, Outcome},
        logs::{self, Wanted},
        query::{self, Query},
        refresh::{self, LOOK_EVERY, Wait},
        report, status, suspend, top, why,
    },
    style::Style,
    terminal,
};

/// Of `diff`, for what is neither "no differences" nor "differences".
const DIFF_FAILED: u8 = 2;

/// Carries out a command and prints what it says. Returns the code with which the program ends.
pub async fn run(args: Args) -> ExitCode {
    let place = args.place();
    let style = terminal::style();
    let (failed, done) = match args.command {
        Command::Diff { filename } => {
            let done = differences(&place, &filename, style).await;
            (ExitCode::from(DIFF_FAILED), done)
        }
        command => (ExitCode::FAILURE, others(&place, command, style).await),
    };
    done.unwrap_or_else(|error| {
        terminal::complain(&error);
        failed
    })
}

async fn differences(place: &Place, file: &std::path::Path, style: Style) -> Result<ExitCode> {
    let cluster = Cluster::at(place).await?;
    let (said, outcome) = diff::diff(&cluster, file, place.namespace.as_deref(), style).await?;
    terminal::print(&said)?;
    Ok(match outcome {
        Outcome::Same => ExitCode::SUCCESS,
        Outcome::Differs => ExitCode::FAILURE,
        Outcome::Refused => ExitCode::from(DIFF_FAILED),
    })
}

async fn others(place: &Place, command: Command, style: Style) -> Result<ExitCode> {
    if let Command::Completion { shell } = command {
        terminal::print(&completion::completion(shell)?)?;
        return Ok(ExitCode::SUCCESS);
    }
    let cluster = Cluster::at(place).await?;
    let said = said(&cluster, command, style).await?;
    terminal::print(&said)?;
    Ok(ExitCode::SUCCESS)
}

/// What a command says at its end.
async fn said(cluster: &Cluster, command: Command, style: Style) -> Result<String> {
    match command {
        Command::Status { name, output } => status::status(cluster, &name, output, style).await,
        Command::Why { name, output } => why::why(cluster, &name, output, style).await,
        Command::Top { all_namespaces, output } => top::top(cluster, all_namespaces, output, style).await,
        Command::Refresh { name, wait, timeout } => {
            let every = LOOK_EVERY;
            refresh::refresh(cluster, &name, wait.then_some(Wait { timeout, every })).await
        }
        Command::Suspend { name } => suspend::set(cluster, &name, true).await,
        Command::Resume { name } => suspend::set(cluster, &name, false).await,
        Command::Query {
            name,
            function,
            input,
            height: at,
            output,
        } => query::query(cluster, &name, &Query { function, input, at }, output).await,
        Command::Logs { name, follow, tail, .. } => {
            if !logs::logs(cluster, &name, Wanted { tail, follow }, &terminal::print).await? {
                let among = logs::LOOKED_THROUGH_LINES;
                terminal::note(&format!(
                    "No guest wrote any of the last {among} lines of each pod's log."
                ));
            }
            Ok(String::new())
        }
        Command::Report { name, into } => report::report(cluster, &name, &into).await,
        // They need no cluster, or end with codes of their own.
        Command::Diff { .. } | Command::Completion { .. } => Ok(String::new()),
    }
}
