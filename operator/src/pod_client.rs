//! (I/O) Requests to pods: status, refreshes, snapshots, digests and views.

use std::time::Duration;

use crds::pod::{OPS_PORT, REFRESH_PATH, Request, SNAPSHOT_PATH, STATUS_PATH, Status};
use reqwest::StatusCode;
use serde_json::json;

mod not_requested;
mod query;
mod request;

pub use not_requested::NotRequested;
pub use query::Answer;

use crate::facts::Target;
use query::query;
use request::{TIMEOUT, failure, url};

/// The longest status read from a pod, in bytes. One has about 1 KiB, of which a guest can choose 1,000 characters.
const STATUS_BYTES_MAX: usize = 64 << 10;

/// Sends requests to pods, each over a connection of its own.
#[derive(Clone, Debug)]
pub struct PodClient {
    http: reqwest::Client,
}

impl PodClient {
    /// A client.
    ///
    /// # Errors
    /// If the HTTP client cannot be set up.
    pub fn new() -> Result<Self, reqwest::Error> {
        // Pods are addressed by IP on a network of their own: no proxy, no redirect, no TLS and so no certificates.
        let http = reqwest::Client::builder()
            .no_proxy()
            .tls_built_in_root_certs(false)
            .redirect(reqwest::redirect::Policy::none())
            .timeout(TIMEOUT)
            // A kept connection takes 28 KiB here, and with 200 pods a sixth of all memory; a new one takes a tenth of a
            // millisecond.
            .pool_max_idle_per_host(0)
            .build()?;
        Ok(Self { http })
    }

    /// The status a pod reports.
    ///
    /// # Errors
    /// Why there is none, for people.
    pub async fn status(&self, target: &Target) -> Result<Status, String> {
        let request = self.http.get(url(target, OPS_PORT, STATUS_PATH));
        let mut response = request.send().await.map_err(|e| failure(&e))?;
        if !response.status().is_success() {
            return Err(format!("it responded with {}", response.status()));
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|e| failure(&e))? {
            if body.len() + chunk.len() > STATUS_BYTES_MAX {
                return Err(format!("its status is longer than {STATUS_BYTES_MAX} bytes"));
            }
            body.extend_from_slice(&chunk);
        }
        target.read(&body)
    }

    /// Requests a fresh guest instance. Repeating a request with the same id is harmless.
    ///
    /// # Errors
    /// What went wrong.
    pub async fn request_refresh(&self, target: &Target, id: &str) -> Result<(), NotRequested> {
        self.request(target, REFRESH_PATH, id).await
    }

    /// Requests a snapshot of the index as it is now. Repeating a request with the same id is harmless.
    ///
    /// # Errors
    /// What went wrong.
    pub async fn request_snapshot(&self, target: &Target, id: &str) -> Result<(), NotRequested> {
        self.request(target, SNAPSHOT_PATH, id).await
    }

    async fn request(&self, target: &Target, path: &str, id: &str) -> Result<(), NotRequested> {
        let request = self.http.post(url(target, OPS_PORT, path));
        let request = request.json(&Request { id: id.to_owned() });
        let sent = request.send().await;
        let response = sent.map_err(|error| NotRequested::NoAnswer(failure(&error)))?;
        match response.status() {
            status if status.is_success() => Ok(()),
            StatusCode::NOT_FOUND => Err(NotRequested::Unknown),
            StatusCode::CONFLICT => Err(NotRequested::NotHere),
            status => Err(NotRequested::Answered(status.as_u16())),
        }
    }

    /// The digest of a pod's index at a height, hex without `0x`; none if the pod answers that it has none, because it
    /// has no block there.
    ///
    /// # Errors
    /// Why there is no answer, for people.
    pub async fn state_root(&self, target: &Target, height: u32) -> Result<Option<String>, String> {
        let answer = query(&self.http, target, "metashrew_stateroot", &json!([height]), TIMEOUT).await?;
        let digest = answer.start.strip_prefix("0x").filter(|digits| digits.len() == 64);
        Ok(digest.map(str::to_owned))
    }

    /// A pod's answer to a view.
    ///
    /// # Errors
    /// If there is none; a view that fails is an answer.
    pub async fn view(
        &self,
        target: &Target,
        function: &str,
        input: &str,
        height: u32,
        timeout: Duration,
    ) -> Result<Answer, String> {
        let params = json!([function, input, height]);
        query(&self.http, target, "metashrew_view", &params, timeout)
            .await
            .map_err(|why| format!("{} does not answer {function}: {why}", target.pod))
    }
}
