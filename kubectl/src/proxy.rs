//! (pure) Which proxy leads to the API server, as kubectl decides it: the one of the kubeconfig, else that of the
//! environment unless `NO_PROXY` names the server. kube by itself compares `NO_PROXY` with the proxy, not with the server.

use std::net::IpAddr;

use http::Uri;
use hyper_util::client::proxy::matcher::Matcher;

/// What the environment says of proxies.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Environment {
    /// `HTTPS_PROXY`: the proxy for servers with TLS.
    pub https: Option<String>,
    /// `HTTP_PROXY`: the proxy for others.
    pub http: Option<String>,
    /// `NO_PROXY`: the servers that are reached without.
    pub none: Option<String>,
}

/// The URL of the proxy to a server, where the kubeconfig declares this one; none: it is reached without.
#[must_use]
pub fn proxy(declared: Option<&str>, server: &Uri, environment: &Environment) -> Option<String> {
    if let Some(declared) = declared.filter(|url| !url.is_empty()) {
        return Some(url(declared));
    }
    let found = match server.scheme_str() {
        Some("http") => &environment.http,
        _ => &environment.https,
    };
    let is_direct = is_own(server) || is_named(server, environment.none.as_deref().unwrap_or_default());
    found.as_deref().filter(|_| !is_direct).map(url)
}

/// A proxy without a scheme is one of HTTP, and both kinds of SOCKS leave it to the proxy to find names.
fn url(proxy: &str) -> String {
    match proxy.split_once("://") {
        Some(("socks5h", rest)) => format!("socks5://{rest}"),
        Some(_) => proxy.to_owned(),
        None => format!("http://{proxy}"),
    }
}

/// Whether it is this machine, as with `kubectl proxy`.
fn is_own(server: &Uri) -> bool {
    let host = server.host().unwrap_or_default().trim_matches(['[', ']']);
    host == "localhost" || host.parse().is_ok_and(|address: IpAddr| address.is_loopback())
}

/// Whether `NO_PROXY` names a server, by the rules of curl: that any proxy would be used says that it does not.
fn is_named(server: &Uri, list: &str) -> bool {
    let any = Matcher::builder().all("http://proxy").no(list).build();
    any.intercept(server).is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(none: &str) -> Environment {
        Environment {
            https: Some("http://s:1".into()),
            http: Some("p:2".into()),
            none: Some(none.into()),
        }
    }

    fn of(declared: Option<&str>, server: &str, none: &str) -> Option<String> {
        proxy(declared, &server.parse().unwrap(), &environment(none))
    }

    #[test]
    fn the_kubeconfig_comes_before_the_environment() {
        let cases = [
            (Some("socks5h://a:3"), "https://k", "k", Some("socks5://a:3")),
            (Some("http://a:3"), "https://localhost", "", Some("http://a:3")),
            (Some(""), "https://k", "", Some("http://s:1")),
            (None, "https://k", "", Some("http://s:1")),
            (None, "http://k", "", Some("http://p:2")),
            (None, "http://localhost:8001", "", None),
            (None, "https://127.0.0.1:6443", "", None),
            (None, "https://[::1]:6443", "", None),
        ];
        for (declared, server, none, expected) in cases {
            assert_eq!(of(declared, server, none).as_deref(), expected, "{server}");
        }
        let server = Uri::from_static("https://k");
        assert_eq!(proxy(None, &server, &Environment::default()), None);
    }

    #[test]
    fn no_proxy_names_servers_that_are_reached_without_one() {
        let named = [
            ("https://api.example:6443", "other, API.example,"),
            ("https://api.example:6443", "example"),
            ("https://api.example:6443", ".example"),
            ("https://api.example", "*"),
            ("https://10.1.2.3:6443", "10.1.2.3"),
            ("https://10.1.2.3:6443", "10.0.0.0/8"),
            ("https://[fd00::7]:6443", "fd00::/8"),
            ("https://[fd00::7]:6443", "fd00::7"),
        ];
        for (server, none) in named {
            assert_eq!(of(None, server, none), None, "{server} {none}");
        }
        let not_named = [
            ("https://api.example:6443", ""),
            ("https://api.example:6443", "pi.example,b.api.example"),
            ("https://api.example:6443", "10.0.0.0/8"),
            ("https://10.1.2.3:6443", "10.1.2.4,11.0.0.0/8"),
            ("https://[fd00::7]:6443", "10.0.0.0/8,fd00::8"),
        ];
        for (server, none) in not_named {
            assert!(of(None, server, none).is_some(), "{server} {none}");
        }
    }
}
