//! User and password of the node, as flags have them.

use std::fmt;

use super::error::Error;

/// User and password of the node. Their debug form shows neither.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The user.
    pub username: String,
    /// The password.
    pub password: String,
}

impl Credentials {
    /// `USER:PASSWORD`; the password may have colons.
    pub(super) fn parse(text: &str) -> Result<Self, Error> {
        match text.split_once(':') {
            Some((username, password)) if !username.is_empty() => Ok(Self {
                username: username.into(),
                password: password.into(),
            }),
            _ => Err(Error::Auth),
        }
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials(..)")
    }
}

/// Takes `USER:PASSWORD@` out of a URL, so that the URL can be shown.
pub(super) fn split_credentials(text: &str) -> Result<(String, Option<Credentials>), Error> {
    let (Some((scheme, rest)), Ok(_)) = (text.split_once("://"), reqwest::Url::parse(text)) else {
        return Err(Error::Url);
    };
    match rest.rsplit_once('@') {
        None => Ok((text.into(), None)),
        Some((credentials, host)) => Ok((format!("{scheme}://{host}"), Some(Credentials::parse(credentials)?))),
    }
}
