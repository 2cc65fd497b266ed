//! `shrewd-indexer snapshot`, as people type it.

use std::{
    path::Path,
    process::{Command, Output},
};

use tempfile::tempdir;

use crate::{
    Index,
    fixture::dump,
    s3::{self, Server},
};

/// Runs it with the keys of a server in its environment.
fn snapshot(server: &Server, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_shrewd-indexer"));
    command.arg("snapshot").args(arguments);
    if arguments.iter().any(|argument| argument.starts_with("s3://")) {
        command.arg("--allow-http").env("AWS_ENDPOINT_URL", server.endpoint());
    }
    command
        .env("AWS_ACCESS_KEY_ID", s3::ACCESS_KEY)
        .env("AWS_SECRET_ACCESS_KEY", s3::SECRET_KEY)
        .output()
        .unwrap()
}

#[track_caller]
fn said(output: &Output) -> String {
    let (out, err) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert!(output.status.success(), "{out}{err}");
    out.into_owned()
}

#[track_caller]
fn refused(output: &Output) -> String {
    assert_eq!(
        output.status.code(),
        Some(1),
        "{}",
        String::from_utf8_lossy(&output.stdout)
    );
    let err = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!err.contains(s3::SECRET_KEY) && !err.contains("panicked"), "{err}");
    err
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// The value of a line.
fn value<'a>(said: &'a str, name: &str) -> &'a str {
    let line = said.lines().find_map(|line| line.strip_prefix(name));
    line.unwrap_or_else(|| panic!("no {name} in {said}")).trim()
}

#[test]
fn an_index_is_published_listed_verified_and_restored() {
    let server = Server::start();
    let index = Index::new(8, 300);
    let prefix = format!("s3://{}/a/prefix", s3::BUCKET);
    let db_path = text(index.data_dir());
    assert_eq!(said(&snapshot(&server, &["list", &prefix])), "no snapshots\n");
    let created = said(&snapshot(
        &server,
        &["create", "--db-path", db_path, "--keep", "3", &prefix],
    ));
    let url = value(&created, "snapshot");
    assert_eq!(url, format!("{prefix}/7"));
    let pin = value(&created, "manifest");
    let tip = index.chain.tip().unwrap();
    assert_eq!(value(&created, "digest"), tip.digest.to_string());
    let again = said(&snapshot(&server, &["create", "--db-path", db_path, &prefix]));
    assert!(again.contains("nothing: this snapshot was there"), "{again}");

    let listed = said(&snapshot(&server, &["list", &prefix]));
    assert_eq!(listed.lines().count(), 1, "{listed}");
    assert!(
        listed.starts_with(url) && listed.contains(pin) && listed.contains("regtest"),
        "{listed}"
    );

    let verified = said(&snapshot(&server, &["verify", url]));
    assert!(value(&verified, "verified").starts_with("every file: "), "{verified}");
    let scratch = tempdir().unwrap();
    let verified = said(&snapshot(
        &server,
        &["verify", url, "--digests", "--scratch", text(scratch.path())],
    ));
    assert!(
        value(&verified, "verified").starts_with("every file and every digest"),
        "{verified}"
    );

    let copy = tempdir().unwrap();
    let restore = [
        "restore",
        url,
        "--db-path",
        text(copy.path()),
        "--manifest-sha256",
        pin,
        "--verify",
        "digests",
    ];
    let restored = said(&snapshot(&server, &[&restore[..], &["--network", "regtest"]].concat()));
    assert_eq!(value(&restored, "digest"), tip.digest.to_string());
    assert!(
        dump(&copy.path().join("store")) == dump(&index.store_dir()),
        "another index"
    );
    let error = refused(&snapshot(&server, &restore));
    assert!(error.contains("there is an index with blocks up to 7"), "{error}");

    // Not an address, not a snapshot, not this one.
    let empty = tempdir().unwrap();
    let to = ["--db-path", text(empty.path())];
    for (arguments, words) in [
        (vec!["restore", &prefix], "must end with the name of a snapshot"),
        (vec!["restore", &format!("{prefix}/8")], "is not there"),
        (
            vec!["restore", url, "--network", "mainnet"],
            "its network is regtest, not mainnet",
        ),
        (vec!["restore", url, "--module-sha256", pin], "its module is abab"),
        (
            vec![
                "restore",
                url,
                "--max-bytes-per-second",
                "1Mi",
                "--manifest-sha256",
                &"0".repeat(64),
            ],
            "is wanted",
        ),
    ] {
        let error = refused(&snapshot(&server, &[&arguments[..], &to].concat()));
        assert!(error.contains(words), "{error}");
    }
}

#[test]
fn an_index_that_runs_or_is_not_there_is_not_published() {
    let server = Server::start();
    let remote = tempdir().unwrap();
    let url = format!("file://{}", remote.path().display());
    let index = Index::new(2, 100);
    let open = index.store();
    let error = refused(&snapshot(
        &server,
        &["create", "--db-path", text(index.data_dir()), &url],
    ));
    assert!(error.contains("in use by another process"), "{error}");
    drop(open);
    let empty = tempdir().unwrap();
    let error = refused(&snapshot(&server, &["create", "--db-path", text(empty.path()), &url]));
    assert!(error.contains("there is no store in"), "{error}");
}
