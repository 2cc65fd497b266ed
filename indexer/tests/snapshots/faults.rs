//! Servers that are away, refuse, or break off.

use std::{
    num::NonZeroU64,
    time::{Duration, Instant},
};

use indexer::snapshot::{Error, Pace, manifest::Wanted, place::Place, restore::Check, verify};
use tempfile::tempdir;

use crate::{
    Index, access,
    between::{Between, Mode},
    bucket,
    fixture::dump,
    folder, name, restore, restorer,
    s3::{self, Server},
    tmpfs::Tmpfs,
};

/// A request is repeated for half a minute; what fails takes a few of them.
const BOUND: Duration = Duration::from_secs(100);

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_down_is_given_up_in_time_and_the_next_call_continues() {
    let mut server = Server::start();
    let place = bucket(&server.endpoint());
    let index = Index::new(6, 300);
    index.publish(&place, None).await.unwrap();
    server.stop();
    let start = Instant::now();
    let copy = tempdir().unwrap();
    let restorer = restorer(&place, &name("5"), copy.path(), Check::Digests);
    for error in [
        index.publish(&place, None).await.unwrap_err(),
        restore(&restorer).await.unwrap_err(),
    ] {
        assert!(
            matches!(error, Error::Unavailable { .. }) && error.is_for_now(),
            "{error}"
        );
        let text = error.to_string();
        assert!(
            text.contains("s3://snapshots/prefix") && text.contains("refused"),
            "{text}"
        );
    }
    assert!(start.elapsed() < BOUND, "{:?}", start.elapsed());
    assert!(!copy.path().join("store").exists());
    server.start_again();
    assert!(index.publish(&place, None).await.unwrap().was_there);
    restore(&restorer).await.unwrap();
}

#[tokio::test]
async fn wrong_credentials_fail_at_once_with_words_and_without_the_secret() {
    let server = Server::start();
    let secrets = tempdir().unwrap();
    let url = format!("s3://{}/prefix", s3::BUCKET);
    let place = Place::new(&url, &access(&server.endpoint(), secrets.path(), "another-secret")).unwrap();
    let index = Index::new(3, 100);
    let copy = tempdir().unwrap();
    let start = Instant::now();
    let restored = restore(&restorer(&place, &name("2"), copy.path(), Check::Files)).await;
    for error in [
        index.publish(&place, None).await.unwrap_err(),
        restored.unwrap_err(),
        place.names().await.unwrap_err(),
        place.files().await.unwrap_err(),
    ] {
        assert!(matches!(error, Error::Denied { .. }) && !error.is_for_now(), "{error}");
        let text = error.to_string();
        assert!(text.contains("does not accept these credentials"), "{text}");
        assert!(text.contains("403") && text.contains("SignatureDoesNotMatch"), "{text}");
        assert!(
            !text.contains("another-secret") && !text.contains(s3::ACCESS_KEY),
            "{text}"
        );
    }
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
    assert!(!copy.path().join("store").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn too_many_requests_are_repeated_and_given_up_at_a_bound() {
    let server = Server::start();
    let between = Between::new(server.port).await;
    let place = bucket(&between.endpoint);
    let index = Index::new(6, 300);
    between.set(Mode::Throttle(4));
    index.publish(&place, None).await.unwrap();
    assert_eq!(between.done().0, 4);
    let copy = tempdir().unwrap();
    between.set(Mode::Throttle(4));
    restore(&restorer(&place, &name("5"), copy.path(), Check::Digests))
        .await
        .unwrap();
    assert_eq!(between.done().0, 8);
    // Without an end: a bound of requests.
    between.set(Mode::Throttle(u32::MAX));
    let start = Instant::now();
    let error = index.publish(&place, None).await.unwrap_err();
    assert!(
        matches!(error, Error::Unavailable { .. }) && error.is_for_now(),
        "{error}"
    );
    let text = error.to_string();
    assert!(text.contains("HTTP 503") && text.contains("SlowDown"), "{text}");
    assert!(between.done().0 <= 8 + 12, "{} requests", between.done().0);
    assert!(start.elapsed() < BOUND, "{:?}", start.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_download_that_is_interrupted_ten_times_resumes() {
    let server = Server::start();
    let between = Between::new(server.port).await;
    let place = bucket(&between.endpoint);
    let mut index = Index::new(30, 40_000);
    index.grow(30, 40_000);
    let published = index.publish(&place, None).await.unwrap();
    let before = between.answered_bytes();
    between.set(Mode::CutAfter(3 << 20));
    let copy = tempdir().unwrap();
    restore(&restorer(&place, &name("59"), copy.path(), Check::Digests))
        .await
        .unwrap();
    let (_, cut) = between.done();
    assert!(cut >= 10, "it was cut {cut} times only");
    // It continued where it was cut: what had come did not come again.
    let answered = between.answered_bytes() - before;
    assert!(
        answered < published.bytes * 5 / 4,
        "{answered} bytes for {}",
        published.bytes
    );
    assert!(
        dump(&copy.path().join("store")) == dump(&index.store_dir()),
        "another index"
    );
}

#[tokio::test]
async fn no_more_bytes_pass_than_are_allowed() {
    let dir = tempdir().unwrap();
    let place = folder(dir.path());
    let index = Index::new(20, 10_000);
    let published = index.publish(&place, None).await.unwrap();
    let start = Instant::now();
    let mut pace = Pace::new(NonZeroU64::new(published.bytes / 2));
    verify::files(&place, &name("19"), &Wanted::default(), None, &mut pace, |_| ())
        .await
        .unwrap();
    // Two seconds, but for the last piece, which nothing waits for.
    assert!(start.elapsed() > Duration::from_millis(1_000), "{:?}", start.elapsed());
}

#[tokio::test]
async fn a_full_disk_on_either_side_is_said_and_the_next_call_continues() {
    let index = Index::new(8, 20_000);
    let remote = Tmpfs::of_kib(1_024);
    let place = folder(remote.path());
    let error = index.publish(&place, None).await.unwrap_err();
    assert!(
        error.is_for_now() && error.to_string().contains("No space left"),
        "{error}"
    );
    assert!(place.names().await.unwrap().is_empty());
    remote.resize_kib(64 << 10);
    let published = index.publish(&place, None).await.unwrap();

    let local = Tmpfs::of_kib(1_024);
    let restorer = restorer(&place, &name("7"), local.path(), Check::Digests);
    let error = restore(&restorer).await.unwrap_err();
    assert!(
        matches!(error, Error::NoRoom { needed, .. } if needed == published.bytes),
        "{error}"
    );
    assert!(error.is_for_now() && !local.path().join("store").exists());
    local.resize_kib(256 << 10);
    restore(&restorer).await.unwrap();
    assert!(
        dump(&local.path().join("store")) == dump(&index.store_dir()),
        "another index"
    );
}
