//! Which pages of browsers may call: the value of `--cors`.

use axum::http::HeaderValue;
use reqwest::Url;

/// Origins that may call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origins {
    /// Every one.
    Any,
    /// These, as browsers write them.
    Listed(Vec<HeaderValue>),
}

/// A part of a list that is no origin.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{part:?} is no origin: give SCHEME://HOST[:PORT] without a path, such as https://wallet.example, several with \
     commas between them, null for pages without one, or * for all"
)]
pub struct NoOrigin {
    part: String,
}

impl Origins {
    /// Reads a list with commas.
    ///
    /// # Errors
    /// [`NoOrigin`].
    pub fn parse(text: &str) -> Result<Self, NoOrigin> {
        let parts: Vec<&str> = text.split(',').map(str::trim).collect();
        let listed = parts.iter().filter(|part| **part != "*");
        let listed = listed.map(|part| origin(part).ok_or_else(|| NoOrigin { part: (*part).into() }));
        let listed: Vec<HeaderValue> = listed.collect::<Result<_, _>>()?;
        Ok(if listed.len() < parts.len() {
            Self::Any
        } else {
            Self::Listed(listed)
        })
    }
}

/// The origin as browsers send it, in small letters and without the usual port: they are compared byte by byte.
fn origin(text: &str) -> Option<HeaderValue> {
    if text == "null" {
        return Some(HeaderValue::from_static("null"));
    }
    // A parser of URLs drops some characters that no origin has.
    let is_bare = text
        .split_once("://")
        .is_some_and(|(_, host)| !host.contains(['/', '?', '#', '@', '*']));
    let url = Url::parse(text).ok().filter(|url| is_bare && url.has_host())?;
    let origin = url.origin();
    // Of other schemes than the web's, such as an extension's, nothing is known.
    let written = if origin.is_tuple() {
        origin.ascii_serialization()
    } else {
        text.into()
    };
    HeaderValue::from_str(&written).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_has_commas_and_its_origins_are_written_as_browsers_do() {
        let listed = |parts: &[&'static str]| {
            Ok(Origins::Listed(
                parts.iter().map(|part| HeaderValue::from_static(part)).collect(),
            ))
        };
        for (text, expected) in [
            ("*", Ok(Origins::Any)),
            ("https://a.example, *", Ok(Origins::Any)),
            ("null", listed(&["null"])),
            ("https://A.example:443", listed(&["https://a.example"])),
            (
                "https://a.example,http://localhost:3000 , null",
                listed(&["https://a.example", "http://localhost:3000", "null"]),
            ),
            ("chrome-extension://abcdef", listed(&["chrome-extension://abcdef"])),
            ("http://[::1]:81", listed(&["http://[::1]:81"])),
        ] {
            assert_eq!(Origins::parse(text), expected, "{text}");
        }
    }

    #[test]
    fn what_no_browser_sends_is_refused_and_named() {
        for (text, part) in [
            ("", ""),
            ("https://a.example,", ""),
            ("https://a.example,b.example", "b.example"),
            ("https://a.example/", "https://a.example/"),
            ("https://a.example/page", "https://a.example/page"),
            ("https://user@a.example", "https://user@a.example"),
            ("https://*.example", "https://*.example"),
            ("localhost:3000", "localhost:3000"),
            ("a\nb", "a\nb"),
        ] {
            assert_eq!(Origins::parse(text), Err(NoOrigin { part: part.into() }), "{text}");
        }
    }
}
