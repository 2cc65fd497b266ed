//! The configuration of one revision's pods: `pod::Config` as YAML.

use crds::{
    Registry, Revision,
    pod::{Bootstrap, Config, Module, OPS_PORT, Publishing, RPC_PORT, Seed, Source},
};
use k8s_openapi::api::core::v1::ConfigMap;

use super::{hash::hash, metadata::metadata_with};
use crate::{
    memory::store_bytes,
    names,
    record::{ModuleSource, Record},
    validate::ValidIndexer,
};

/// The key of the configuration, and the name of its file.
pub(super) const CONFIG_FILE: &str = "config.yaml";
/// Where configuration, module and credentials are mounted.
pub(super) const CONFIG_DIR: &str = "/etc/shrewd";
/// The module below [`CONFIG_DIR`]. A fixed name: the key in the user's `ConfigMap` never becomes a path.
pub(super) const MODULE_FILE: &str = "module/module.wasm";
/// The credentials below [`CONFIG_DIR`].
pub(super) const CREDENTIALS_DIR: &str = "bitcoind";
/// The credentials of the snapshot to begin with, and of those to publish, below [`CONFIG_DIR`].
pub(super) const BOOTSTRAP_DIR: &str = "bootstrap";
pub(super) const SNAPSHOTS_DIR: &str = "snapshots";
/// The key that says whether the revision serves, and the name of its file. It is no part of the configuration: clients
/// are moved without new pods, and the kubelet renews the file.
pub(super) const SERVES_FILE: &str = "serves";
/// The pull secret below [`CONFIG_DIR`].
pub(super) const PULL_SECRET_FILE: &str = "registry/config.json";
/// How many pods are tried for a copy of their data, by ordinal: of three, one is available even while a node is down.
const SEED_PODS: u32 = 3;
/// Where the volume is mounted.
pub(super) const DATA_DIR: &str = "/var/lib/shrewd";

/// `serves`: clients are sent to this revision.
pub(super) fn build(valid: &ValidIndexer, revision: &Revision, record: &Record, serves: bool) -> ConfigMap {
    #[allow(clippy::expect_used)] // numbers, texts and lists of texts all have a YAML form
    let yaml = serde_yaml::to_string(&config(valid, revision, record)).expect("a configuration turns into YAML");
    let serves = valid
        .snapshots
        .is_some()
        .then(|| (SERVES_FILE.to_owned(), serves.to_string()));
    ConfigMap {
        metadata: metadata_with(valid, revision, record),
        data: Some([(CONFIG_FILE.to_owned(), yaml)].into_iter().chain(serves).collect()),
        ..ConfigMap::default()
    }
}

/// The hash of a configuration for the annotation of the pod template.
pub(super) fn config_hash(config: &ConfigMap) -> String {
    let text = config.data.as_ref().and_then(|data| data.get(CONFIG_FILE));
    hash(text.map(String::as_bytes).unwrap_or_default())
}

fn config(valid: &ValidIndexer, revision: &Revision, record: &Record) -> Config {
    Config {
        indexer: format!("{}/{}", valid.namespace, valid.name),
        identity: record.identity.clone(),
        module: module(&record.module, &valid.plain_http_registries),
        source: Source {
            urls: valid.source_urls.clone(),
            credentials_dir: valid
                .auth_secret
                .as_ref()
                .map(|_| format!("{CONFIG_DIR}/{CREDENTIALS_DIR}").into()),
            cookie_file: None,
            block_files: None,
        },
        stop_height: valid.stop_height,
        max_reorg_depth: valid.max_reorg_depth,
        max_behind: valid.rollout.max_behind,
        threshold_bytes: valid.threshold_of(&record.identity),
        refresh: valid.refresh,
        audit_every: valid.audit_every,
        retry_attempts: valid.retry_attempts,
        views: valid.views.clone(),
        cache_bytes: valid.cache_bytes.or_else(|| store_bytes(valid, &record.identity)),
        data_dir: DATA_DIR.into(),
        rpc_listen: format!("0.0.0.0:{RPC_PORT}"),
        ops_listen: format!("0.0.0.0:{OPS_PORT}"),
        cors_origin: None,
        exit_at: None,
        data_revision: (record.identity.revision() != *revision).then(|| revision.clone()),
        in_place: record.in_place,
        in_place_at: record.in_place_at,
        seed: Some(seed(valid, revision, record)),
        bootstrap: bootstrap(valid, record),
        snapshots: publishing(valid, revision),
    }
}

/// Whether empty volumes of a revision may begin with a snapshot: not those of data that other modules began, because
/// replicas must agree on where each module took over.
pub(super) fn may_begin_with_snapshot(record: &Record) -> bool {
    !record.in_place && record.seed.is_none()
}

fn bootstrap(valid: &ValidIndexer, record: &Record) -> Option<Bootstrap> {
    let mut bootstrap = valid.bootstrap.clone().filter(|_| may_begin_with_snapshot(record))?;
    let secret = valid.bootstrap_secret.as_ref();
    bootstrap.storage.credentials_dir = secret.map(|_| format!("{CONFIG_DIR}/{BOOTSTRAP_DIR}").into());
    Some(bootstrap)
}

/// The same for all revisions: which of them publishes, a file says.
fn publishing(valid: &ValidIndexer, revision: &Revision) -> Option<Publishing> {
    let mut publishing = valid.snapshots.clone()?;
    let secret = valid.snapshots_secret.as_ref();
    publishing.storage.credentials_dir = secret.map(|_| format!("{CONFIG_DIR}/{SNAPSHOTS_DIR}").into());
    publishing.host = Some(names::publisher(&valid.name, revision));
    publishing.serves_file = Some(format!("{CONFIG_DIR}/{SERVES_FILE}").into());
    Some(publishing)
}

