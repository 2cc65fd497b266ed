//! `compare`: whether two indexers that run give the same answers, such as this one and the rockshrew-mono that it is to
//! replace. Blocks are compared first: views of different chains have nothing to tell.

use std::{
    collections::BTreeSet,
    fs,
    io::{self, Write},
    path::PathBuf,
};

use crds::CompareView;
use futures::{StreamExt, TryStreamExt, future::join, stream};
use indicatif::{ProgressBar, ProgressStyle};
use reqwest::Client;
use serde_json::{Value, json};

use super::request::{self, Refusal, call};
use crate::cli::args::{CompareFlags, chosen};

/// Differences that are shown one by one.
const SHOWN_MAX: usize = 20;
/// How much of an input or an answer is shown, in characters.
const START_MAX: usize = 66;

/// Why two indexers could not be compared.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// One of them did not answer.
    #[error(transparent)]
    Request(#[from] request::Error),
    /// One of them does not say how far it is.
    #[error("{url} does not tell its height: {words}")]
    NoHeight {
        /// Which.
        url: String,
        /// What it says instead.
        words: String,
    },
    /// The file with views cannot be read.
    #[error("read {}", path.display())]
    Views {
        /// The file.
        path: PathBuf,
        /// What went wrong.
        #[source]
        source: io::Error,
    },
    /// The file with views has something else.
    #[error("{} is no list of views, each `{{function: NAME, input: 0x…, heights: […]}}`", path.display())]
    NoViews {
        /// The file.
        path: PathBuf,
        /// What it has.
        #[source]
        source: serde_yaml::Error,
    },
    /// The report cannot be written.
    #[error("write the report")]
    Write(#[source] io::Error),
}

/// One question to both.
#[derive(Clone, Debug, PartialEq)]
struct Question {
    height: u32,
    method: &'static str,
    params: Value,
    /// For the report.
    words: String,
}

type Answer = Result<String, Refusal>;

/// Asks both everything and reports what differs. Returns whether all answers are the same.
///
/// # Errors
/// If one of them does not answer, or the views cannot be read: [`Error`].
pub async fn compare(flags: &CompareFlags, out: &mut impl Write) -> Result<bool, Error> {
    let views = views(flags)?;
    let client = Client::new();
    let heights = join(height(&client, &flags.url), height(&client, &flags.with)).await;
    let (ours, theirs) = (heights.0?, heights.1?);
    let mut say = |line: &str| writeln!(out, "{line}").map_err(Error::Write);
    say(&format!(
        "{} is at height {ours}, {} at {theirs}",
        flags.url, flags.with
    ))?;
    let chosen = chosen(&flags.heights, ours.min(theirs));
    let views = of_views(&views, &chosen, ours.min(theirs));
    let blocks = of_blocks(&chosen, &views);
    let other_blocks = ask_both(&client, flags, &blocks, is_same_block).await?;
    let other_answers = match other_blocks.is_empty() {
        true => ask_both(&client, flags, &views, is_same).await?,
        false => Vec::new(),
    };
    for line in other_blocks.iter().chain(&other_answers).take(SHOWN_MAX) {
        say(line)?;
    }
    let (count, different) = (blocks.len() + views.len(), other_blocks.len() + other_answers.len());
    if different > SHOWN_MAX {
        say(&format!("and {} more", different - SHOWN_MAX))?;
    }
    say(&match (other_blocks.len(), other_answers.len()) {
        (0, 0) => format!("the same: {} blocks and {} answers of views", blocks.len(), views.len()),
        (0, n) => format!("different: {n} of {count} answers"),
        (n, _) => format!(
            "different: {n} of {} blocks, so that views were not asked",
            blocks.len()
        ),
    })?;
    if views.is_empty() {
        say("no views were compared: --views FILE names them")?;
    }
    Ok(different == 0)
}

fn views(flags: &CompareFlags) -> Result<Vec<CompareView>, Error> {
    let Some(path) = &flags.views else {
        return Ok(Vec::new());
    };
    let text = fs::read_to_string(path).map_err(|source| Error::Views {
        path: path.clone(),
        source,
    })?;
    serde_yaml::from_str(&text).map_err(|source| Error::NoViews {
        path: path.clone(),
        source,
    })
}

async fn height(client: &Client, url: &str) -> Result<u32, Error> {
    let answer = call(client, url, "metashrew_height", &json!([])).await?;
    let words = match answer {
        Ok(height) => match height.parse() {
            Ok(height) => return Ok(height),
            Err(_) => height,
        },
        Err(refusal) => refusal.message,
    };
    Err(Error::NoHeight {
        url: url.to_owned(),
        words,
    })
}

/// Each view at its own heights, or at those that were chosen.
fn of_views(views: &[CompareView], chosen: &[u32], newest: u32) -> Vec<Question> {
    let heights = |view: &CompareView| match view.heights.is_empty() {
        true => chosen.to_vec(),
        false => view
            .heights
            .iter()
            .copied()
            .filter(|height| *height <= newest)
            .collect(),
    };
    let at = |view: &CompareView, height: u32| Question {
        height,
        method: "metashrew_view",
        params: json!([view.function, view.input, height]),
        words: format!("{}({}) at {height}", view.function, start(&view.input)),
    };
    let of_view = |view| heights(view).into_iter().map(move |height| at(view, height));
    views.iter().flat_map(of_view).collect()
}

/// The blocks at all heights that anything is asked about.
fn of_blocks(chosen: &[u32], views: &[Question]) -> Vec<Question> {
    let heights: BTreeSet<u32> = chosen
        .iter()
        .copied()
        .chain(views.iter().map(|question| question.height))
        .collect();
    let at = |height: u32| Question {
        height,
        method: "metashrew_getblockhash",
        params: json!([height]),
        words: format!("block {height}"),
    };
    heights.into_iter().map(at).collect()
}

/// Asks both, a few questions at a time. Returns a line for each pair of answers that is not the same.
async fn ask_both(
    client: &Client,
    flags: &CompareFlags,
    questions: &[Question],
    same: impl Fn(&Answer, &Answer) -> bool,
) -> Result<Vec<String>, Error> {
    // On standard error, and only where that is a terminal.
    let bar = ProgressBar::new(u64::try_from(questions.len()).unwrap_or(u64::MAX));
    if let Ok(style) = ProgressStyle::with_template("{bar:30} {pos} of {len}, {eta} left") {
        bar.set_style(style);
    }
    let ask = |question: &Question| {
        let Question {
            method, params, words, ..
        } = question.clone();
        async move {
            let both = join(
                call(client, &flags.url, method, &params),
                call(client, &flags.with, method, &params),
            );
            let (ours, theirs) = both.await;
            Ok::<_, Error>((words, ours?, theirs?))
        }
    };
    let mut answers = stream::iter(questions).map(ask).buffered(usize::from(flags.at_once));
    let mut different = Vec::new();
    while let Some((words, ours, theirs)) = answers.try_next().await? {
        bar.inc(1);
        if !same(&ours, &theirs) {
            different.push(format!("{words}: {} here, {} there", shown(&ours), shown(&theirs)));
        }
    }
    bar.finish_and_clear();
    Ok(different)
}

/// Servers say that a view fails in words of their own.
fn is_same(ours: &Answer, theirs: &Answer) -> bool {
    match (ours, theirs) {
        (Ok(ours), Ok(theirs)) => digits(ours) == digits(theirs),
        (Err(_), Err(_)) => true,
        _ => false,
    }
}

/// A hash may be in the order in which it is displayed or in that of its bytes.
fn is_same_block(ours: &Answer, theirs: &Answer) -> bool {
    let (Ok(ours), Ok(theirs)) = (ours, theirs) else {
        return false;
    };
    let turned: String = digits(theirs)
        .as_bytes()
        .rchunks(2)
        .flatten()
        .map(|byte| char::from(*byte))
        .collect();
    digits(ours) == digits(theirs) || digits(ours) == turned
}

fn digits(hex: &str) -> &str {
    hex.strip_prefix("0x").unwrap_or(hex)
}

fn shown(answer: &Answer) -> String {
    match answer {
        Ok(hex) => format!("{} bytes {}", digits(hex).len() / 2, start(hex)),
        Err(refusal) => format!("the error \"{}\"", start(&refusal.message)),
    }
}

fn start(text: &str) -> String {
    match text.char_indices().nth(START_MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
