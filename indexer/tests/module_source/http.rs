//! `module.http`.

use std::{
    convert::Infallible,
    fs,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use axum::{
    Router,
    body::Body,
    extract::Path,
    http::StatusCode,
    response::{IntoResponse, Redirect},
    routing::get,
};
use bytes::Bytes;
use crds::pod::{Module, module_reasons};
use futures::{StreamExt as _, stream};

use crate::{BYTES, PATIENCE, Server, Volume, free_address, sha256};

fn at(server: &Server, path: &str) -> Module {
    Module::Http { url: server.url(path) }
}

#[tokio::test]
async fn a_module_is_fetched_once_and_kept() {
    let server = Server::new(Router::new().route("/m.wasm", get(async || BYTES))).await;
    let (volume, module) = (Volume::new(), at(&server, "/m.wasm"));
    assert_eq!(volume.load(module.clone()).await.unwrap(), BYTES);
    assert_eq!(volume.load(module.clone()).await.unwrap(), BYTES);
    assert_eq!(server.asked(), 1);

    // What is on the volume is checked each time, and replaced if it is broken.
    let kept = volume.0.path().join("modules").join(format!("{}.wasm", sha256(BYTES)));
    fs::write(&kept, b"a module, some sa").unwrap();
    assert_eq!(volume.load(module.clone()).await.unwrap(), BYTES);
    assert_eq!((server.asked(), fs::read(&kept).unwrap()), (2, BYTES.to_vec()));
    assert_eq!(fs::read_dir(kept.parent().unwrap()).unwrap().count(), 1, "no rests");

    // Nobody is needed any more.
    drop(server);
    assert_eq!(volume.load(module).await.unwrap(), BYTES);
}

#[tokio::test]
async fn redirects_are_followed_five_times() {
    let next = async |Path(left): Path<u32>| match left {
        0 => BYTES.into_response(),
        left => Redirect::temporary(&format!("/{}", left - 1)).into_response(),
    };
    let router = Router::new()
        .route("/{left}", get(next))
        .route("/loop", get(async || Redirect::temporary("/loop")));
    let server = Server::new(router).await;
    assert_eq!(Volume::new().load(at(&server, "/5")).await.unwrap(), BYTES);
    for path in ["/6", "/loop"] {
        let (reason, text) = Volume::new().load(at(&server, path)).await.unwrap_err();
        assert_eq!(reason, module_reasons::FETCH_FAILED);
        assert!(text.contains("more than 5 redirects"), "{text}");
    }
}

#[tokio::test]
async fn what_is_too_long_or_too_slow_is_given_up() {
    let chunk = |_| Ok::<_, Infallible>(Bytes::from_static(&[0; 64 << 10]));
    let router = Router::new()
        .route("/announced", get(async || vec![0; (1 << 20) + 1]))
        .route(
            "/endless",
            get(async move || Body::from_stream(stream::repeat(()).map(chunk))),
        )
        .route("/silent", get(async || std::future::pending::<()>().await))
        .route(
            "/stalls",
            get(async || Body::from_stream(stream::iter([Ok::<_, Infallible>("a mod")]).chain(stream::pending()))),
        )
        .route(
            "/drips",
            get(async || {
                Body::from_stream(stream::repeat(()).then(async |()| {
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    Ok::<_, Infallible>("a")
                }))
            }),
        );
    let server = Server::new(router).await;
    let (short, long) = (Duration::from_millis(500), PATIENCE * 2);
    for (path, limits, words) in [
        ("/announced", (long, long), "more than 1048576 bytes"),
        ("/endless", (long, long), "more than 1048576 bytes"),
        ("/silent", (short, long), "cannot be fetched"),
        ("/stalls", (short, long), "cannot be fetched"),
        ("/drips", (long, short), "cannot be fetched"),
    ] {
        let loaded = Volume::new().load_within(at(&server, path), limits).await;
        let (reason, text) = loaded.unwrap_err();
        assert_eq!(reason, module_reasons::FETCH_FAILED, "{path}");
        assert!(text.contains(words) && text.contains(path), "{text}");
    }
}

#[tokio::test]
async fn other_bytes_are_refused_and_not_kept() {
    let server = Server::new(Router::new().route("/m.wasm", get(async || "another"))).await;
    let volume = Volume::new();
    for asked in [1, 2] {
        let (reason, text) = volume.load(at(&server, "/m.wasm")).await.unwrap_err();
        assert_eq!(reason, module_reasons::DIGEST_MISMATCH);
        assert!(
            text.contains(&sha256(BYTES)) && text.contains(&sha256(b"another")),
            "{text}"
        );
        assert_eq!(server.asked(), asked);
    }
}

#[tokio::test]
async fn what_is_not_there_yet_is_fetched_when_it_is() {
    static IS_THERE: AtomicBool = AtomicBool::new(false);
    let answer = async || {
        if IS_THERE.load(Ordering::Relaxed) {
            BYTES.into_response()
        } else {
            StatusCode::NOT_FOUND.into_response()
        }
    };
    let server = Server::new(Router::new().route("/m.wasm", get(answer))).await;
    let (volume, module) = (Volume::new(), at(&server, "/m.wasm?key=secret"));
    let (reason, text) = volume.load(module.clone()).await.unwrap_err();
    assert_eq!(reason, module_reasons::FETCH_FAILED);
    assert!(text.contains("/m.wasm answers with HTTP 404"), "{text}");
    assert!(!text.contains("secret"), "{text}");
    IS_THERE.store(true, Ordering::Relaxed);
    assert_eq!(volume.load(module).await.unwrap(), BYTES);

    let url = format!("http://{}/m.wasm?key=secret", free_address());
    let (reason, text) = Volume::new().load(Module::Http { url }).await.unwrap_err();
    assert_eq!(reason, module_reasons::FETCH_FAILED);
    assert!(text.contains("onnection refused") && !text.contains("secret"), "{text}");
    let login = Module::Http {
        url: "http://user:secret@127.0.0.1/m".into(),
    };
    let (_, text) = Volume::new().load(login).await.unwrap_err();
    assert!(!text.contains("secret"), "{text}");
}
