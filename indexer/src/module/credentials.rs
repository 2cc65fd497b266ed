//! Credentials of registries, from a file as `docker login` writes it and `dockerconfigjson` secrets hold it.

use std::{collections::HashMap, fs, io, path::Path};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde::Deserialize;

/// Far above what a Secret can hold.
const BYTES_MAX: u64 = 4 << 20;

/// User and password at a registry. It has no debug form, so that no log line can show it.
pub(super) struct Credentials {
    username: String,
    password: String,
}

#[derive(Deserialize)]
struct File {
    #[serde(default)]
    auths: HashMap<String, Entry>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Entry {
    auth: String,
    username: String,
    password: String,
}

impl Credentials {
    /// What the file says of a registry; none if it is not there or does not know it.
    pub(super) fn read(path: &Path, registry: &str) -> io::Result<Option<Self>> {
        let invalid = |what| io::Error::new(io::ErrorKind::InvalidData, what);
        let bytes = match fs::metadata(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            found => found?.len(),
        };
        if bytes > BYTES_MAX {
            return Err(invalid("it is too long"));
        }
        // The parser's words are left out: they can repeat a part of the file.
        let file: File =
            serde_json::from_slice(&fs::read(path)?).map_err(|_| invalid("it is no Docker configuration"))?;
        let entry = file.auths.into_iter().find(|(key, _)| host(key) == canonical(registry));
        entry
            .map(|(_, entry)| {
                entry
                    .credentials()
                    .ok_or_else(|| invalid("its `auth` is no base64 of USER:PASSWORD"))
            })
            .transpose()
    }

    /// Value of the header `Authorization`.
    pub(super) fn basic(&self) -> String {
        let text = format!("{}:{}", self.username, self.password);
        format!("Basic {}", BASE64_STANDARD.encode(text))
    }
}

impl Entry {
    fn credentials(self) -> Option<Credentials> {
        if self.auth.is_empty() {
            return Some(Credentials {
                username: self.username,
                password: self.password,
            });
        }
        let text = String::from_utf8(BASE64_STANDARD.decode(self.auth.trim()).ok()?).ok()?;
        let (username, password) = text.split_once(':')?;
        Some(Credentials {
            username: username.into(),
            password: password.into(),
        })
    }
}

/// The registry of a key, which may be a URL.
fn host(key: &str) -> &str {
    let key = key.split_once("://").map_or(key, |(_, rest)| rest);
    canonical(key.split('/').next().unwrap_or(key))
}

/// Docker's own registry has several names.
fn canonical(registry: &str) -> &str {
    match registry {
        "index.docker.io" | "registry-1.docker.io" => "docker.io",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, registry: &str) -> io::Result<Option<String>> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.json");
        fs::write(&path, text).unwrap();
        Ok(Credentials::read(&path, registry)?.map(|found| found.basic()))
    }

    #[test]
    fn credentials_are_found_by_the_registrys_name() {
        // printf 'user:pass' | base64
        let text = r#"{"auths": {
            "registry.example:5000": {"auth": "dXNlcjpwYXNz"},
            "other.example": {"username": "user", "password": "pass"},
            "https://index.docker.io/v1/": {"auth": "dXNlcjpwYXNz"}
        }, "credHelpers": {}}"#;
        for registry in ["registry.example:5000", "other.example", "docker.io"] {
            let found = read(text, registry).unwrap();
            assert_eq!(found.as_deref(), Some("Basic dXNlcjpwYXNz"), "{registry}");
        }
        assert_eq!(read(text, "registry.example").unwrap(), None);
        assert_eq!(read("{}", "registry.example").unwrap(), None);
        assert!(Credentials::read(Path::new("/nowhere"), "a").unwrap().is_none());
    }

    #[test]
    fn a_file_that_cannot_be_used_is_named_without_its_content() {
        for text in [
            "secret",
            r#"{"auths": ["secret"]}"#,
            r#"{"auths": {"a": {"auth": "secret"}}}"#,
            r#"{"auths": {"a": {"auth": "c2VjcmV0"}}}"#,
        ] {
            let error = read(text, "a").err().unwrap().to_string();
            assert!(!error.contains("secret") && error.starts_with("it"), "{error}");
        }
    }
}
