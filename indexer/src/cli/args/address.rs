//! Addresses of servers, as flags and files have them.

use reqwest::Url;

/// Whether it reads `http(s)://HOST[:PORT]` and nothing else.
pub(super) fn is_base_url(text: &str) -> bool {
    Url::parse(text).is_ok_and(|url| {
        matches!(url.scheme(), "http" | "https")
            && url.has_host()
            && url.path() == "/"
            && url.username().is_empty()
            && url.password().is_none()
            && url.query().is_none()
            && url.fragment().is_none()
    })
}

/// An address for people: scheme, host and port. Whatever else it has may be a secret. None: it has no host.
#[must_use]
pub fn shown_address(text: &str) -> Option<String> {
    let url = Url::parse(text).ok()?;
    let (scheme, host) = (url.scheme(), url.host_str()?);
    Some(match url.port() {
        None => format!("{scheme}://{host}"),
        Some(port) => format!("{scheme}://{host}:{port}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_of_an_address_holds_no_secret() {
        for (text, shown) in [
            ("http://user:s3cret@127.0.0.1:18200", Some("http://127.0.0.1:18200")),
            ("https://host/v1/s3cret", Some("https://host")),
            ("https://host:8443/?password=s3cret#s3cret", Some("https://host:8443")),
            ("http://[::1]:81/", Some("http://[::1]:81")),
            ("user:s3cret@host", None),
            ("s3cret", None),
            ("", None),
        ] {
            assert_eq!(shown_address(text).as_deref(), shown, "{text}");
        }
    }
}
