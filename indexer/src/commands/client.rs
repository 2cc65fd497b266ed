//! `status`, `view` and `refresh`: requests to a running process, local or in a pod.

use std::{
    io::Write,
    time::{Duration, Instant},
};

use crds::pod::Status;
use reqwest::Client;
use serde::Deserialize;
use serde_json::json;

use super::{
    request::{self, Error, Refusal, ask, call},
    status_text::shown,
};
use crate::{
    cli::args::{RefreshFlags, StatusFlags, ViewFlags},
    telemetry::units::mebibytes,
};

/// Timeout of a status, which is answered from memory.
const STATUS_TIMEOUT: Duration = Duration::from_secs(10);
/// Pause between two requests that check whether a refresh is done.
const LOOK_EVERY: Duration = Duration::from_millis(100);

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
    let status = serde_json::from_slice(&body).map_err(|_| Error::NoIndexer {
        url: request::shown(&url),
    })?;
    out.write_all(shown(&status).as_bytes()).map_err(Error::Write)
}

/// Writes the answer of a view, as `0x` and hex.
///
/// # Errors
/// [`Error`].
pub async fn view(flags: ViewFlags, out: &mut impl Write) -> Result<(), Error> {
    let ViewFlags {
        function,
        input,
        height,
        url,
    } = flags;
    let answer = call(
        &Client::new(),
        &url,
        "metashrew_view",
        &json!([function, input, height]),
    )
    .await?;
    let result = answer.map_err(|Refusal { code, message }| Error::Refused { code, message })?;
    writeln!(out, "{result}").map_err(Error::Write)
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
    let no_indexer = |_| Error::NoIndexer {
        url: request::shown(url),
    };
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

fn of_ops(url: &str, path: &str) -> String {
    format!("{}/{path}", url.trim_end_matches('/'))
}
