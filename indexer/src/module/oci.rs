//! A module from a container registry: the manifest by its digest, then its one layer.

use std::{
    io,
    path::{Path, PathBuf},
};

use reqwest::{
    StatusCode, Url,
    header::{ACCEPT, AUTHORIZATION, HeaderMap, HeaderValue, WWW_AUTHENTICATE},
};
use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use super::{
    credentials::Credentials,
    fetch::{self, Answer, Fetcher},
};

/// What registries accept for a manifest (OCI distribution specification).
const MANIFEST_BYTES_MAX: usize = 4 << 20;
/// A token has some hundred bytes, a few thousand at most.
const TOKEN_BYTES_MAX: usize = 64 << 10;
const MANIFEST_TYPES: &str =
    "application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json";
/// By the CNCF's artifact format, by its name, and by wasm-to-oci.
const LAYER_TYPES: [&str; 3] = [
    "application/vnd.wasm.content.layer.v1+wasm",
    "application/wasm",
    "application/vnd.module.wasm.content.layer.v1+wasm",
];

/// A manifest in a registry.
pub(super) struct Image {
    registry: String,
    repository: String,
    digest: String,
    base: Url,
}

/// Why a module cannot be pulled.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)] // Each field is explained by the text it appears in.
pub enum Error {
    /// A request was not answered.
    #[error(transparent)]
    Fetch(#[from] fetch::Error),
    /// 401 or 403.
    #[error(
        "registry {registry} refuses access (HTTP {status}): check that the pull secret exists, has an entry for this \
         registry, and may read the repository"
    )]
    Unauthorized { registry: String, status: u16 },
    /// The registry wants credentials sent to where they cannot be sent.
    #[error("registry {registry} requires a token in a way that is not supported: {why}")]
    Challenge { registry: String, why: &'static str },
    /// The credentials cannot be read.
    #[error("pull secret {} cannot be read", .path.display())]
    Secret { path: PathBuf, source: io::Error },
    /// The manifest is another one.
    #[error("the manifest of {image} has another digest: use another registry")]
    ManifestDigest { image: String },
    /// The manifest is none of an artifact.
    #[error("{image} is no manifest of an artifact: give the digest of one, not of an index of several")]
    Manifest { image: String },
    /// It has no layer that could be meant, or several.
    #[error(
        "{image} has {count} layers with a module, not one: push the module as the only layer, of type application/wasm"
    )]
    Layers { image: String, count: usize },
    /// It has another module.
    #[error(
        "{image} has a module with sha256 {found}, but {wanted} is declared: use the image and the digest that belong \
         together"
    )]
    LayerDigest {
        image: String,
        found: String,
        wanted: String,
    },
}

#[derive(Deserialize)]
struct Manifest {
    layers: Vec<Layer>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Layer {
    media_type: String,
    digest: String,
}

#[derive(Deserialize)]
struct Token {
    #[serde(alias = "access_token")]
    token: String,
}

impl Image {
    /// `REGISTRY/REPOSITORY[:TAG]@sha256:DIGEST`; the tag says nothing beside the digest.
    pub(super) fn parse(text: &str, plain_http: bool) -> Option<Self> {
        let (name, digest) = text.split_once("@sha256:")?;
        let (registry, repository) = name.split_once('/')?;
        let repository = repository.split_once(':').map_or(repository, |(path, _)| path);
        let is_hex = digest.len() == 64 && digest.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        let is_path = repository
            .split('/')
            .all(|part| !part.is_empty() && part != ".." && part.bytes().all(is_path_byte));
        if !is_hex || !is_path {
            return None;
        }
        let scheme = if plain_http { "http" } else { "https" };
        let host = if registry == "docker.io" {
            "registry-1.docker.io"
        } else {
            registry
        };
        let base = fetch::parse(&format!("{scheme}://{host}/v2/{repository}/"))?;
        Some(Self {
            registry: registry.into(),
            repository: repository.into(),
            digest: digest.into(),
            base,
        })
    }

    /// For people.
    pub(super) fn name(&self) -> String {
        format!("{}/{}@sha256:{}", self.registry, self.repository, self.digest)
    }
}

fn is_path_byte(byte: u8) -> bool {
    matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b'-')
}

