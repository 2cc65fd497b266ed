//! Bounded HTTP to one node: timeouts, answer size, credentials.

use std::{io, path::PathBuf, sync::Arc, time::Duration};

use bytes::Bytes;
use reqwest::{Client, Method, RequestBuilder, StatusCode, Url, redirect};
use tokio::sync::Mutex;

use super::error::{AddressError, Error};
use crate::{
    chain,
    download::{BodyError, read_body},
};

/// The longest answer that is read: a block of 4,000,000 bytes (the consensus limit) in hex, with its JSON around it.
pub(super) const ANSWER_BYTES_MAX: usize = 8 * 1024 * 1024;
/// A node in reach accepts in milliseconds; one that is gone should not hold up the next for long.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// For a whole answer: a block of 4 MB from a busy node, over 2 Mbit/s.
pub(super) const ANSWER_TIMEOUT: Duration = Duration::from_secs(20);
/// Nodes close a connection after 30 idle seconds; it must not be taken for a request just then.
const IDLE_TIMEOUT: Duration = Duration::from_secs(20);

/// One node's address and what it takes to be let in.
pub(super) struct Endpoint {
    /// The address as errors name it.
    pub(super) name: Arc<str>,
    base: Url,
    client: Client,
    credentials: Option<Credentials>,
}

/// A status and a body that was read to its end.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) body: Bytes,
}

struct Credentials {
    /// Files that hold them; none: they were given once and for all.
    files: Option<LoginFiles>,
    login: Mutex<Option<Login>>,
}

/// Files with credentials; they may change while we run.
#[derive(Clone)]
pub(super) enum LoginFiles {
    /// A folder with `username` and `password`.
    Folder(PathBuf),
    /// What a node writes when it starts: `USER:PASSWORD`, another password each time.
    Cookie(PathBuf),
}

/// User and password of a node. It has no debug form, so that no log line can show it.
#[derive(Clone, PartialEq, Eq)]
pub struct Login {
    /// The user.
    pub username: String,
    /// The password.
    pub password: String,
}

/// The client for all nodes; it keeps connections open, and gives a node so long for a whole answer.
pub(super) fn client(answer_timeout: Duration) -> Result<Client, AddressError> {
    Client::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .timeout(answer_timeout)
        .pool_idle_timeout(IDLE_TIMEOUT)
        // Credentials go to the address that was given and nowhere else.
        .redirect(redirect::Policy::none())
        .no_proxy()
        .build()
        .map_err(AddressError::Client)
}

impl Endpoint {
    /// `position` counts the addresses from 1, for errors.
    pub(super) fn new(
        address: &str,
        position: usize,
        files: Option<LoginFiles>,
        login: Option<Login>,
        client: Client,
    ) -> Result<Self, AddressError> {
        let mut base = Url::parse(address).map_err(|_| AddressError::NoUrl { position })?;
        if !matches!(base.scheme(), "http" | "https") || base.cannot_be_a_base() {
            return Err(AddressError::NoUrl { position });
        }
        if !base.username().is_empty() || base.password().is_some() {
            return Err(AddressError::Credentials { position });
        }
        // A query may hold a key, and no node has a use for one.
        base.set_query(None);
        base.set_fragment(None);
        let name = base.as_str().trim_end_matches('/').into();
        let credentials = (files.is_some() || login.is_some()).then(|| Credentials {
            files,
            login: Mutex::new(login),
        });
        Ok(Self {
            name,
            base,
            client,
            credentials,
        })
    }

    pub(super) fn has_credentials(&self) -> bool {
        self.credentials.is_some()
    }

    /// An answer that cannot be read.
    pub(super) fn malformed(&self, what: &'static str) -> Error {
        Error::Malformed {
            url: self.name.clone(),
            what,
        }
    }

    /// A header or a block that breaks a rule.
    pub(super) fn invalid(&self, source: chain::Error) -> Error {
        Error::Invalid {
            url: self.name.clone(),
            source,
        }
    }

    /// An answer with a status that has no meaning here.
    pub(super) fn unexpected(&self, what: &'static str, status: StatusCode) -> Error {
        Error::Status {
            url: self.name.clone(),
            what,
            status: status.as_u16(),
        }
    }

