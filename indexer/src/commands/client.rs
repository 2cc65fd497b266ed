//! `status`, `view` and `refresh`: asking a process that runs, here or in a pod.

use std::{
    fmt::Write as _,
    io::{self, Write},
    time::{Duration, Instant},
};

use crds::pod::{Check, Status};
use reqwest::{Client, RequestBuilder};
use serde::Deserialize;
use serde_json::json;

use crate::cli::args::{RefreshFlags, StatusFlags, ViewFlags};

/// Time for a status: it is answered from memory.
const STATUS_TIMEOUT: Duration = Duration::from_secs(10);
/// Time for a view: the server has its own, shorter deadline.
const VIEW_TIMEOUT: Duration = Duration::from_secs(600);

/// Pause between two looks at whether a refresh is done.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No connection.
    #[error("nobody answers at {url}: is the indexer running, and is that its address?")]
    Unreachable {
        /// Where.
        url: String,
        /// What went wrong.
        #[source]
        source: reqwest::Error,
    },
    /// Not refreshed in time.
    #[error("no refresh within {} s: the indexer is in phase {phase} and comes to it between two blocks", waited.as_secs())]
    NotRefreshed {
        /// How long it was waited for.
        waited: Duration,
        /// What the indexer does.
        phase: crds::Phase,
    },
    /// Nobody answers, or with something that cannot be read.
    #[error("ask {url}")]
    Ask {
        /// Where.
        url: String,
        /// What went wrong.
        #[source]
        source: reqwest::Error,
    },
    /// The server's refusal, in its words.
    #[error("{message} (code {code})")]
    Refused {
        /// The code of the contract.
        code: i32,
        /// The words.
        message: String,
    },
    /// It is something else that answers there.
    #[error("what answers at {url} is no indexer")]
    NoIndexer {
        /// Where.
        url: String,
    },
    /// The answer cannot be written.
    #[error("write the answer")]
    Write(#[source] io::Error),
}

/// Writes how a running indexer is doing.
///
/// # Errors
/// [`Error`].
pub async fn status(flags: StatusFlags, out: &mut impl Write) -> Result<(), Error> {
    let StatusFlags { url, json } = flags;
    let body = ask(&url, Client::new().get(of_ops(&url, "status")).timeout(STATUS_TIMEOUT)).await?;
    if json {
        return writeln!(out, "{}", String::from_utf8_lossy(&body)).map_err(Error::Write);
    }
    let status = serde_json::from_slice(&body).map_err(|_| Error::NoIndexer { url: url.clone() })?;
    out.write_all(shown(&status).as_bytes()).map_err(Error::Write)
}

/// Writes what a view answers, `0x` and hex.
///
/// # Errors
/// [`Error`].
pub async fn view(flags: ViewFlags, out: &mut impl Write) -> Result<(), Error> {
    #[derive(Deserialize)]
    struct Answer {
        result: Option<String>,
        error: Option<Refusal>,
    }
    #[derive(Deserialize)]
    struct Refusal {
        code: i32,
        message: String,
    }

    let ViewFlags {
        function,
        input,
        height,
        url,
    } = flags;
    let request = json!({"jsonrpc": "2.0", "id": 1, "method": "metashrew_view", "params": [function, input, height]});
    let body = ask(&url, Client::new().post(&url).json(&request).timeout(VIEW_TIMEOUT)).await?;
    match serde_json::from_slice(&body) {
        Ok(Answer {
            result: Some(result),
            error: None,
        }) => writeln!(out, "{result}").map_err(Error::Write),
        Ok(Answer {
            error: Some(Refusal { code, message }),
            ..
        }) => Err(Error::Refused { code, message }),
        Ok(Answer {
            result: None,
            error: None,
        })
        | Err(_) => Err(Error::NoIndexer { url }),
    }
}

