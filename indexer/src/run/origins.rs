//! (pure) What an empty volume is filled from, and in which order.

use crds::pod::{Bootstrap, Config, Seed};

/// Where a store can come from, other than from the first block of the chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin<'a> {
    /// Another pod.
    Siblings(&'a Seed),
    /// An object storage.
    Snapshot(&'a Bootstrap),
}

/// Tried one after another; the chain comes after them. A copy of another pod is nearer and newer than a snapshot. What
/// must come from other pods comes from nowhere else, and a snapshot that is declared is not done without: so neither is
/// followed by anything.
pub(super) fn origins(config: &Config) -> Vec<Origin<'_>> {
    let (seed, bootstrap) = (config.seed.as_ref(), config.bootstrap.as_ref());
    let must_copy = seed.is_some_and(|seed| !seed.optional);
    let snapshot = bootstrap.filter(|_| !must_copy).map(Origin::Snapshot);
    seed.map(Origin::Siblings).into_iter().chain(snapshot).collect()
}

#[cfg(test)]
mod tests {
    use crds::{
        Identity, Network, RefreshPolicy, SnapshotVerify,
        pod::{self, Module, ObjectStorage, Source},
    };

    use super::*;

    fn config(optional_seed: Option<bool>, with_snapshot: bool) -> Config {
        let seed = optional_seed.map(|optional| Seed {
            at_height: None,
            from: vec!["http://one-0:9090".into()],
            optional,
        });
        let bootstrap = with_snapshot.then(|| Bootstrap {
            url: "s3://bucket/5".into(),
            manifest_sha256: None,
            verify: SnapshotVerify::Files,
            storage: ObjectStorage::default(),
        });
        Config {
            indexer: String::new(),
            identity: Identity {
                module_sha256: String::new(),
                network: Network::Regtest,
                start_height: 0,
                memory_limit_bytes: 0,
            },
            data_revision: None,
            in_place: false,
            in_place_at: None,
            seed,
            bootstrap,
            snapshots: None,
            module: Module::Path { path: "".into() },
            source: Source {
                urls: Vec::new(),
                credentials_dir: None,
                cookie_file: None,
                block_files: None,
            },
            stop_height: None,
            max_reorg_depth: 1,
            max_behind: 0,
            threshold_bytes: 0,
            refresh: RefreshPolicy::EveryBlock,
            audit_every: 0,
            retry_attempts: 0,
            views: pod::Views {
                max_concurrent: 1,
                timeout_ms: 1,
                memory_limit_bytes: 1,
                max_request_bytes: 1,
                max_response_bytes: 1,
            },
            cache_bytes: None,
            data_dir: "".into(),
            rpc_listen: String::new(),
            ops_listen: String::new(),
            cors_origin: None,
            exit_at: None,
        }
    }

    #[test]
    fn siblings_come_first_and_the_chain_last() {
        // Whether there are siblings and a copy of theirs is optional, whether there is a snapshot, and the order.
        let cases: [(Option<bool>, bool, &[&str]); 6] = [
            (None, false, &[]),
            (None, true, &["snapshot"]),
            (Some(true), false, &["siblings"]),
            (Some(true), true, &["siblings", "snapshot"]),
            (Some(false), false, &["siblings"]),
            (Some(false), true, &["siblings"]),
        ];
        for (optional_seed, with_snapshot, expected) in cases {
            let config = config(optional_seed, with_snapshot);
            let names: Vec<&str> = origins(&config)
                .iter()
                .map(|origin| match origin {
                    Origin::Siblings(_) => "siblings",
                    Origin::Snapshot(_) => "snapshot",
                })
                .collect();
            assert_eq!(names, expected, "{optional_seed:?} {with_snapshot}");
        }
    }
}