/// The module of an image, whose digest is declared. The caller checks the bytes.
pub(super) async fn pull(
    fetcher: &Fetcher,
    image: &Image,
    pull_secret: Option<&Path>,
    sha256: &str,
) -> Result<Vec<u8>, Error> {
    // Read at each pull: a Secret that was mended counts at once.
    let credentials = pull_secret.map(|path| {
        Credentials::read(path, &image.registry).map_err(|source| Error::Secret {
            path: path.into(),
            source,
        })
    });
    let mut registry = Registry {
        fetcher,
        image,
        credentials: credentials.transpose()?.flatten(),
        authorization: None,
    };
    let manifest = registry
        .get(&format!("manifests/sha256:{}", image.digest), MANIFEST_BYTES_MAX)
        .await?;
    if hex::encode(Sha256::digest(&manifest)) != image.digest {
        return Err(Error::ManifestDigest { image: image.name() });
    }
    let layer = layer(&manifest, image)?;
    if layer.strip_prefix("sha256:") != Some(sha256) {
        return Err(Error::LayerDigest {
            image: image.name(),
            found: layer,
            wanted: sha256.into(),
        });
    }
    registry.get(&format!("blobs/{layer}"), fetcher.bytes_max).await
}

/// Digest of the one layer with a module.
fn layer(manifest: &[u8], image: &Image) -> Result<String, Error> {
    let manifest: Manifest = serde_json::from_slice(manifest).map_err(|_| Error::Manifest { image: image.name() })?;
    let is_module = |layer: &&Layer| LAYER_TYPES.contains(&layer.media_type.as_str());
    let found: Vec<&Layer> = manifest.layers.iter().filter(is_module).collect();
    match found[..] {
        [layer] => Ok(layer.digest.clone()),
        _ => Err(Error::Layers {
            image: image.name(),
            count: found.len(),
        }),
    }
}

/// One repository, and what it takes to be let in.
struct Registry<'a> {
    fetcher: &'a Fetcher,
    image: &'a Image,
    credentials: Option<Credentials>,
    /// What the registry last required.
    authorization: Option<HeaderValue>,
}

