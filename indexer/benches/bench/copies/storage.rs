//! A real S3 server, and the commands about snapshots against it.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Instant,
};

use crds::pod::{ObjectStorage, Publishing};

use super::{
    pod::Pod,
    transport::{Took, curl_dd},
};
use crate::{
    disk,
    s3::{self, Server},
    sync::INDEXER,
};

/// A server, and a folder with its keys.
pub(super) struct Storage {
    server: Server,
    keys: PathBuf,
}

impl Storage {
    pub(super) fn start(dir: &Path) -> Self {
        let keys = dir.join("keys");
        fs::create_dir_all(&keys).expect("make the folder of keys");
        for (name, value) in [
            ("AWS_ACCESS_KEY_ID", s3::ACCESS_KEY),
            ("AWS_SECRET_ACCESS_KEY", s3::SECRET_KEY),
        ] {
            fs::write(keys.join(name), value).expect("write a key");
        }
        Self {
            server: Server::start_below(dir),
            keys,
        }
    }

    pub(super) fn bucket(&self) -> PathBuf {
        self.server.bucket()
    }

    /// The URL of the snapshot at this height.
    pub(super) fn snapshot(&self, height: u32) -> String {
        format!("{}/{height}", Self::url("by-hand"))
    }

    fn url(prefix: &str) -> String {
        format!("s3://{}/{prefix}", s3::BUCKET)
    }

    /// What a pod needs to know that publishes in a prefix of its own.
    pub(super) fn publishing(&self, prefix: &str, bytes_per_second: u64) -> Publishing {
        Publishing {
            url: Self::url(prefix),
            every_blocks: 1,
            keep: 1,
            bytes_per_second: Some(bytes_per_second),
            host: None,
            serves_file: None,
            storage: ObjectStorage {
                endpoint: Some(self.server.endpoint()),
                region: None,
                allow_http: true,
                credentials_dir: Some(self.keys.clone()),
            },
        }
    }

    /// `snapshot create`; what was uploaded.
    pub(super) fn create(&self, pod: &Pod) -> Took {
        let before = disk::allocated_bytes(&self.bucket());
        let started = Instant::now();
        self.command("create", &Self::url("by-hand"), pod.data_dir(), &[]);
        let took = started.elapsed();
        Took::of(took, disk::allocated_bytes(&self.bucket()) - before)
    }

    /// `snapshot restore` into a folder that is emptied before.
    pub(super) fn restore(&self, snapshot: &str, to: &Path, more: &[&str]) -> Took {
        let _ = fs::remove_dir_all(to);
        fs::create_dir_all(to).expect("make a folder to restore to");
        let started = Instant::now();
        self.command("restore", snapshot, to, more);
        Took::of(started.elapsed(), disk::allocated_bytes(&to.join("store")))
    }

    fn command(&self, name: &str, url: &str, data_dir: &Path, more: &[&str]) {
        let output = Command::new(INDEXER)
            .args(["snapshot", name, url, "--allow-http"])
            .args(["--endpoint", &self.server.endpoint()])
            .arg("--credentials-dir")
            .arg(&self.keys)
            .arg("--db-path")
            .arg(data_dir)
            .args(more)
            .output()
            .expect("start the indexer");
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "snapshot {name}: {error}");
    }

    /// All files that there are, one after the other, without us.
    pub(super) fn dd(&self, to: &Path) -> Took {
        let folder = self.bucket().join("by-hand/files");
        let names: Vec<_> = fs::read_dir(&folder)
            .expect("files of a snapshot")
            .map(|entry| entry.expect("a file").file_name().into_string().expect("a hash"))
            .collect();
        let started = Instant::now();
        let get = |name: &String| {
            let url = format!("{}/{}/by-hand/files/{name}", self.server.endpoint(), s3::BUCKET);
            let user = format!("{}:{}", s3::ACCESS_KEY, s3::SECRET_KEY);
            let sign = ["--aws-sigv4", "aws:amz:us-east-1:s3", "--user", &user];
            let header = ["--header", "x-amz-content-sha256: UNSIGNED-PAYLOAD", &url];
            curl_dd(&[&sign[..], &header[..]].concat(), to)
        };
        let bytes = names.iter().map(get).sum();
        Took::of(started.elapsed(), bytes)
    }
}