/// Asks for a fresh instance and writes when there is one.
///
/// # Errors
/// [`Error`]; [`Error::NotRefreshed`] when it takes longer than the flags allow. The request stands then.
pub async fn refresh(flags: &RefreshFlags, out: &mut impl Write) -> Result<(), Error> {
    #[derive(Deserialize)]
    struct Accepted {
        id: String,
    }

    let url = &flags.url;
    let no_indexer = |_| Error::NoIndexer { url: url.clone() };
    let client = Client::new();
    let waited = Duration::from_secs(flags.timeout);
    let deadline = Instant::now() + waited;
    let request = client.post(of_ops(url, "refresh")).timeout(STATUS_TIMEOUT);
    let Accepted { id } = serde_json::from_slice(&ask(url, request).await?).map_err(no_indexer)?;
    loop {
        let body = ask(url, client.get(of_ops(url, "status")).timeout(STATUS_TIMEOUT)).await?;
        let status: Status = serde_json::from_slice(&body).map_err(no_indexer)?;
        if status.last_refresh_request.as_ref() == Some(&id) {
            let guest = mebibytes(status.memory.guest_bytes);
            return writeln!(out, "refreshed, the guest has {guest}").map_err(Error::Write);
        }
        if Instant::now() >= deadline {
            return Err(Error::NotRefreshed {
                waited,
                phase: status.phase,
            });
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// The body of a good answer.
async fn ask(url: &str, request: RequestBuilder) -> Result<Vec<u8>, Error> {
    let failed = |source: reqwest::Error| {
        let url = url.to_owned();
        if source.is_connect() {
            Error::Unreachable { url, source }
        } else {
            Error::Ask { url, source }
        }
    };
    let response = request.send().await.and_then(reqwest::Response::error_for_status);
    let body = response.map_err(failed)?.bytes().await.map_err(failed)?;
    Ok(body.into())
}

fn of_ops(url: &str, path: &str) -> String {
    format!("{}/{path}", url.trim_end_matches('/'))
}

/// A status for people: one fact a line, what is unknown left out.
fn shown(status: &Status) -> String {
    let mut lines = vec![
        ("indexer", format!("{}, revision {}", status.indexer, status.revision)),
        (
            "phase",
            format!("{}{}", status.phase, if status.ready { ", ready" } else { "" }),
        ),
        ("height", height(status)),
    ];
    let mut known = |name, value: Option<String>| lines.extend(value.map(|value| (name, value)));
    known("block", status.block_hash.clone());
    known("digest", status.digest.clone());
    known(
        "halted",
        status.halt.as_ref().map(|halt| {
            format!(
                "{:?} failure at height {} after {} runs: {}",
                halt.class, halt.height, halt.runs, halt.message
            )
        }),
    );
    known(
        "trouble",
        status.trouble.as_ref().map(|trouble| {
            format!(
                "{:?} failure since {}: {}",
                trouble.class, trouble.since.0, trouble.message
            )
        }),
    );
    let memory = &status.memory;
    let peak_at = memory
        .guest_peak_height
        .map_or(String::new(), |height| format!(" at height {height}"));
    lines.extend([
        ("module", format!("{}, {}", check(&status.module), status.module_sha256)),
        ("source", check(&status.source)),
        (
            "guest",
            format!(
                "{}, peak {}{peak_at}, threshold {}, limit {}",
                mebibytes(memory.guest_bytes),
                mebibytes(memory.guest_peak_bytes),
                mebibytes(memory.threshold_bytes),
                mebibytes(memory.limit_bytes)
            ),
        ),
        ("resident", mebibytes(memory.resident_bytes)),
        ("refreshes", refreshes(status)),
        ("version", status.version.clone()),
    ]);
    lines.iter().fold(String::new(), |mut text, (name, value)| {
        // Into a string: cannot fail.
        let _ = writeln!(text, "{name:<10} {value}");
        text
    })
}

fn height(status: &Status) -> String {
    let indexed = status
        .height
        .map_or("nothing indexed yet".into(), |height| height.to_string());
    match (status.tip, status.behind) {
        (Some(tip), Some(behind)) => format!("{indexed} of {tip}, {behind} behind"),
        (Some(tip), None) => format!("{indexed}, the tip is {tip}"),
        (None, _) => indexed,
    }
}

fn check(check: &Check) -> String {
    if check.message.is_empty() {
        check.reason.clone()
    } else {
        format!("{}: {}", check.reason, check.message)
    }
}

fn refreshes(status: &Status) -> String {
    let crds::Refreshes {
        block,
        threshold,
        failure,
        manual,
        unwind,
    } = status.memory.refreshes;
    let last = status.memory.last_refresh.as_ref();
    let last = last.map_or(String::new(), |last| {
        format!("; last: {} before height {}", last.reason.label(), last.height)
    });
    format!("block {block}, threshold {threshold}, failure {failure}, manual {manual}, unwind {unwind}{last}")
}

fn mebibytes(bytes: u64) -> String {
    format!("{} MiB", bytes.div_ceil(1 << 20))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_shown_one_fact_a_line() {
        let status = serde_json::from_str(include_str!("../../tests/data/status.json")).unwrap();
        expectorate::assert_contents("tests/data/status.txt", &shown(&status));
    }
}
