//! Questions to two servers over HTTP, and their answers.

use futures::{StreamExt, TryStreamExt, future::join, stream};
use indicatif::{ProgressBar, ProgressStyle};
use reqwest::Client;
use serde_json::json;

use super::{
    answers::{Answer, Verdict, of_block, of_view},
    error::Error,
    findings::{Findings, Kind},
    questions::{Question, Questions},
};
use crate::{
    cli::args::CompareFlags,
    commands::{
        request::{call, shown},
        text::{plain, start},
    },
};

/// How far a server is.
pub(super) async fn height(client: &Client, url: &str) -> Result<u32, Error> {
    let answer = call(client, url, "metashrew_height", &json!([])).await?;
    let words = match answer {
        Ok(height) => match height.parse() {
            Ok(height) => return Ok(height),
            Err(_) => height,
        },
        Err(refusal) => refusal.message,
    };
    Err(Error::NoHeight {
        url: shown(url),
        words: plain(&start(&words)),
    })
}

/// Asks both about all blocks, and then about views if all blocks are the same.
pub(super) async fn ask(
    client: &Client,
    flags: &CompareFlags,
    asked: &Questions,
    found: &mut Findings,
) -> Result<(), Error> {
    ask_both(client, flags, &asked.blocks, of_block, &mut found.blocks).await?;
    match found.blocks.is_same() {
        true => ask_both(client, flags, &asked.views, of_view, &mut found.views).await,
        false => Ok(()),
    }
}

/// Asks both, a few questions at a time, and notes what each pair of answers comes to.
async fn ask_both(
    client: &Client,
    flags: &CompareFlags,
    questions: &[Question],
    verdict: fn(&Answer, &Answer) -> Verdict,
    found: &mut Kind,
) -> Result<(), Error> {
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
    let end = loop {
        match answers.try_next().await {
            Ok(Some((words, ours, theirs))) => {
                bar.inc(1);
                found.note(&words, verdict(&ours, &theirs), &ours, &theirs);
            }
            Ok(None) => break Ok(()),
            Err(error) => break Err(error),
        }
    };
    bar.finish_and_clear();
    end
}
