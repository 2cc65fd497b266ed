//! What a pod mounts.

use crds::Revision;
use k8s_openapi::{
    api::core::v1::{
        ConfigMapProjection, EmptyDirVolumeSource, KeyToPath, ProjectedVolumeSource, SecretProjection, Volume,
        VolumeMount, VolumeProjection,
    },
    apimachinery::pkg::api::resource::Quantity,
};

use crate::{
    names,
    plan::config_map::{
        BOOTSTRAP_DIR, CONFIG_DIR, CONFIG_FILE, CREDENTIALS_DIR, DATA_DIR, MODULE_FILE, PULL_SECRET_FILE, SERVES_FILE,
        SNAPSHOTS_DIR, may_begin_with_snapshot,
    },
    record::{ModuleSource, Record},
    validate::ValidIndexer,
};

const CONFIG: &str = "config";
const TMP: &str = "tmp";
/// Scratch space of libraries; the indexer itself writes to its volume only.
const TMP_SIZE: &str = "64Mi";
/// The key of a Secret of type `kubernetes.io/dockerconfigjson`.
const DOCKER_CONFIG_KEY: &str = ".dockerconfigjson";
/// Readable only by the pod's group, to which `fsGroup` assigns the files.
const CREDENTIALS_MODE: i32 = 0o440;

pub(super) fn mounts() -> Vec<VolumeMount> {
    let mount = |name: &str, path: &str, read_only| VolumeMount {
        name: name.to_owned(),
        mount_path: path.to_owned(),
        read_only,
        ..VolumeMount::default()
    };
    vec![
        mount(CONFIG, CONFIG_DIR, Some(true)),
        mount(names::DATA, DATA_DIR, None),
        mount(TMP, "/tmp", None),
    ]
}

pub(super) fn build(valid: &ValidIndexer, revision: &Revision, record: &Record) -> Vec<Volume> {
    vec![
        Volume {
            name: CONFIG.into(),
            projected: Some(ProjectedVolumeSource {
                sources: Some(sources(valid, revision, record)),
                ..ProjectedVolumeSource::default()
            }),
            ..Volume::default()
        },
        Volume {
            name: TMP.into(),
            empty_dir: Some(EmptyDirVolumeSource {
                size_limit: Some(Quantity(TMP_SIZE.into())),
                medium: None,
            }),
            ..Volume::default()
        },
    ]
}

/// Configuration, module and credentials in one folder. All but the first are optional: a pod without them starts,
/// reports what is missing, and continues once the kubelet has mounted it.
fn sources(valid: &ValidIndexer, revision: &Revision, record: &Record) -> Vec<VolumeProjection> {
    let config_map = |name: String, key: &str, path: &str, optional| VolumeProjection {
        config_map: Some(ConfigMapProjection {
            name,
            items: Some(vec![item(key, path, None)]),
            optional,
        }),
        ..VolumeProjection::default()
    };
    let secret = |name: String, items| VolumeProjection {
        secret: Some(SecretProjection {
            name,
            items: Some(items),
            optional: Some(true),
        }),
        ..VolumeProjection::default()
    };
    let mut sources = vec![config_map(
        names::of_revision(&valid.name, revision),
        CONFIG_FILE,
        CONFIG_FILE,
        None,
    )];
    match &record.module {
        ModuleSource::ConfigMap(from) => {
            sources.push(config_map(from.name.clone(), &from.key, MODULE_FILE, Some(true)));
        }
        ModuleSource::Http(_) => {}
        ModuleSource::Oci(from) => sources.extend(from.pull_secret_ref.iter().map(|pull| {
            let file = item(DOCKER_CONFIG_KEY, PULL_SECRET_FILE, Some(CREDENTIALS_MODE));
            secret(pull.name.clone(), vec![file])
        })),
    }
    sources.extend(valid.auth_secret.iter().map(|name| secret(name.clone(), credentials())));
    let bootstrap = valid
        .bootstrap_secret
        .iter()
        .filter(|_| may_begin_with_snapshot(record));
    sources.extend(bootstrap.map(|name| secret(name.clone(), keys(BOOTSTRAP_DIR))));
    sources.extend(
        valid
            .snapshots_secret
            .iter()
            .map(|name| secret(name.clone(), keys(SNAPSHOTS_DIR))),
    );
    sources.extend(valid.snapshots.iter().map(|_| {
        let of_revision = names::of_revision(&valid.name, revision);
        config_map(of_revision, SERVES_FILE, SERVES_FILE, Some(true))
    }));
    sources
}

/// The keys of a bucket, by the names that Amazon's own tools use.
fn keys(dir: &str) -> Vec<KeyToPath> {
    let file = |key: &str| item(key, &format!("{dir}/{key}"), Some(CREDENTIALS_MODE));
    ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"]
        .map(file)
        .into()
}

fn credentials() -> Vec<KeyToPath> {
    let file = |key: &str| item(key, &format!("{CREDENTIALS_DIR}/{key}"), Some(CREDENTIALS_MODE));
    vec![file("username"), file("password")]
}

fn item(key: &str, path: &str, mode: Option<i32>) -> KeyToPath {
    KeyToPath {
        key: key.to_owned(),
        path: path.to_owned(),
        mode,
    }
}
