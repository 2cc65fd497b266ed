//! `module.oci`.

use std::{fs, path::PathBuf};

use axum::{
    Router,
    extract::State,
    http::{HeaderMap, StatusCode, Uri, header},
    response::{IntoResponse, Redirect, Response},
    routing::get,
};
use crds::pod::{Module, module_reasons};
use serde_json::{Value, json};

use crate::{BYTES, Server, Volume, sha256};

const WASM: &str = "application/vnd.wasm.content.layer.v1+wasm";
/// Of `user:pass`.
const BASIC: &str = "Basic dXNlcjpwYXNz";

/// How a registry lets one in.
#[derive(Clone, Copy, PartialEq)]
enum Login {
    None,
    Basic,
    Token,
    /// Asks for a token, and gives one to everybody.
    AnonymousToken,
}

#[derive(Clone)]
struct Contents {
    login: Login,
    manifest: Vec<u8>,
    blob: Vec<u8>,
    /// Where blobs are, if not here.
    elsewhere: Option<String>,
    /// Where tokens are, if not here.
    realm: Option<String>,
}

/// A registry with one artifact.
struct Registry {
    server: Server,
    manifest_digest: String,
}

fn layer(kind: &str, bytes: &[u8]) -> Value {
    json!({"mediaType": kind, "digest": format!("sha256:{}", sha256(bytes)), "size": bytes.len()})
}

fn manifest(layers: &[Value]) -> Vec<u8> {
    let text = json!({
        "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": {"mediaType": "application/vnd.wasm.config.v0+json", "digest": "sha256:00", "size": 2},
        "layers": layers,
    });
    text.to_string().into_bytes()
}

impl Contents {
    fn new(login: Login) -> Self {
        Self {
            login,
            manifest: manifest(&[layer("text/plain", b"x"), layer(WASM, BYTES)]),
            blob: BYTES.into(),
            elsewhere: None,
            realm: None,
        }
    }

    async fn serve(self) -> Registry {
        let manifest_digest = sha256(&self.manifest);
        let router = Router::new()
            .route("/v2/a/b/manifests/{digest}", get(serve_manifest))
            .route("/v2/a/b/blobs/{digest}", get(serve_blob))
            .route("/token", get(serve_token))
            .with_state(self);
        Registry {
            server: Server::new(router).await,
            manifest_digest,
        }
    }
}

async fn serve_manifest(State(contents): State<Contents>, uri: Uri, headers: HeaderMap) -> Response {
    let accept = headers[header::ACCEPT].to_str().unwrap();
    assert!(
        accept.contains("application/vnd.oci.image.manifest.v1+json"),
        "{accept}"
    );
    assert!(uri.path().contains("/sha256:"));
    refusal(&contents, &headers).unwrap_or_else(|| contents.manifest.into_response())
}

async fn serve_blob(State(contents): State<Contents>, uri: Uri, headers: HeaderMap) -> Response {
    if let Some(refused) = refusal(&contents, &headers) {
        return refused;
    }
    assert!(uri.path().ends_with(&sha256(BYTES)), "{uri}");
    match contents.elsewhere {
        Some(url) => Redirect::temporary(&url).into_response(),
        None => contents.blob.into_response(),
    }
}

