//! From a URL and credentials to a storage.

use std::{
    fs::{self, File},
    io::{self, Read as _},
    path::{Path as FilePath, PathBuf},
    sync::Arc,
    time::Duration,
};

use crds::pod::ObjectStorage;
use object_store::{
    BackoffConfig, ClientOptions, ObjectStore, RetryConfig,
    aws::{AmazonS3Builder, AmazonS3ConfigKey},
    http::HttpBuilder,
    local::LocalFileSystem,
    path::Path,
};
use reqwest::Url;

use super::super::Error;

/// A server in reach accepts in milliseconds.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How often a request is repeated that a server refuses for now, or that gets no connection: with the pauses below,
/// for half a minute at most. Whoever called may do so again later.
const RETRIES: usize = 8;
/// After these a request is repeated no more.
const RETRY_TIMEOUT: Duration = Duration::from_secs(60);
/// First and longest pause between two tries.
const PAUSES: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(5));
/// Far above any key.
const CREDENTIAL_BYTES_MAX: u64 = 16 << 10;
/// `false` there: requests are signed with a digest of what they carry, which costs hashing all bytes once more on both
/// sides. Files are named by their digests already, which whoever reads one checks.
const SIGN_PAYLOADS: &str = "AWS_UNSIGNED_PAYLOAD";
/// The keys of a bucket, each in a file of this name.
const CREDENTIALS: [(&str, AmazonS3ConfigKey); 3] = [
    ("AWS_ACCESS_KEY_ID", AmazonS3ConfigKey::AccessKeyId),
    ("AWS_SECRET_ACCESS_KEY", AmazonS3ConfigKey::SecretAccessKey),
    ("AWS_SESSION_TOKEN", AmazonS3ConfigKey::Token),
];

/// How a storage is contacted, beyond its URL.
#[derive(Clone, Debug, Default)]
pub struct Access {
    /// Address of an S3 server that is not Amazon's.
    pub endpoint: Option<String>,
    /// Region of a bucket.
    pub region: Option<String>,
    /// Whether a server may be contacted without TLS.
    pub allow_http: bool,
    /// A folder with the files `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY` and, if there is one, `AWS_SESSION_TOKEN`.
    /// None: they are in variables of these names, or the machine has a role, as with Amazon's own tools.
    pub credentials_dir: Option<PathBuf>,
}

impl From<&ObjectStorage> for Access {
    fn from(storage: &ObjectStorage) -> Self {
        let ObjectStorage {
            endpoint,
            region,
            allow_http,
            credentials_dir,
        } = storage.clone();
        Self {
            endpoint,
            region,
            allow_http,
            credentials_dir,
        }
    }
}

/// What a URL comes to.
pub(super) struct Opened {
    pub(super) store: Arc<dyn ObjectStore>,
    pub(super) prefix: Path,
    /// The URL as it may be shown, without a slash at its end.
    pub(super) url: String,
    pub(super) kind: Kind,
}

/// What kind of storage.
#[derive(Clone)]
pub(super) enum Kind {
    /// A folder of this machine.
    Folder(PathBuf),
    /// A bucket.
    Bucket,
    /// A web server, which is only read from.
    Web,
}

/// The storage of a URL.
pub(super) fn open(text: &str, access: &Access) -> Result<Opened, Error> {
    let unusable = |what: &str| Error::Url {
        // It may have a password in it.
        url: "the URL".into(),
        what: what.into(),
    };
    let url = Url::parse(text).map_err(|_| unusable("it must read s3://, file://, https:// or http://"))?;
    if !url.username().is_empty() || url.password().is_some() || url.query().is_some() || url.fragment().is_some() {
        return Err(unusable(
            "it must have no user, password, query or fragment: credentials come from elsewhere",
        ));
    }
    let shown = text.trim_end_matches('/').to_owned();
    let unusable = |what: String| Error::Url {
        url: shown.clone(),
        what,
    };
    let prefix = || Path::from_url_path(url.path()).map_err(|error| unusable(error.to_string()));
    let (store, prefix, kind): (Arc<dyn ObjectStore>, _, _) = match url.scheme() {
        "file" => {
            let folder = url
                .to_file_path()
                .map_err(|()| unusable("it must read file:///FOLDER".into()))?;
            let prefix = Path::from_absolute_path(&folder).map_err(|error| unusable(error.to_string()))?;
            (Arc::new(LocalFileSystem::new()), prefix, Kind::Folder(folder))
        }
        "s3" => {
            let bucket = url.host_str().filter(|bucket| is_bucket(bucket));
            let bucket = bucket.ok_or_else(|| unusable("it must read s3://BUCKET/PREFIX".into()))?;
            let store = bucket_of(bucket, access).map_err(|what| match what {
                Unusable::Credentials(path, source) => Error::Credentials { path, source },
                Unusable::Words(what) => unusable(what),
            })?;
            (Arc::new(store), prefix()?, Kind::Bucket)
        }
        "http" | "https" => {
            check_server(url.as_str(), access.allow_http).map_err(unusable)?;
            let mut server = url.clone();
            server.set_path("");
            let store = HttpBuilder::new()
                .with_url(server)
                .with_client_options(client(access))
                .with_retry(retries())
                .build();
            let store = store.map_err(|error| unusable(error.to_string()))?;
            (Arc::new(store), prefix()?, Kind::Web)
        }
        other => {
            return Err(unusable(format!(
                "{other}:// is none of s3://, file://, https:// and http://"
            )));
        }
    };
    Ok(Opened {
        store,
        prefix,
        url: shown,
        kind,
    })
}

enum Unusable {
    Credentials(PathBuf, io::Error),
    Words(String),
}

