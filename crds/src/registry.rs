//! The address of a container registry, as it appears in image names.

use std::str::FromStr;

/// `HOST[:PORT]`, as it stands before the first slash of an image. Two that differ in case only are one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registry(String);

/// No address of a registry.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a registry must read HOST[:PORT], without http:// before it and without a path behind it")]
pub struct BadRegistry;

impl Registry {
    /// Whether it has this image, `REGISTRY/REPOSITORY…`.
    #[must_use]
    pub fn has(&self, image: &str) -> bool {
        image
            .split_once('/')
            .is_some_and(|(registry, _)| registry.eq_ignore_ascii_case(&self.0))
    }
}

impl FromStr for Registry {
    type Err = BadRegistry;

    fn from_str(text: &str) -> Result<Self, BadRegistry> {
        let (host, port) = text
            .split_once(':')
            .map_or((text, None), |(host, port)| (host, Some(port)));
        let is_host = !host.is_empty()
            && host
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-'));
        let is_port = port.is_none_or(|port| port.bytes().all(|b| b.is_ascii_digit()) && port.parse::<u16>().is_ok());
        (is_host && is_port)
            .then(|| Self(text.to_ascii_lowercase()))
            .ok_or(BadRegistry)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_is_in_the_registry_before_its_first_slash() {
        let registry: Registry = "Registry.example:5000".parse().unwrap();
        assert!(registry.has("registry.example:5000/a/b@sha256:00"));
        for other in [
            "registry.example/a",
            "registry.example:5001/a",
            "x/registry.example:5000/a",
            "registry.example:5000",
            "",
        ] {
            assert!(!registry.has(other), "{other}");
        }
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for good in ["localhost", "10.0.0.1:5000", "my-registry.ns.svc:80"] {
            assert!(good.parse::<Registry>().is_ok(), "{good}");
        }
        for bad in [
            "", ":5000", "a:", "a:b", "a:65536", "a:+1", "http://a", "a/b", "user@a", "a b",
        ] {
            assert_eq!(bad.parse::<Registry>(), Err(BadRegistry), "{bad}");
        }
    }
}