async fn serve_token(State(contents): State<Contents>, uri: Uri, headers: HeaderMap) -> Response {
    let url = reqwest::Url::parse(&format!("http://registry{uri}")).unwrap();
    let has = |key: &str, value: &str| url.query_pairs().any(|(k, v)| (&*k, &*v) == (key, value));
    assert!(has("service", "test") && has("scope", "repository:a/b:pull"), "{url}");
    if contents.login == Login::Token && header_of(&headers) != Some(BASIC) {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    r#"{"token": "t0ken", "expires_in": 60}"#.into_response()
}

fn header_of(headers: &HeaderMap) -> Option<&str> {
    headers.get(header::AUTHORIZATION)?.to_str().ok()
}

fn refusal(contents: &Contents, headers: &HeaderMap) -> Option<Response> {
    let host = headers[header::HOST].to_str().unwrap();
    let (wanted, challenge) = match contents.login {
        Login::None => return None,
        Login::Basic => (BASIC, "Basic realm=\"test\"".to_owned()),
        Login::Token | Login::AnonymousToken => {
            let realm = contents.realm.clone().unwrap_or(format!("http://{host}/token"));
            (
                "Bearer t0ken",
                format!("Bearer realm=\"{realm}\",service=\"test\",scope=\"repository:a/b:pull\""),
            )
        }
    };
    (header_of(headers) != Some(wanted))
        .then(|| (StatusCode::UNAUTHORIZED, [(header::WWW_AUTHENTICATE, challenge)]).into_response())
}

impl Registry {
    fn host(&self) -> String {
        self.server.at.to_string()
    }

    fn image(&self) -> String {
        format!("{}/a/b@sha256:{}", self.host(), self.manifest_digest)
    }

    async fn pull(&self, volume: &Volume, pull_secret: Option<PathBuf>) -> Result<Vec<u8>, (&'static str, String)> {
        let module = Module::Oci {
            image: self.image(),
            pull_secret,
            plain_http: true,
        };
        volume.load(module).await
    }

    /// A pull secret for it, on the volume.
    fn secret(&self, volume: &Volume, user: &str) -> Option<PathBuf> {
        let path = volume.0.path().join("config.json");
        let auths = json!({ self.host(): { "username": user, "password": "pass" } });
        fs::write(&path, json!({ "auths": auths }).to_string()).unwrap();
        Some(path)
    }
}

#[tokio::test]
async fn a_module_is_pulled_however_the_registry_lets_one_in() {
    for (login, needs_secret, questions) in [
        (Login::None, false, 2),
        (Login::Basic, true, 3),
        (Login::Token, true, 4),
        (Login::AnonymousToken, false, 4),
    ] {
        let registry = Contents::new(login).serve().await;
        let volume = Volume::new();
        let secret = needs_secret.then(|| registry.secret(&volume, "user")).flatten();
        assert_eq!(registry.pull(&volume, secret).await.unwrap(), BYTES);
        assert_eq!(registry.server.asked(), questions);
        // Kept: the registry is not queried again.
        assert_eq!(registry.pull(&volume, None).await.unwrap(), BYTES);
        assert_eq!(registry.server.asked(), questions);
    }
}

#[tokio::test]
async fn a_registry_that_refuses_is_named_until_the_secret_is_there() {
    for login in [Login::Basic, Login::Token] {
        let registry = Contents::new(login).serve().await;
        let volume = Volume::new();
        let not_there = Some(volume.0.path().join("config.json"));
        for secret in [None, not_there, registry.secret(&volume, "stranger")] {
            let (reason, text) = registry.pull(&volume, secret).await.unwrap_err();
            assert_eq!(reason, module_reasons::FETCH_FAILED);
            assert!(
                text.contains(&format!("registry {} refuses access (HTTP 401)", registry.host())),
                "{text}"
            );
            assert!(!text.contains("pass") && !text.contains("stranger"), "{text}");
        }
        let secret = registry.secret(&volume, "user");
        assert_eq!(registry.pull(&volume, secret).await.unwrap(), BYTES);
    }
}

#[tokio::test]
async fn a_login_is_not_carried_along_to_where_blobs_are() {
    let seen = async |headers: HeaderMap| match header_of(&headers) {
        None => BYTES.into_response(),
        Some(_) => StatusCode::BAD_REQUEST.into_response(),
    };
    let elsewhere = Server::new(Router::new().route("/blob", get(seen))).await;
    let contents = Contents {
        elsewhere: Some(elsewhere.url("/blob")),
        ..Contents::new(Login::Token)
    };
    let registry = contents.serve().await;
    let volume = Volume::new();
    let secret = registry.secret(&volume, "user");
    assert_eq!(registry.pull(&volume, secret).await.unwrap(), BYTES);
    assert_eq!(elsewhere.asked(), 1);
}

#[tokio::test]
async fn a_manifest_or_layer_that_is_not_the_declared_one_is_refused() {
    let none = Contents::new(Login::None);
    let with = |manifest: Vec<u8>| Contents {
        manifest,
        ..none.clone()
    };
    let index = json!({"schemaVersion": 2, "manifests": []}).to_string().into_bytes();
    let other_blob = Contents {
        blob: b"another".to_vec(),
        ..none.clone()
    };
    let cases = [
        (with(index), module_reasons::FETCH_FAILED, "no manifest of an artifact"),
        (
            with(b"<html>".to_vec()),
            module_reasons::FETCH_FAILED,
            "no manifest of an artifact",
        ),
        (with(manifest(&[])), module_reasons::FETCH_FAILED, "has 0 layers"),
        (
            with(manifest(&[layer("text/plain", BYTES)])),
            module_reasons::FETCH_FAILED,
            "has 0 layers",
        ),
        (
            with(manifest(&[layer(WASM, BYTES), layer(WASM, BYTES)])),
            module_reasons::FETCH_FAILED,
            "has 2 layers",
        ),
        (
            with(manifest(&[layer(WASM, b"another")])),
            module_reasons::DIGEST_MISMATCH,
            "is declared",
        ),
        (other_blob, module_reasons::DIGEST_MISMATCH, "is declared"),
    ];
    for (contents, expected, words) in cases {
        let registry = contents.serve().await;
        let (reason, text) = registry.pull(&Volume::new(), None).await.unwrap_err();
        assert_eq!(reason, expected, "{words}: {text}");
        assert!(text.contains(words), "{text}");
    }

    let mut registry = none.serve().await;
    registry.manifest_digest = sha256(b"another manifest");
    let (reason, text) = registry.pull(&Volume::new(), None).await.unwrap_err();
    assert_eq!(reason, module_reasons::FETCH_FAILED);
    assert!(text.contains("has another digest"), "{text}");
}

#[tokio::test]
async fn the_other_kinds_of_layers_are_known_too() {
    for kind in ["application/wasm", "application/vnd.module.wasm.content.layer.v1+wasm"] {
        let contents = Contents {
            manifest: manifest(&[layer(kind, BYTES)]),
            ..Contents::new(Login::None)
        };
        let registry = contents.serve().await;
        assert_eq!(registry.pull(&Volume::new(), None).await.unwrap(), BYTES);
    }
}

#[tokio::test]
async fn a_registry_without_tls_is_not_spoken_to_unless_that_is_asked_for() {
    let registry = Contents::new(Login::None).serve().await;
    let module = Module::Oci {
        image: registry.image(),
        pull_secret: None,
        plain_http: false,
    };
    let (reason, text) = Volume::new().load(module).await.unwrap_err();
    assert_eq!(reason, module_reasons::FETCH_FAILED);
    assert!(text.contains("https://127.0.0.1"), "{text}");
    assert_eq!(registry.server.asked(), 0);
}

#[tokio::test]
async fn credentials_go_without_tls_to_the_registry_named_so_and_to_nobody_else() {
    let elsewhere = Server::new(Router::new().route("/token", get(async || r#"{"token": "t0ken"}"#))).await;
    let contents = Contents {
        realm: Some(elsewhere.url("/token")),
        ..Contents::new(Login::Token)
    };
    let registry = contents.serve().await;
    let volume = Volume::new();
    let secret = registry.secret(&volume, "user");
    let (reason, text) = registry.pull(&volume, secret).await.unwrap_err();
    assert_eq!(reason, module_reasons::FETCH_FAILED);
    assert!(
        text.contains("requires a token in a way that is not supported"),
        "{text}"
    );
    assert_eq!(elsewhere.asked(), 0);
}