/// A bucket, with the settings of the environment where there are no others.
fn bucket_of(bucket: &str, access: &Access) -> Result<object_store::aws::AmazonS3, Unusable> {
    let mut builder = AmazonS3Builder::from_env()
        .with_bucket_name(bucket)
        .with_client_options(client(access))
        .with_retry(retries());
    if std::env::var_os(SIGN_PAYLOADS).is_none() {
        builder = builder.with_unsigned_payload(true);
    }
    if let Some(region) = &access.region {
        builder = builder.with_region(region);
    }
    if let Some(endpoint) = &access.endpoint {
        builder = builder.with_config(AmazonS3ConfigKey::S3Endpoint, endpoint);
    }
    // Whoever sends a request relies on it that there can be one.
    for key in [AmazonS3ConfigKey::S3Endpoint, AmazonS3ConfigKey::Endpoint] {
        if let Some(endpoint) = builder.get_config_value(&key) {
            check_server(&endpoint, access.allow_http)
                .map_err(|what| Unusable::Words(format!("its endpoint: {what}")))?;
        }
    }
    if let Some(folder) = &access.credentials_dir {
        for (name, key) in CREDENTIALS {
            let path = folder.join(name);
            match credential(&path) {
                Ok(value) => builder = builder.with_config(key, value),
                Err(error) if error.kind() == io::ErrorKind::NotFound && key == AmazonS3ConfigKey::Token => {}
                Err(error) => return Err(Unusable::Credentials(path, error)),
            }
        }
    }
    builder.build().map_err(|error| Unusable::Words(error.to_string()))
}

/// One line of a file.
fn credential(path: &FilePath) -> io::Result<String> {
    let invalid = |what| io::Error::new(io::ErrorKind::InvalidData, what);
    if fs::metadata(path)?.len() > CREDENTIAL_BYTES_MAX {
        return Err(invalid("it is too long"));
    }
    let mut text = String::new();
    // What is no UTF-8 is not shown.
    let read = File::open(path)?.take(CREDENTIAL_BYTES_MAX).read_to_string(&mut text);
    read.map_err(|_| invalid("it is no text"))?;
    Ok(text.trim().into())
}

fn check_server(text: &str, allow_http: bool) -> Result<(), String> {
    let url = Url::parse(text).ok().filter(Url::has_host);
    match url.as_ref().map(Url::scheme) {
        Some("https") => Ok(()),
        Some("http") if allow_http => Ok(()),
        Some("http") => Err("http:// has no TLS: with --allow-http it is contacted all the same".into()),
        _ => Err("it must read http(s)://HOST[:PORT]".into()),
    }
}

/// As Amazon has it; these are also names that a path can have.
fn is_bucket(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'.' | b'_');
    (3..=63).contains(&name.len()) && name.bytes().all(plain)
}

/// The time of a request is bounded by whoever waits for it: a long file takes long.
fn client(access: &Access) -> ClientOptions {
    ClientOptions::new()
        .with_allow_http(access.allow_http)
        .with_connect_timeout(CONNECT_TIMEOUT)
        .with_timeout_disabled()
}

fn retries() -> RetryConfig {
    RetryConfig {
        backoff: BackoffConfig {
            init_backoff: PAUSES.0,
            max_backoff: PAUSES.1,
            base: 2.0,
        },
        max_retries: RETRIES,
        retry_timeout: RETRY_TIMEOUT,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(url: &str, access: &Access) -> String {
        open(url, access).err().unwrap().to_string()
    }

    #[test]
    fn what_cannot_be_used_is_refused_in_words_and_shows_no_secret() {
        let access = Access::default();
        for (url, words) in [
            ("backups", "it must read s3://"),
            ("s3://user:secret@bucket/prefix", "no user, password"),
            ("https://user:secret@host/prefix", "no user, password"),
            ("https://host/prefix?X-Amz-Signature=secret", "query"),
            ("s3:///prefix", "s3://BUCKET/PREFIX"),
            ("s3://B/prefix", "s3://BUCKET/PREFIX"),
            ("gs://bucket/prefix", "gs:// is none of"),
            ("http://host/prefix", "--allow-http"),
            ("file://host/folder", "file:///FOLDER"),
        ] {
            let text = refused(url, &access);
            assert!(text.contains(words) && !text.contains("secret"), "{url}: {text}");
        }
        for endpoint in ["", "minio:9000", "ftp://minio", "http://minio:9000", "http://"] {
            let access = Access {
                endpoint: Some(endpoint.into()),
                ..Access::default()
            };
            let text = refused("s3://bucket/prefix", &access);
            assert!(
                text.starts_with("s3://bucket/prefix cannot be used: its endpoint: "),
                "{text}"
            );
        }
    }

    #[test]
    fn credentials_come_from_files_and_what_is_wrong_with_them_is_said() {
        let folder = tempfile::tempdir().unwrap();
        let access = Access {
            credentials_dir: Some(folder.path().into()),
            ..Access::default()
        };
        assert!(refused("s3://bucket/prefix", &access).contains("AWS_ACCESS_KEY_ID"));
        fs::write(folder.path().join("AWS_ACCESS_KEY_ID"), "key\n").unwrap();
        fs::write(folder.path().join("AWS_SECRET_ACCESS_KEY"), [0xff, b's']).unwrap();
        assert!(refused("s3://bucket/prefix", &access).contains("AWS_SECRET_ACCESS_KEY"));
        fs::write(folder.path().join("AWS_SECRET_ACCESS_KEY"), "very secret\n").unwrap();
        let opened = open("s3://bucket/prefix/", &access).unwrap();
        assert_eq!(opened.url, "s3://bucket/prefix");
    }
}
