//! `status`, `view` and `refresh`: requests to a running process, local or in a pod.

use std::{
    io::{self, Write},
    time::{Duration, Instant},
};

use crds::pod::Status;
use reqwest::{Client, RequestBuilder};
use serde::Deserialize;
use serde_json::json;

use super::status_text::shown;
use crate::{
    cli::args::{RefreshFlags, StatusFlags, ViewFlags},
    telemetry::units::mebibytes,
};

/// Timeout of a status, which is answered from memory.
const STATUS_TIMEOUT: Duration = Duration::from_secs(10);
/// Timeout of a view: that of the server is usually shorter.
const VIEW_TIMEOUT: Duration = Duration::from_secs(600);

/// Pause between two requests that check whether a refresh is done.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Why a request failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No connection.
    #[error("no connection to {url}: check that the indexer is running and that this is its address")]
    Unreachable {
        /// Where.
        url: String,
        /// What went wrong.
        #[source]
        source: reqwest::Error,
    },
    /// Not refreshed in time.
    #[error("no refresh within {} s: the indexer is in phase {phase} and refreshes between two blocks", waited.as_secs())]
    NotRefreshed {
        /// How long the command waited.
        waited: Duration,
        /// The indexer's phase.
        phase: crds::Phase,
    },
    /// The request failed, or its answer cannot be read.
    #[error("request to {url}")]
    Ask {
        /// Where.
        url: String,
        /// What went wrong.
        #[source]
        source: reqwest::Error,
    },
    /// The server refused it.
    #[error("{message} (code {code})")]
    Refused {
        /// The JSON-RPC error code.
        code: i32,
        /// The server's message.
        message: String,
    },
    /// Another program answered.
    #[error("the server at {url} is not an indexer")]
    NoIndexer {
        /// Where.
        url: String,
    },
    /// The answer cannot be written.
    #[error("write the answer")]
    Write(#[source] io::Error),
}

/// Writes the status of a running indexer.
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

/// Writes the answer of a view, as `0x` and hex.
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

/// Requests a fresh instance and reports when the guest has it.
///
/// # Errors
/// [`Error`]; [`Error::NotRefreshed`] when it takes longer than the flags allow; the request remains in force.
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
            return writeln!(out, "refreshed; the guest now has {guest}").map_err(Error::Write);
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

/// The body of a successful answer.
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
