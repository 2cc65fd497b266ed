//! User and password of the node, as flags have them.

use std::fmt;

use super::{address::is_base_url, error::Error};

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
    let (scheme, rest) = text.split_once("://").ok_or(Error::Url)?;
    let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    let (inside, host) = match authority.rsplit_once('@') {
        None => (None, authority),
        Some((inside, host)) => (Some(inside), host),
    };
    let url = format!("{scheme}://{host}{path}");
    if !is_base_url(&url) {
        return Err(Error::Url);
    }
    Ok((url, inside.map(inside_url).transpose()?))
}

/// In a URL, `%40` is an `@`.
fn inside_url(text: &str) -> Result<Credentials, Error> {
    match text.split_once(':') {
        Some((username, password)) if !username.is_empty() => Ok(Credentials {
            username: decoded(username).ok_or(Error::Url)?,
            password: decoded(password).ok_or(Error::Url)?,
        }),
        _ => Err(Error::Url),
    }
}

/// A percent sign without two hex digits stands for itself, as everywhere in the web. None: the result is no text.
fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let pair = after.split_at_checked(2).filter(|_| *first == b'%');
        let escaped = pair.and_then(|(digits, after)| Some((hex::decode(digits).ok()?, after)));
        rest = match escaped {
            Some((byte, after)) => {
                bytes.extend(byte);
                after
            }
            None => {
                bytes.push(*first);
                after
            }
        };
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_in_a_url_are_decoded_and_taken_out() {
        for (text, url, username, password) in [
            ("http://user:pass@node:1", "http://node:1", "user", "pass"),
            ("http://user:p%40s%2fs%3A@node:1/", "http://node:1/", "user", "p@s/s:"),
            ("http://us%3aer:a:b@node", "http://node", "us:er", "a:b"),
            ("http://user:a@b@node", "http://node", "user", "a@b"),
            ("http://user:100%@node", "http://node", "user", "100%"),
            ("http://user:%zz%4@node", "http://node", "user", "%zz%4"),
            ("http://user:%C3%BC@node", "http://node", "user", "\u{fc}"),
            ("http://user:@[::1]:81", "http://[::1]:81", "user", ""),
        ] {
            let expected = Credentials {
                username: username.into(),
                password: password.into(),
            };
            assert_eq!(
                split_credentials(text).ok(),
                Some((url.into(), Some(expected))),
                "{text}"
            );
        }
        assert_eq!(
            split_credentials("http://node").ok(),
            Some(("http://node".into(), None))
        );
    }

    #[test]
    fn what_cannot_be_read_is_refused_without_being_repeated() {
        for text in [
            "http://user@node",
            "http://:s3cret@node",
            "http://user:%ff@node",
            "http://user:s3c/ret@node",
            "http://node/v1/s3cret",
            "http://node/?password=s3cret",
            "http://node/a@b",
            "ftp://node",
            "node:1",
        ] {
            let words = split_credentials(text).unwrap_err().to_string();
            assert!(
                words.contains("--rpc-cookie-file") && !words.contains("s3c"),
                "{text}: {words}"
            );
        }
    }
}
