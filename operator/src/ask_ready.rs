//! (I/O) Whether an operator is ready, asked from outside: for `helm test`, in an image without a shell.

use std::time::Duration;

use anyhow::{Context, Result, ensure};

/// A healthy one answers within milliseconds.
const TIMEOUT: Duration = Duration::from_secs(10);
/// More of an answer than this is not an operator's, and not shown.
const WORDS_MAX: usize = 200;

/// What an operator answers at `/readyz`.
///
/// # Errors
/// If it does not answer, or that it is not ready; with its words.
pub async fn ask_ready(url: &str) -> Result<String> {
    let url = format!("{}/readyz", url.trim_end_matches('/'));
    let http = reqwest::Client::builder().no_proxy().timeout(TIMEOUT).build()?;
    let mut response = http.get(&url).send().await.with_context(|| format!("ask {url}"))?;
    let status = response.status();
    let start = response.chunk().await.with_context(|| format!("read {url}"))?;
    let words: String = String::from_utf8_lossy(&start.unwrap_or_default())
        .trim()
        .chars()
        .take(WORDS_MAX)
        .collect();
    ensure!(status.is_success(), "{url} says {status}: {words}");
    Ok(format!("{url} says {status}: {words}"))
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;
    use crate::{
        admin::{Readiness, router},
        metrics::Metrics,
    };

    #[tokio::test]
    async fn an_operator_that_waits_is_not_ready_and_says_for_what() {
        let (readiness, listener) = (Readiness::new(1), TcpListener::bind("127.0.0.1:0").await.unwrap());
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let app = router(Metrics::new().unwrap(), readiness.clone());
        tokio::spawn(async move { axum::serve(listener, app).await });
        let error = ask_ready(&url).await.unwrap_err().to_string();
        assert!(error.contains("503") && error.contains("waiting for"), "{error}");
        readiness.scope_ready();
        assert!(ask_ready(&url).await.unwrap().ends_with("200 OK: ok"));
    }

    #[tokio::test]
    async fn where_nothing_listens_there_is_an_error() {
        assert!(ask_ready("http://127.0.0.1:1").await.is_err());
    }
}
