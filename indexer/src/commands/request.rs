//! Requests to an indexer that runs, here or elsewhere.

use std::{io, time::Duration};

use reqwest::{Client, RequestBuilder};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::cli::args::shown_address;

/// Timeout of an answer of JSON-RPC: that of the server is usually shorter.
const CALL_TIMEOUT: Duration = Duration::from_secs(600);
/// The longest answer read: the hex of four times what a view may answer by default, and its wrapping.
const ANSWER_BYTES_MAX: usize = 513 << 20;

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
    /// The answer is longer than anybody needs.
    #[error("the answer of {url} is longer than {} MiB", ANSWER_BYTES_MAX >> 20)]
    TooLong {
        /// Where.
        url: String,
    },
    /// The answer cannot be written.
    #[error("write the answer")]
    Write(#[source] io::Error),
}

/// An error that a server answers with.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(super) struct Refusal {
    /// Its code; Metashrew's own server has one for all.
    pub(super) code: i32,
    /// Its words.
    pub(super) message: String,
}

/// The answer to a call of a method whose results are texts: the result, or why the server has none.
pub(super) async fn call(
    client: &Client,
    url: &str,
    method: &str,
    params: &Value,
) -> Result<Result<String, Refusal>, Error> {
    #[derive(Deserialize)]
    struct Answer {
        result: Option<String>,
        error: Option<Refusal>,
    }

    let request = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
    let body = ask(url, client.post(url).json(&request).timeout(CALL_TIMEOUT)).await?;
    match serde_json::from_slice(&body) {
        Ok(Answer {
            error: Some(refusal), ..
        }) => Ok(Err(refusal)),
        Ok(Answer {
            result: Some(result), ..
        }) => Ok(Ok(result)),
        Ok(_) | Err(_) => Err(Error::NoIndexer { url: shown(url) }),
    }
}

/// The body of a successful answer.
pub(super) async fn ask(url: &str, request: RequestBuilder) -> Result<Vec<u8>, Error> {
    let failed = |source: reqwest::Error| {
        let (url, source) = (shown(url), source.without_url());
        if source.is_connect() {
            Error::Unreachable { url, source }
        } else {
            Error::Ask { url, source }
        }
    };
    let response = request.send().await.and_then(reqwest::Response::error_for_status);
    let mut response = response.map_err(failed)?;
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(failed)? {
        if body.len() + chunk.len() > ANSWER_BYTES_MAX {
            return Err(Error::TooLong { url: shown(url) });
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// An address for people. What is none is shown if it cannot hold a password.
pub(super) fn shown(url: &str) -> String {
    let unread = || {
        if url.contains(['@', '?']) {
            "the address given"
        } else {
            url
        }
    };
    shown_address(url).unwrap_or_else(|| unread().to_owned())
}
