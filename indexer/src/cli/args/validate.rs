//! What a configuration must satisfy before anything is started with it, wherever it came from.

use std::net::ToSocketAddrs as _;

use crds::{
    STORE_BYTES_MIN,
    pod::{Config, Views},
};

use super::address::{is_base_url, shown_address};
use crate::{serve::origins::Origins, snapshot::sha256::Sha256};

/// As in the resource's schema, which the API server enforces and a local file bypasses.
const MAX_CONCURRENT_VIEWS: u32 = 256;
/// An hour: no client waits that long, and a view that never ends occupies its place for no longer.
const VIEW_TIMEOUT_MAX_MS: u64 = 3_600_000;
/// As in the resource's schema: a request or an answer is held in memory whole.
const MESSAGE_BYTES_MAX: u64 = 1 << 30;
/// As in the resource's schema.
const REORG_DEPTH_MAX: u32 = 10_000;
/// As in the resource's schema.
const RETRY_ATTEMPTS_MAX: u32 = 10;
/// As in the resource's schema.
const AUDIT_EVERY_MAX: u32 = 1_000_000;
/// All that a 32-bit guest can address.
const MEMORY_MAX: u64 = 4 << 30;
/// A page of WebAssembly memory.
const PAGE: u64 = 64 << 10;

/// Everything that is wrong, each in one sentence that names the field.
#[must_use]
pub(super) fn problems(config: &Config) -> Vec<String> {
    let mut problems = Problems::default();
    problems.of_identity(config);
    problems.of_source(config);
    problems.of_indexing(config);
    problems.of_store(config);
    problems.of_snapshots(config);
    problems.of_views(&config.views);
    problems.of_servers(config);
    problems.0
}

#[derive(Default)]
struct Problems(Vec<String>);

impl Problems {
    fn must(&mut self, holds: bool, message: impl FnOnce() -> String) {
        if !holds {
            self.0.push(message());
        }
    }

    fn of_identity(&mut self, config: &Config) {
        let identity = &config.identity;
        let sha256 = &identity.module_sha256;
        let digits = sha256.len() == 64 && sha256.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        self.must(digits, || {
            "identity.moduleSha256 must be 64 lowercase hex digits".into()
        });
        let limit = identity.memory_limit_bytes;
        self.must((PAGE..=MEMORY_MAX).contains(&limit), || {
            format!("identity.memoryLimitBytes must be {PAGE} to {MEMORY_MAX}")
        });
        let threshold = config.threshold_bytes;
        self.must((PAGE..=limit).contains(&threshold), || {
            format!("thresholdBytes must be {PAGE} to the limit of {limit}, not {threshold}")
        });
    }

    fn of_source(&mut self, config: &Config) {
        let source = &config.source;
        self.must(!source.urls.is_empty() || source.block_files.is_some(), || {
            "source.urls must have at least one url, unless there is source.blockFiles".into()
        });
        let seeds = config.seed.iter().flat_map(|seed| &seed.from);
        let urls = source
            .urls
            .iter()
            .zip(1..)
            .map(|(url, number)| ("source.urls", number, url));
        let seeds = seeds.zip(1..).map(|(url, number)| ("seed.from", number, url));
        for (field, number, url) in urls.chain(seeds) {
            self.must(is_base_url(url), || {
                let shown = shown_address(url).map_or(String::new(), |address| format!(", {address},"));
                format!("{field}: number {number}{shown} must read http(s)://HOST[:PORT], without credentials and path")
            });
        }
        self.must(config.seed.as_ref().is_none_or(|seed| !seed.from.is_empty()), || {
            "seed.from must have at least one url".into()
        });
    }

    fn of_indexing(&mut self, config: &Config) {
        self.must((1..=REORG_DEPTH_MAX).contains(&config.max_reorg_depth), || {
            format!(
                "maxReorgDepth must be 1 to {REORG_DEPTH_MAX}, not {}",
                config.max_reorg_depth
            )
        });
        self.must(config.retry_attempts <= RETRY_ATTEMPTS_MAX, || {
            format!(
                "retryAttempts must be at most {RETRY_ATTEMPTS_MAX}, not {}",
                config.retry_attempts
            )
        });
        let above_stop = config
            .exit_at
            .zip(config.stop_height)
            .filter(|(exit, stop)| *exit > stop.saturating_add(1));
        self.must(above_stop.is_none(), || {
            "chain.stopHeight keeps the run below --exit-at: that must be at most one more".into()
        });
        self.must(config.audit_every <= AUDIT_EVERY_MAX, || {
            format!(
                "auditEvery must be at most {AUDIT_EVERY_MAX}, not {}",
                config.audit_every
            )
        });
    }

    fn of_store(&mut self, config: &Config) {
        self.must(config.cache_bytes.is_none_or(|bytes| bytes >= STORE_BYTES_MIN), || {
            format!("cacheBytes must be at least {STORE_BYTES_MIN}")
        });
    }

    fn of_snapshots(&mut self, config: &Config) {
        let pinned = config.bootstrap.as_ref().and_then(|it| it.manifest_sha256.as_ref());
        self.must(pinned.is_none_or(|text| text.parse::<Sha256>().is_ok()), || {
            "bootstrap.manifestSha256 must be 64 lowercase hex digits".into()
        });
        let Some(publishing) = &config.snapshots else { return };
        for (field, value) in [("everyBlocks", publishing.every_blocks), ("keep", publishing.keep)] {
            self.must(value > 0, || format!("snapshots.{field} must be at least 1"));
        }
        self.must(publishing.bytes_per_second != Some(0), || {
            "snapshots.bytesPerSecond must be at least 1".into()
        });
    }

