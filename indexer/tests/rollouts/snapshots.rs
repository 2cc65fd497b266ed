//! Snapshots as a configuration declares them: published by one process, and another one begins with them.

use std::{fs, path::Path};

use crds::{
    LatestSnapshot, SnapshotVerify,
    pod::{Bootstrap, Config, ObjectStorage, Publishing, Status, seed_reasons, snapshot_reasons},
};

use crate::{
    config,
    node::Node,
    process::{Process, start_configured},
    s3::{self, Server},
    stop_unfilled, stopped,
};

/// The server of the test, with keys in the folder `keys`.
fn storage(folder: &Path, server: &Server) -> ObjectStorage {
    ObjectStorage {
        endpoint: Some(server.endpoint()),
        region: None,
        allow_http: true,
        credentials_dir: Some(folder.join("keys")),
    }
}

fn write_keys(folder: &Path) {
    let keys = folder.join("keys");
    fs::create_dir_all(&keys).unwrap();
    for (name, value) in [
        ("AWS_ACCESS_KEY_ID", s3::ACCESS_KEY),
        ("AWS_SECRET_ACCESS_KEY", s3::SECRET_KEY),
    ] {
        fs::write(keys.join(name), value).unwrap();
    }
}

fn publishing(folder: &Path, server: &Server, every_blocks: u32) -> Publishing {
    Publishing {
        url: format!("s3://{}/prefix", s3::BUCKET),
        every_blocks,
        keep: 2,
        bytes_per_second: Some(20 << 20),
        host: None,
        serves_file: None,
        storage: storage(folder, server),
    }
}

fn bootstrap(folder: &Path, server: &Server, snapshot: &LatestSnapshot) -> Bootstrap {
    Bootstrap {
        url: snapshot.url.clone(),
        manifest_sha256: Some(snapshot.manifest_sha256.clone()),
        verify: SnapshotVerify::Digests,
        storage: storage(folder, server),
    }
}

fn reason(status: &Status) -> Option<&str> {
    Some(status.snapshots.as_ref()?.check.reason.as_str())
}

fn latest(status: &Status) -> Option<&LatestSnapshot> {
    status.snapshots.as_ref()?.latest.as_ref()
}

/// Waits until there is a snapshot of this height or a higher one, and nothing is under way.
async fn published(process: &mut Process, height: u32) -> LatestSnapshot {
    let status = process
        .wait(&format!("a snapshot at {height}"), |status| {
            let is_idle = status.snapshots.as_ref().is_some_and(|it| it.underway.is_none());
            is_idle && latest(status).is_some_and(|latest| latest.height >= height)
        })
        .await;
    assert_eq!(reason(&status), Some(snapshot_reasons::PUBLISHED));
    latest(&status).unwrap().clone()
}

/// The value of a metric.
async fn metric(process: &Process, name: &str) -> String {
    let text = process.metrics().await;
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("shrewd_indexer_")?.strip_prefix(name));
    line.unwrap_or_else(|| panic!("no metric {name}")).trim().into()
}

/// The names of the snapshots that there are.
fn names(server: &Server) -> Vec<String> {
    let folders = fs::read_dir(server.bucket().join("prefix")).unwrap();
    let folders = folders.map(|entry| entry.unwrap().path());
    let snapshots = folders.filter(|folder| folder.join("manifest.json").exists());
    snapshots.map(|folder| folder.display().to_string()).collect()
}

fn must_have_no_secret(process: &Process) {
    let log = process.log();
    assert!(!log.contains(s3::SECRET_KEY) && !log.contains(s3::ACCESS_KEY), "{log}");
}

