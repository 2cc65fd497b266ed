//! `compare`: whether two indexers that run give the same answers, such as this one and the rockshrew-mono that it is
//! to replace. Blocks are compared first: views of different chains have nothing to tell.

mod answers;
mod asking;
mod error;
mod findings;
mod questions;

use std::{
    fs,
    io::{ErrorKind, Write},
};

use crds::CompareView;
use futures::future::join;
use reqwest::Client;

use self::{
    asking::{ask, height},
    findings::Findings,
    questions::{Questions, questions},
};
pub use self::{error::Error, findings::Outcome};
use super::{
    request::shown,
    text::{counted, plain},
};
use crate::cli::args::CompareFlags;

/// Asks both everything and reports what differs and what was not answered.
///
/// # Errors
/// If one of them cannot be asked, or the views cannot be read, or nothing is left to ask: [`Error`]. What was found
/// until then has been reported.
pub async fn compare(flags: &CompareFlags, out: &mut impl Write) -> Result<Outcome, Error> {
    let views = views(flags)?;
    let client = Client::new();
    let heights = join(height(&client, &flags.url), height(&client, &flags.with)).await;
    let (ours, theirs) = (heights.0?, heights.1?);
    let (here, there) = (shown(&flags.url), shown(&flags.with));
    say(out, &format!("{here} is at height {ours}, {there} at {theirs}"))?;
    let asked = questions(&flags.heights, &views, ours.min(theirs));
    if asked.left_out > 0 {
        say(out, &left_out(asked.left_out))?;
    }
    something_left(flags, &asked, ours.min(theirs))?;
    let mut findings = Findings::default();
    let end = ask(&client, flags, &asked, &mut findings).await;
    // Also of a comparison that ended early: these answers differ whatever the others are.
    for line in findings.lines() {
        say(out, &line)?;
    }
    end?;
    for line in findings.summary(&asked) {
        say(out, &line)?;
    }
    if flags.views.is_none() {
        say(out, "no views were compared: --views FILE names them")?;
    }
    Ok(findings.outcome())
}

/// A line of the report. Words of servers are among it. A reader that has left, as `head` does, is no failure.
fn say(out: &mut impl Write, line: &str) -> Result<(), Error> {
    match writeln!(out, "{}", plain(line)) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        done => done.map_err(Error::Write),
    }
}

fn left_out(number: usize) -> String {
    let (are, were) = if number == 1 { ("is", "was") } else { ("are", "were") };
    let heights = counted(number, "height");
    format!("{heights} {are} above the lower tip, and {were} not asked")
}

/// That nothing differs means nothing where nothing is asked.
fn something_left(flags: &CompareFlags, asked: &Questions, newest: u32) -> Result<(), Error> {
    match &flags.views {
        _ if asked.blocks.is_empty() => Err(Error::NoBlockLeft { newest }),
        Some(path) if asked.views.is_empty() => Err(Error::NoViewLeft {
            path: path.clone(),
            newest,
        }),
        _ => Ok(()),
    }
}

/// The views of the file, at least one; none without a file.
fn views(flags: &CompareFlags) -> Result<Vec<CompareView>, Error> {
    let Some(path) = &flags.views else {
        return Ok(Vec::new());
    };
    let text = fs::read_to_string(path).map_err(|source| Error::Views {
        path: path.clone(),
        source,
    })?;
    let views: Vec<CompareView> = serde_yaml::from_str(&text).map_err(|source| Error::NoViews {
        path: path.clone(),
        source,
    })?;
    match views.is_empty() {
        true => Err(Error::EmptyViews { path: path.clone() }),
        false => Ok(views),
    }
}
