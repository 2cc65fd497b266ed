//! Snapshots on a web server, which has no list and takes nothing.

use std::{fs, path::PathBuf};

use axum::{
    Router,
    extract::{Path, State},
    http::StatusCode,
    routing::get,
};
use indexer::snapshot::{
    Error, Pace,
    manifest::Wanted,
    place::{Access, Place},
    restore::Check,
    verify,
};
use tempfile::tempdir;
use tokio::net::TcpListener;

use crate::{Index, fixture::dump, folder, name, restore, restorer};

/// Serves the files of a folder, without ranges and without entity tags, as the simplest servers do.
async fn served(folder: PathBuf) -> String {
    let file = async |State(folder): State<PathBuf>, Path(path): Path<String>| {
        fs::read(folder.join(path)).map_err(|_| StatusCode::NOT_FOUND)
    };
    let router = Router::new().route("/{*path}", get(file)).with_state(folder);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    url
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_is_restored_from_a_web_server() {
    let remote = tempdir().unwrap();
    let mut index = Index::new(8, 300);
    index.publish(&folder(remote.path()), None).await.unwrap();
    let url = served(remote.path().into()).await;
    let access = Access {
        allow_http: true,
        ..Access::default()
    };
    let (place, named) = Place::of_snapshot(&format!("{url}/prefix/7"), &access).unwrap();
    assert_eq!(named, name("7"));
    verify::files(&place, &named, &Wanted::default(), None, &mut Pace::new(None), |_| ())
        .await
        .unwrap();
    let copy = tempdir().unwrap();
    restore(&restorer(&place, &named, copy.path(), Check::Digests))
        .await
        .unwrap();
    assert!(
        dump(&copy.path().join("store")) == dump(&index.store_dir()),
        "another index"
    );

    let error = place.names().await.unwrap_err();
    assert!(matches!(error, Error::Unsupported { .. }), "{error}");
    index.grow(1, 300);
    let error = index.publish(&place, None).await.unwrap_err();
    assert!(matches!(error, Error::Unsupported { .. }), "{error}");
    let copy = tempdir().unwrap();
    let error = restore(&restorer(&place, &name("8"), copy.path(), Check::Files))
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Missing { .. }), "{error}");
}
