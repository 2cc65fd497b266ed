//! Bounded downloads: redirects, time, size.

use std::time::Duration;

use bytes::BytesMut;
use reqwest::{Client, Response, StatusCode, Url, header::HeaderMap, redirect};

use super::bound::MODULE_BYTES_MAX;

/// Enough for a release page and a mirror behind it.
const REDIRECTS_MAX: usize = 5;
/// A server in reach accepts in milliseconds.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a download may take, and how much may come.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes of a module.
    pub bytes: usize,
    /// Without a byte.
    pub idle: Duration,
    /// For one answer, redirects included.
    pub total: Duration,
}

/// Half a minute of silence is no network's hiccup any more; 256 MiB in ten minutes are 3.6 Mbit/s.
impl Default for Limits {
    fn default() -> Self {
        Self {
            bytes: MODULE_BYTES_MAX,
            idle: Duration::from_secs(30),
            total: Duration::from_secs(600),
        }
    }
}

/// Downloads within limits.
pub(super) struct Fetcher {
    client: Client,
    /// The most a module may have.
    pub(super) bytes_max: usize,
}

/// An answer that was read to its end.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
}

/// Why a download failed.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)] // Each field is explained by the text it appears in.
pub enum Error {
    /// No connection, a redirect that is not followed, a timeout, or an answer that breaks off.
    #[error("{url} cannot be fetched: check the address, and that it can be reached from here")]
    Unreachable { url: String, source: reqwest::Error },
    /// It is not there, or not for us.
    #[error("{url} answers with HTTP {status}: check the address, and that it needs no login")]
    Status { url: String, status: u16 },
    /// It is longer than anything expected there.
    #[error("{url} has more than {bytes_max} bytes: check the address")]
    TooLong { url: String, bytes_max: usize },
    /// The HTTP client cannot be made.
    #[error("set up the HTTP client")]
    Client(#[source] reqwest::Error),
}

impl Fetcher {
    pub(super) fn new(limits: &Limits) -> Result<Self, Error> {
        let policy = redirect::Policy::custom(|attempt| match refusal(attempt.previous(), attempt.url()) {
            Some(why) => attempt.error(why),
            None => attempt.follow(),
        });
        let client = Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .read_timeout(limits.idle)
            .timeout(limits.total)
            .redirect(policy)
            .referer(false)
            .no_proxy()
            .user_agent(concat!("shrewd-indexer/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(Error::Client)?;
        Ok(Self {
            client,
            bytes_max: limits.bytes,
        })
    }

    /// A file that needs no login.
    pub(super) async fn file(&self, url: &Url) -> Result<Vec<u8>, Error> {
        let answer = self.get(url, HeaderMap::new(), self.bytes_max).await?;
        match answer.status {
            StatusCode::OK => Ok(answer.body),
            status => Err(Error::Status {
                url: shown(url),
                status: status.as_u16(),
            }),
        }
    }

    /// Whatever the status is. A login among the headers goes to this host only.
    pub(super) async fn get(&self, url: &Url, headers: HeaderMap, bytes_max: usize) -> Result<Answer, Error> {
        let unreachable = |error: reqwest::Error| Error::Unreachable {
            url: shown(url),
            source: error.without_url(),
        };
        let request = self.client.get(url.clone()).headers(headers);
        let mut response = request.send().await.map_err(unreachable)?;
        let too_long = || Error::TooLong {
            url: shown(url),
            bytes_max,
        };
        if announced(&response) > bytes_max as u64 {
            return Err(too_long());
        }
        let mut body = BytesMut::new();
        while let Some(chunk) = response.chunk().await.map_err(unreachable)? {
            if body.len() + chunk.len() > bytes_max {
                return Err(too_long());
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Answer {
            status: response.status(),
            headers: std::mem::take(response.headers_mut()),
            body: body.into(),
        })
    }
}

fn announced(response: &Response) -> u64 {
    response.content_length().unwrap_or(0)
}

/// A URL that can be fetched and shown.
pub(super) fn parse(text: &str) -> Option<Url> {
    let url = Url::parse(text).ok()?;
    let is_plain = url.username().is_empty() && url.password().is_none();
    (matches!(url.scheme(), "http" | "https") && url.has_host() && is_plain).then_some(url)
}

/// For people. A query may hold a key.
pub(super) fn shown(url: &Url) -> String {
    let mut url = url.clone();
    url.set_query(None);
    url.set_fragment(None);
    url.into()
}

/// Why a redirect is not followed.
fn refusal(previous: &[Url], next: &Url) -> Option<&'static str> {
    if previous.len() > REDIRECTS_MAX {
        Some("more than 5 redirects")
    } else if next.scheme() != "https" && previous.iter().any(|url| url.scheme() == "https") {
        Some("a redirect from https to http")
    } else if !next.username().is_empty() || next.password().is_some() {
        Some("a redirect with credentials in it")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn urls(texts: &[&str]) -> Vec<Url> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn redirects_never_leave_https_and_are_few() {
        let refused = |previous: &[&str], next: &str| refusal(&urls(previous), &next.parse().unwrap());
        assert_eq!(refused(&["http://a"], "https://b"), None);
        assert_eq!(refused(&["http://a"], "http://b"), None);
        assert_eq!(refused(&["http://a"; 5], "http://b"), None);
        assert_eq!(refused(&["http://a"; 6], "http://b"), Some("more than 5 redirects"));
        let downgrade = Some("a redirect from https to http");
        assert_eq!(refused(&["https://a"], "http://a"), downgrade);
        assert_eq!(refused(&["http://a", "https://b"], "http://a"), downgrade);
        assert!(refused(&["https://a"], "https://user:word@a").is_some());
    }

    #[test]
    fn what_is_shown_has_neither_query_nor_credentials() {
        assert_eq!(shown(&parse("https://a/b?key=secret#c").unwrap()), "https://a/b");
        for text in ["https://user:word@a/b", "ftp://a/b", "a/b", "file:///b"] {
            assert!(parse(text).is_none(), "{text}");
        }
    }
}