    /// GET of a path below the address.
    pub(super) async fn get(&self, path: &str, what: &'static str) -> Result<Answer, Error> {
        let mut url = self.base.clone();
        url.set_path(&format!("{}/{path}", self.base.path().trim_end_matches('/')));
        self.send(what, || self.client.request(Method::GET, url.clone())).await
    }

    /// POST of a JSON text to the address itself.
    pub(super) async fn post(&self, json: Bytes, what: &'static str) -> Result<Answer, Error> {
        let request = || {
            self.client
                .post(self.base.clone())
                .header("content-type", "application/json")
                .body(json.clone())
        };
        self.send(what, request).await
    }

    /// Sends a request; when it is refused and the files now hold other credentials, once more with those.
    async fn send(&self, what: &'static str, request: impl Fn() -> RequestBuilder) -> Result<Answer, Error> {
        let login = self.login().await?;
        let mut answer = self.send_as(login.as_ref(), what, request()).await?;
        if is_refusal(answer.status) {
            let again = self.login_again().await?;
            if again != login {
                answer = self.send_as(again.as_ref(), what, request()).await?;
            }
        }
        let (url, status) = (self.name.clone(), answer.status.as_u16());
        match answer.status {
            status_code if is_refusal(status_code) => Err(Error::Unauthorized { url, status }),
            StatusCode::SERVICE_UNAVAILABLE => Err(Error::Busy { url }),
            _ => Ok(answer),
        }
    }

    async fn send_as(
        &self,
        login: Option<&Login>,
        what: &'static str,
        request: RequestBuilder,
    ) -> Result<Answer, Error> {
        let request = match login {
            Some(login) => request.basic_auth(&login.username, Some(&login.password)),
            None => request,
        };
        let unreachable = |error: reqwest::Error| Error::Unreachable {
            url: self.name.clone(),
            source: error.without_url(),
        };
        let mut response = request.send().await.map_err(unreachable)?;
        let status = response.status();
        let body = read_body(&mut response, ANSWER_BYTES_MAX).await;
        let body = body.map_err(|error| match error {
            BodyError::BrokenOff(error) => unreachable(error),
            BodyError::TooLong => Error::TooLong {
                url: self.name.clone(),
                what,
                max_bytes: ANSWER_BYTES_MAX,
            },
        })?;
        Ok(Answer { status, body })
    }

    async fn login(&self) -> Result<Option<Login>, Error> {
        let Some(credentials) = &self.credentials else {
            return Ok(None);
        };
        let mut login = credentials.login.lock().await;
        if login.is_none() {
            *login = self.read(credentials).await?;
        }
        Ok(login.clone())
    }

    async fn login_again(&self) -> Result<Option<Login>, Error> {
        let Some(credentials) = &self.credentials else {
            return Ok(None);
        };
        let mut login = credentials.login.lock().await;
        if let Some(read) = self.read(credentials).await? {
            *login = Some(read);
        }
        Ok(login.clone())
    }

    /// What the files say now; none if there are no files.
    async fn read(&self, credentials: &Credentials) -> Result<Option<Login>, Error> {
        Ok(match &credentials.files {
            None => None,
            Some(LoginFiles::Folder(folder)) => Some(Login {
                username: self.read_file(folder.join("username")).await?,
                password: self.read_file(folder.join("password")).await?,
            }),
            Some(LoginFiles::Cookie(path)) => {
                let text = self.read_file(path.clone()).await?;
                let (username, password) = text.split_once(':').ok_or_else(|| {
                    let source = io::Error::new(io::ErrorKind::InvalidData, "it is no USER:PASSWORD");
                    self.missing(path.clone(), source)
                })?;
                Some(Login {
                    username: username.into(),
                    password: password.into(),
                })
            }
        })
    }

    async fn read_file(&self, path: PathBuf) -> Result<String, Error> {
        match tokio::fs::read_to_string(&path).await {
            Ok(text) => Ok(text.trim_end_matches(['\r', '\n']).to_owned()),
            Err(source) => Err(self.missing(path, source)),
        }
    }

    fn missing(&self, path: PathBuf, source: io::Error) -> Error {
        Error::CredentialsMissing {
            url: self.name.clone(),
            path,
            source,
        }
    }
}

fn is_refusal(status: StatusCode) -> bool {
    matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN)
}