#[tokio::test]
async fn an_index_that_begins_with_a_snapshot_ends_like_one_that_began_at_the_first_block() {
    let temporary = tempfile::tempdir().unwrap();
    let folder = temporary.path();
    let server = Server::start();
    write_keys(folder);
    let mut node = Node::start();
    node.mine(60);

    // Only while clients are sent to it.
    let serves = folder.join("serves");
    fs::write(&serves, "false\n").unwrap();
    let mut first = config(folder, &node, "first", 1);
    first.snapshots = Some(Publishing {
        serves_file: Some(serves.clone()),
        ..publishing(folder, &server, 20)
    });
    let mut process = start_configured(first.clone());
    let status = process.wait_for_tip(node.tip()).await;
    assert_eq!(latest(&status), None);
    let not_serving = |status: &Status| reason(status) == Some(snapshot_reasons::NOT_SERVING);
    process.wait("it does not serve", not_serving).await;
    fs::write(&serves, "true").unwrap();
    let mut last = published(&mut process, 60).await;
    for _ in 0..2 {
        node.mine(20);
        last = published(&mut process, last.height + 20).await;
    }
    assert_eq!(names(&server).len(), 2, "more than are to be kept");
    assert_eq!(metric(&process, "snapshot_last_height").await, last.height.to_string());
    assert_ne!(metric(&process, "snapshot_bytes_uploaded_total").await, "0");
    assert_eq!(metric(&process, "snapshot_failures_total").await, "0");

    // The next process finds it again, and uploads nothing.
    stopped(folder, [(process, "first")]).await;
    let mut process = start_configured(first);
    let found = published(&mut process, last.height).await;
    assert_eq!((&found.url, &found.manifest_sha256), (&last.url, &last.manifest_sha256));
    assert_eq!(metric(&process, "snapshot_bytes_uploaded_total").await, "0");

    node.mine(7);
    let mut second = config(folder, &node, "second", 1);
    second.bootstrap = Some(bootstrap(folder, &server, &last));
    let mut copy = start_configured(second);
    let status = copy.wait_for_tip(node.tip()).await;
    assert_eq!(
        (status.seed.ok, status.seed.reason.as_str()),
        (Some(true), seed_reasons::SEEDED)
    );
    let began = copy.log();
    assert!(began.contains("the store is a snapshot"), "{began}");
    let original = process.wait_for_tip(node.tip()).await;
    assert_eq!(status.digest, original.digest);
    must_have_no_secret(&process);
    must_have_no_secret(&copy);
    assert!(!folder.join("second/restore").exists());
    let dumps = stopped(folder, [(process, "first"), (copy, "second")]).await;
    assert!(dumps[0] == dumps[1], "another index");
}

#[tokio::test]
async fn a_snapshot_of_another_module_is_refused_by_name_and_begins_nothing() {
    let temporary = tempfile::tempdir().unwrap();
    let folder = temporary.path();
    let server = Server::start();
    write_keys(folder);
    let mut node = Node::start();
    node.mine(12);
    let mut first = config(folder, &node, "first", 1);
    first.snapshots = Some(publishing(folder, &server, 10));
    let mut process = start_configured(first);
    let snapshot = published(&mut process, 10).await;

    let mut other = config(folder, &node, "other", 2);
    other.bootstrap = Some(bootstrap(folder, &server, &snapshot));
    let mut refused = start_configured(other);
    let status = refused.wait("a refusal", |status| status.seed.ok == Some(false)).await;
    assert_eq!(status.seed.reason, seed_reasons::SNAPSHOT_REFUSED);
    for words in ["its module is", snapshot.url.as_str()] {
        assert!(status.seed.message.contains(words), "{}", status.seed.message);
    }
    assert_eq!((status.ready, status.height), (false, None));
    stop_unfilled(refused).await;
    assert!(!folder.join("other/store").exists());

    // Credentials that come later are used without a new process.
    fs::rename(folder.join("keys"), folder.join("away")).unwrap();
    let mut second: Config = config(folder, &node, "second", 1);
    second.bootstrap = Some(bootstrap(folder, &server, &snapshot));
    let mut waits = start_configured(second);
    let status = waits.wait("no keys", |status| status.seed.ok == Some(false)).await;
    assert_eq!(status.seed.reason, seed_reasons::SNAPSHOT_UNAVAILABLE);
    assert!(
        status.seed.message.contains("AWS_ACCESS_KEY_ID"),
        "{}",
        status.seed.message
    );
    fs::rename(folder.join("away"), folder.join("keys")).unwrap();
    waits.wait_for_tip(node.tip()).await;
    stopped(folder, [(process, "first"), (waits, "second")]).await;
}