impl Registry<'_> {
    /// A path below the repository; once more with a login if that is required.
    async fn get(&mut self, path: &str, bytes_max: usize) -> Result<Vec<u8>, Error> {
        // Paths are made of a repository and a digest, which are plain.
        let mut url = self.image.base.clone();
        url.set_path(&format!("{}{path}", url.path()));
        let mut answer = self.ask(&url, bytes_max).await?;
        if answer.status == StatusCode::UNAUTHORIZED && self.authorize(&answer.headers).await? {
            answer = self.ask(&url, bytes_max).await?;
        }
        match answer.status {
            StatusCode::OK => Ok(answer.body),
            status => Err(self.failed(&url, status)),
        }
    }

    async fn ask(&self, url: &Url, bytes_max: usize) -> Result<Answer, Error> {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static(MANIFEST_TYPES));
        headers.extend(self.authorization.clone().map(|value| (AUTHORIZATION, value)));
        Ok(self.fetcher.get(url, headers, bytes_max).await?)
    }

    /// Gets what a challenge requires; false if there are no credentials for it.
    async fn authorize(&mut self, headers: &HeaderMap) -> Result<bool, Error> {
        let challenges = || {
            headers
                .get_all(WWW_AUTHENTICATE)
                .iter()
                .filter_map(|value| value.to_str().ok())
        };
        let of = |scheme: &str| {
            challenges().find_map(|text| {
                let (found, rest) = text.split_once(' ').unwrap_or((text, ""));
                found.eq_ignore_ascii_case(scheme).then(|| rest.to_owned())
            })
        };
        let basic = self.credentials.as_ref().map(Credentials::basic);
        let value = match of("bearer") {
            Some(challenge) => Some(format!("Bearer {}", self.token(&challenge, basic).await?)),
            None => of("basic").and(basic),
        };
        let Some(value) = value else { return Ok(false) };
        self.authorization = Some(self.secret_header(value)?);
        Ok(true)
    }

    async fn token(&self, challenge: &str, basic: Option<String>) -> Result<String, Error> {
        let realm = parameter(challenge, "realm").and_then(fetch::parse);
        let mut realm = realm.ok_or_else(|| self.unfollowed("it names no realm"))?;
        // Only the registry itself may have been named for plain HTTP.
        if realm.scheme() != "https" && realm.origin() != self.image.base.origin() {
            return Err(self.unfollowed("its realm is neither at https nor at a registry named for plain HTTP"));
        }
        let scope = format!("repository:{}:pull", self.image.repository);
        realm
            .query_pairs_mut()
            .extend_pairs(parameter(challenge, "service").map(|service| ("service", service)))
            .append_pair("scope", parameter(challenge, "scope").unwrap_or(&scope));
        let mut headers = HeaderMap::new();
        if let Some(basic) = basic {
            headers.insert(AUTHORIZATION, self.secret_header(basic)?);
        }
        let answer = self.fetcher.get(&realm, headers, TOKEN_BYTES_MAX).await?;
        if answer.status != StatusCode::OK {
            return Err(self.failed(&realm, answer.status));
        }
        let token: Token =
            serde_json::from_slice(&answer.body).map_err(|_| self.unfollowed("its realm answers with no token"))?;
        Ok(token.token)
    }

    fn secret_header(&self, value: String) -> Result<HeaderValue, Error> {
        let mut value =
            HeaderValue::try_from(value).map_err(|_| self.unfollowed("credentials or token cannot be sent"))?;
        value.set_sensitive(true);
        Ok(value)
    }

    fn failed(&self, url: &Url, status: StatusCode) -> Error {
        let (registry, code) = (self.image.registry.clone(), status.as_u16());
        match status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Error::Unauthorized { registry, status: code },
            _ => Error::Fetch(fetch::Error::Status {
                url: fetch::shown(url),
                status: code,
            }),
        }
    }

    fn unfollowed(&self, why: &'static str) -> Error {
        Error::Challenge {
            registry: self.image.registry.clone(),
            why,
        }
    }
}

/// A quoted parameter of a challenge: `realm="https://…",service="…"`.
fn parameter<'a>(challenge: &'a str, name: &str) -> Option<&'a str> {
    let mut rest = challenge;
    while let Some((found, after)) = rest.split_once("=\"") {
        let (value, next) = after.split_once('"')?;
        if found.trim_matches([',', ' ']).eq_ignore_ascii_case(name) {
            return Some(value);
        }
        rest = next;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_are_named_by_registry_repository_and_digest() {
        let digest = "ab".repeat(32);
        let base = |name: &str, plain_http| {
            Image::parse(&format!("{name}@sha256:{digest}"), plain_http).map(|image| image.base.to_string())
        };
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(base("r.example/a/b", false), some("https://r.example/v2/a/b/"));
        assert_eq!(
            base("r.example:5000/a:v1.2", false),
            some("https://r.example:5000/v2/a/")
        );
        assert_eq!(
            base("docker.io/library/a", false),
            some("https://registry-1.docker.io/v2/library/a/")
        );
        assert_eq!(base("127.0.0.1:5000/a", true), some("http://127.0.0.1:5000/v2/a/"));
        for name in [
            "a",
            "r.example/",
            "r.example/../a",
            "r.example/a//b",
            "user:word@r.example/a",
            "r.example/a?b",
        ] {
            assert_eq!(base(name, false), None, "{name}");
        }
        assert!(Image::parse("r.example/a:v1", false).is_none());
        assert!(Image::parse("r.example/a@sha256:AB", false).is_none());
    }

    #[test]
    fn challenges_are_taken_apart() {
        let challenge = r#"realm="https://auth.example/token?x=1",service="r.example", Scope="repository:a:pull,push""#;
        assert_eq!(parameter(challenge, "realm"), Some("https://auth.example/token?x=1"));
        assert_eq!(parameter(challenge, "service"), Some("r.example"));
        assert_eq!(parameter(challenge, "scope"), Some("repository:a:pull,push"));
        for broken in ["", "realm", "realm=\"", "realm=x", "=\"\""] {
            assert_eq!(parameter(broken, "realm"), None, "{broken}");
        }
    }
}
