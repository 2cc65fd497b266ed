//! `spec.bootstrap` and `spec.snapshots`, checked.

use crate::{
    pod::{Bootstrap, ObjectStorage, Publishing},
    problem::Problem,
    quantity::ByteSize,
    spec::{BootstrapSnapshotSpec, SnapshotsSpec},
};

/// As the schema has it: less would let one piece of a file wait for minutes.
const BANDWIDTH_MIN: u64 = 64 << 10;

pub(super) fn bootstrap(spec: &BootstrapSnapshotSpec, problems: &mut Vec<Problem>) -> Bootstrap {
    let storage = storage(spec.endpoint.as_ref(), spec.region.as_ref(), spec.allow_http);
    let name = spec.url.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
    let is_named = place(&spec.url).is_some_and(|_| is_snapshot(name));
    let mut must = |holds, field, message: &str| must(holds, field, message, problems);
    must(
        is_named,
        "bootstrap.snapshot.url",
        "must read s3://BUCKET/PREFIX/HEIGHT or https://HOST/PREFIX/HEIGHT, without credentials",
    );
    must(
        is_let(&spec.url, &storage),
        "bootstrap.snapshot.allowHttp",
        "http:// has no TLS: use https://, or set it",
    );
    let is_digest = |text: &String| text.len() == 64 && is_lower_hex(text);
    must(
        spec.manifest_sha256.as_ref().is_none_or(is_digest),
        "bootstrap.snapshot.manifestSha256",
        "must be 64 lowercase hex digits",
    );
    Bootstrap {
        url: spec.url.clone(),
        manifest_sha256: spec.manifest_sha256.clone(),
        verify: spec.verify,
        storage,
    }
}

pub(super) fn publishing(spec: &SnapshotsSpec, problems: &mut Vec<Problem>) -> Publishing {
    let storage = storage(spec.endpoint.as_ref(), spec.region.as_ref(), spec.allow_http);
    let bandwidth = spec.bandwidth.as_ref().map(ByteSize::bytes).transpose();
    let bytes_per_second = bandwidth.unwrap_or_else(|error| {
        problems.push(Problem {
            field: "snapshots.bandwidth",
            message: error.to_string(),
        });
        None
    });
    let mut must = |holds, field, message: &str| must(holds, field, message, problems);
    let is_writable = place(&spec.url).is_some_and(|scheme| matches!(scheme, "s3" | "file"));
    must(
        is_writable,
        "snapshots.url",
        "must read s3://BUCKET/PREFIX, without credentials: a web server is only read from",
    );
    must(
        is_let(&spec.url, &storage),
        "snapshots.allowHttp",
        "http:// has no TLS: use https://, or set it",
    );
    must(spec.every_blocks > 0, "snapshots.everyBlocks", "must be at least 1");
    must(spec.keep > 0, "snapshots.keep", "must be at least 1");
    must(
        bytes_per_second.is_none_or(|bytes| bytes >= BANDWIDTH_MIN),
        "snapshots.bandwidth",
        "must be at least 64Ki",
    );
    Publishing {
        url: spec.url.clone(),
        every_blocks: spec.every_blocks,
        keep: spec.keep,
        bytes_per_second,
        host: None,
        serves_file: None,
        storage,
    }
}

fn must(holds: bool, field: &'static str, message: &str, problems: &mut Vec<Problem>) {
    if !holds {
        let message = message.into();
        problems.push(Problem { field, message });
    }
}

fn storage(endpoint: Option<&String>, region: Option<&String>, allow_http: bool) -> ObjectStorage {
    ObjectStorage {
        endpoint: endpoint.cloned(),
        region: region.cloned(),
        allow_http,
        credentials_dir: None,
    }
}

/// The scheme of a URL of a place for snapshots; none if it is none.
fn place(url: &str) -> Option<&str> {
    let (scheme, rest) = url.split_once("://")?;
    let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let is_host_right = match scheme {
        "file" => host.is_empty() && !path.is_empty(),
        "s3" | "http" | "https" => !host.is_empty() && !host.contains('@'),
        _ => false,
    };
    (is_host_right && !rest.contains(['?', '#', ' '])).then_some(scheme)
}

/// Whether no server is contacted without TLS, unless that is wanted.
fn is_let(url: &str, storage: &ObjectStorage) -> bool {
    let is_plain = |url: &str| url.starts_with("http://");
    storage.allow_http || !(is_plain(url) || storage.endpoint.as_deref().is_some_and(is_plain))
}

/// `HEIGHT` or `HEIGHT-REVISION`.
fn is_snapshot(name: &str) -> bool {
    let (height, revision) = name.split_once('-').map_or((name, None), |(h, r)| (h, Some(r)));
    let is_height = !height.is_empty() && height.bytes().all(|b| b.is_ascii_digit());
    is_height && revision.is_none_or(|revision| revision.len() == 10 && is_lower_hex(revision))
}

fn is_lower_hex(text: &str) -> bool {
    text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}