#[tokio::test]
async fn an_index_that_stops_at_a_height_is_published_there_also_after_the_server_was_down() {
    let temporary = tempfile::tempdir().unwrap();
    let folder = temporary.path();
    let mut server = Server::start();
    write_keys(folder);
    server.stop();
    let mut node = Node::start();
    node.mine(40);
    let mut frozen = config(folder, &node, "frozen", 1);
    frozen.stop_height = Some(33);
    frozen.snapshots = Some(publishing(folder, &server, 1_000));
    let mut process = start_configured(frozen);
    let fails = |status: &Status| reason(status) == Some(snapshot_reasons::STORAGE_UNAVAILABLE);
    process.wait("no server", fails).await;
    assert_ne!(metric(&process, "snapshot_failures_total").await, "0");
    server.start_again();
    let snapshot = published(&mut process, 33).await;
    assert_eq!(snapshot.height, 33);
    assert!(snapshot.url.ends_with("/33"), "{}", snapshot.url);
    let status = process.status().await.unwrap();
    assert_eq!(status.digest, Some(snapshot.digest));
    stopped(folder, [(process, "frozen")]).await;
}

fn last_request(status: &Status) -> Option<&str> {
    status.snapshots.as_ref()?.last_request.as_deref()
}

/// Requests a snapshot and waits until the report says that it is done.
async fn requested(process: &mut Process, id: &str) -> LatestSnapshot {
    assert_eq!(process.request("snapshot", id).await.0, 202);
    let is_done = |status: &Status| last_request(status) == Some(id);
    let status = process.wait(&format!("snapshot {id}"), is_done).await;
    latest(&status).unwrap().clone()
}

#[tokio::test]
async fn a_snapshot_that_is_asked_for_is_of_this_height_whatever_the_schedule_says() {
    let temporary = tempfile::tempdir().unwrap();
    let folder = temporary.path();
    let mut server = Server::start();
    write_keys(folder);
    let mut node = Node::start();
    node.mine(12);
    let mut first = config(folder, &node, "first", 1);
    first.snapshots = Some(publishing(folder, &server, 1_000));
    let mut process = start_configured(first);
    let height = process.wait_for_tip(node.tip()).await.height;
    assert_eq!(Some(requested(&mut process, "a").await.height), height);

    // There is one of this block, and the same request is not made twice.
    let uploaded = metric(&process, "snapshot_bytes_uploaded_total").await;
    requested(&mut process, "b").await;
    assert_eq!(metric(&process, "snapshot_bytes_uploaded_total").await, uploaded);
    node.mine(1);
    let height = process.wait_for_tip(node.tip()).await.height;
    assert_eq!(process.request("snapshot", "b").await.0, 202);

    // What fails is tried again until it is done.
    server.stop();
    assert_eq!(process.request("snapshot", "c").await.0, 202);
    let fails = |status: &Status| reason(status) == Some(snapshot_reasons::STORAGE_UNAVAILABLE);
    let status = process.wait("no server", fails).await;
    assert_eq!(last_request(&status), Some("b"));
    assert_eq!(latest(&status).map(|latest| Some(latest.height + 1)), Some(height));
    server.start_again();
    let snapshot = requested(&mut process, "c").await;
    assert_eq!(Some(snapshot.height), height);
    let status = process.status().await.unwrap();
    assert_eq!(status.digest, Some(snapshot.digest));
    assert_eq!(names(&server).len(), 2);

    // One that somebody removed is not there, whatever the process remembers.
    fs::remove_dir_all(server.bucket().join("prefix")).unwrap();
    assert_eq!(Some(requested(&mut process, "d").await.height), height);
    assert_eq!(names(&server).len(), 1);
    stopped(folder, [(process, "first")]).await;
}

#[tokio::test]
async fn a_process_that_publishes_nothing_says_so_when_it_is_asked_for_a_snapshot() {
    let temporary = tempfile::tempdir().unwrap();
    let folder = temporary.path();
    let server = Server::start();
    let node = Node::start();
    let mut second = config(folder, &node, "second", 1);
    second.snapshots = Some(Publishing {
        host: Some("another".into()),
        ..publishing(folder, &server, 10)
    });
    let mut process = start_configured(second);
    process.wait_for_tip(node.tip()).await;
    let (code, text) = process.request("snapshot", "a").await;
    assert_eq!(code, 409);
    assert!(text.contains("publishes no snapshots"), "{text}");
    stopped(folder, [(process, "second")]).await;
}