/// Where an empty volume is filled from: the pods of the same revision, then those of the revision copied. Data that
/// was continued in place cannot be rebuilt by one module, so a pod added later must copy it from the others; of other
/// data it takes a copy if there is one. The list does not depend on `replicas`, because a change of it would lead to new pods.
fn seed(valid: &ValidIndexer, revision: &Revision, record: &Record) -> Seed {
    let pods = |revision: &Revision| {
        let set = names::of_revision(&valid.name, revision);
        let url = move |ordinal| {
            format!(
                "http://{set}-{ordinal}.{}.{}.svc:{OPS_PORT}",
                names::headless(&valid.name),
                valid.namespace
            )
        };
        (0..SEED_PODS).map(url)
    };
    match &record.seed {
        Some(seed) => Seed {
            at_height: Some(seed.at_height).filter(|_| !record.in_place),
            from: pods(revision).chain(pods(&seed.from)).collect(),
            optional: false,
        },
        None => Seed {
            at_height: None,
            from: pods(revision).collect(),
            optional: !record.in_place,
        },
    }
}

fn module(source: &ModuleSource, plain_http_registries: &[Registry]) -> Module {
    match source {
        ModuleSource::ConfigMap(_) => Module::Path {
            path: format!("{CONFIG_DIR}/{MODULE_FILE}").into(),
        },
        ModuleSource::Http(http) => Module::Http { url: http.url.clone() },
        ModuleSource::Oci(oci) => Module::Oci {
            image: oci.image.clone(),
            pull_secret: oci
                .pull_secret_ref
                .as_ref()
                .map(|_| format!("{CONFIG_DIR}/{PULL_SECRET_FILE}").into()),
            plain_http: plain_http_registries.iter().any(|registry| registry.has(&oci.image)),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{fixtures::valid, record::SeedRecord};

    #[test]
    fn continued_data_keeps_its_name_and_comes_to_new_pods_from_the_others() {
        let mut valid = valid();
        let data = valid.revision.clone();
        let plain = config(&valid, &data, &valid.declared());
        assert_eq!((&plain.data_revision, plain.in_place), (&None, false));
        let copied_if_there = plain.seed.as_ref().map(|seed| (seed.at_height, seed.optional));
        assert_eq!(copied_if_there, Some((None, true)));

        valid.identity.module_sha256 = "cd".repeat(32);
        let record = Record {
            in_place: true,
            in_place_at: Some(7),
            ..valid.declared()
        };
        let continued = config(&valid, &data, &record);
        assert_eq!(continued.data_revision(), data);
        assert_eq!((continued.in_place, continued.in_place_at), (true, Some(7)));
        let seed = continued.seed.unwrap();
        assert_eq!((seed.at_height, seed.optional), (None, false));
        assert_eq!(seed.from[0], format!("http://one-{data}-0.one-pods.ns.svc:9090"));
    }

    fn with_snapshots() -> ValidIndexer {
        let mut indexer = crate::fixtures::indexer();
        let spec = serde_json::json!({"snapshot": {"url": "s3://a/5", "authSecretRef": {"name": "s3"}}});
        indexer.spec.bootstrap = serde_json::from_value(spec).unwrap();
        indexer.spec.snapshots = serde_json::from_value(serde_json::json!({"url": "s3://b"})).unwrap();
        crate::validate::validate(&indexer, &crate::fixtures::defaults()).unwrap()
    }

    #[test]
    fn to_serve_or_not_needs_no_new_pods() {
        let valid = with_snapshots();
        let record = valid.declared();
        assert_eq!(
            valid.revision,
            crate::fixtures::valid().revision,
            "snapshots are no part of the identity"
        );
        let [serving, candidate] = [true, false].map(|serves| build(&valid, &valid.revision, &record, serves));
        let says = |config: &ConfigMap| config.data.as_ref().unwrap().get(SERVES_FILE).cloned();
        assert_eq!(
            (says(&serving).as_deref(), says(&candidate).as_deref()),
            (Some("true"), Some("false"))
        );
        assert_eq!(config_hash(&serving), config_hash(&candidate));
        let publishing = config(&valid, &valid.revision, &record).snapshots.unwrap();
        assert_eq!(publishing.host, Some(format!("one-{}-0", valid.revision)));
        // No key of it is in there where nothing is published.
        assert_eq!(
            says(&build(&crate::fixtures::valid(), &valid.revision, &record, true)),
            None
        );
    }

    #[test]
    fn data_that_other_modules_began_does_not_begin_with_a_snapshot() {
        let valid = with_snapshots();
        let declared = valid.declared();
        let of = |record: &Record| config(&valid, &valid.revision, record).bootstrap;
        let given = of(&declared).unwrap();
        assert_eq!(given.storage.credentials_dir, Some("/etc/shrewd/bootstrap".into()));
        let continued = Record {
            in_place: true,
            ..declared.clone()
        };
        let seeded = Record {
            seed: Some(SeedRecord {
                from: valid.revision.clone(),
                at_height: 40,
            }),
            ..declared
        };
        assert_eq!([of(&continued), of(&seeded)], [None, None]);
    }

    #[test]
    fn a_seeded_candidate_tries_its_own_pods_first_and_then_those_it_copies() {
        let valid = valid();
        let source = Revision::parse("0123456789").unwrap();
        let record = Record {
            seed: Some(SeedRecord {
                from: source.clone(),
                at_height: 40,
            }),
            ..valid.declared()
        };
        let seed = config(&valid, &valid.revision, &record).seed.unwrap();
        assert_eq!((seed.at_height, seed.from.len()), (Some(40), 6));
        assert!(seed.from[2].contains(valid.revision.as_str()), "{seed:?}");
        assert!(seed.from[3].contains(source.as_str()), "{seed:?}");
    }
}