    fn of_views(&mut self, views: &Views) {
        self.must((1..=MAX_CONCURRENT_VIEWS).contains(&views.max_concurrent), || {
            format!(
                "views.maxConcurrent must be 1 to {MAX_CONCURRENT_VIEWS}, not {}",
                views.max_concurrent
            )
        });
        self.must((1..=VIEW_TIMEOUT_MAX_MS).contains(&views.timeout_ms), || {
            format!("views.timeout must be 1ms to 1h, not {}ms", views.timeout_ms)
        });
        self.must((PAGE..=MEMORY_MAX).contains(&views.memory_limit_bytes), || {
            format!(
                "views.memoryLimit must be {PAGE} to {MEMORY_MAX}, not {}",
                views.memory_limit_bytes
            )
        });
        for (field, bytes) in [
            ("maxRequestBytes", views.max_request_bytes),
            ("maxResponseBytes", views.max_response_bytes),
        ] {
            self.must((1..=MESSAGE_BYTES_MAX).contains(&bytes), || {
                format!("views.{field} must be 1 to 1Gi, not {bytes}")
            });
        }
    }

    fn of_servers(&mut self, config: &Config) {
        for (field, address) in [("rpcListen", &config.rpc_listen), ("opsListen", &config.ops_listen)] {
            let found = address
                .to_socket_addrs()
                .is_ok_and(|mut addresses| addresses.next().is_some());
            self.must(found, || {
                format!("{field}: {address:?} must be ADDRESS:PORT of this machine")
            });
        }
        if let Some(Err(error)) = config.cors_origin.as_deref().map(Origins::parse) {
            self.0.push(format!("corsOrigin (--cors): {error}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use crds::{
        SnapshotVerify,
        pod::{Bootstrap, ObjectStorage, Publishing, Seed},
    };

    use super::*;

    const GOOD: &str = include_str!("../../../tests/data/config.yaml");

    fn seed(from: &[&str]) -> Seed {
        Seed {
            at_height: None,
            from: from.iter().map(ToString::to_string).collect(),
            optional: false,
        }
    }

    fn publishing(every_blocks: u32, keep: u32) -> Publishing {
        Publishing {
            url: "s3://bucket/prefix".into(),
            every_blocks,
            keep,
            bytes_per_second: None,
            host: None,
            serves_file: None,
            storage: ObjectStorage::default(),
        }
    }

    #[test]
    fn a_good_configuration_has_no_problems() {
        let config: Config = serde_yaml::from_str(GOOD).unwrap();
        assert_eq!(problems(&config), Vec::<String>::new());
    }

    #[test]
    fn every_bad_value_is_named() {
        type Spoil = fn(&mut Config);
        let cases: [(&str, Spoil); 23] = [
            ("identity.moduleSha256", |c| c.identity.module_sha256 = "AB".repeat(32)),
            ("identity.memoryLimitBytes", |c| {
                c.identity.memory_limit_bytes = (4 << 30) + 1
            }),
            ("thresholdBytes", |c| {
                c.threshold_bytes = c.identity.memory_limit_bytes + 1
            }),
            ("source.urls", |c| c.source.urls.clear()),
            ("source.urls", |c| c.source.urls = vec!["ftp://node:1".into()]),
            ("source.urls", |c| {
                c.source.urls = vec!["http://user:pass@node:1".into()]
            }),
            ("source.urls", |c| c.source.urls = vec!["http://node:1/path".into()]),
            ("seed.from", |c| c.seed = Some(seed(&[]))),
            ("seed.from", |c| c.seed = Some(seed(&["http://pod:9090/path"]))),
            ("bootstrap.manifestSha256", |c| {
                c.bootstrap = Some(Bootstrap {
                    url: "s3://bucket/5".into(),
                    manifest_sha256: Some("AB".repeat(32)),
                    verify: SnapshotVerify::Files,
                    storage: ObjectStorage::default(),
                });
            }),
            ("snapshots.everyBlocks", |c| c.snapshots = Some(publishing(0, 1))),
            ("snapshots.keep", |c| c.snapshots = Some(publishing(1, 0))),
            ("maxReorgDepth", |c| c.max_reorg_depth = 0),
            ("retryAttempts", |c| c.retry_attempts = 11),
            ("chain.stopHeight", |c| {
                (c.exit_at, c.stop_height) = (Some(102), Some(100))
            }),
            ("auditEvery", |c| c.audit_every = 1_000_001),
            ("views.maxConcurrent", |c| c.views.max_concurrent = 0),
            ("views.timeout", |c| c.views.timeout_ms = 0),
            ("views.timeout", |c| c.views.timeout_ms = 3_600_001),
            ("views.memoryLimit", |c| c.views.memory_limit_bytes = 1),
            ("views.maxRequestBytes", |c| c.views.max_request_bytes = 0),
            ("rpcListen", |c| c.rpc_listen = "127.0.0.1".into()),
            ("corsOrigin", |c| c.cors_origin = Some("a\nb".into())),
        ];
        for (field, spoil) in cases {
            let mut config: Config = serde_yaml::from_str(GOOD).unwrap();
            spoil(&mut config);
            let problems = problems(&config);
            assert!(
                problems.len() == 1 && problems[0].starts_with(field),
                "{field}: {problems:?}"
            );
        }
    }
}
