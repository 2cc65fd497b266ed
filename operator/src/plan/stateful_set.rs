//! The pods of one revision, each with a volume of its own.

use crds::{Retention, Revision};
use k8s_openapi::{
    api::{
        apps::v1::{
            StatefulSet, StatefulSetPersistentVolumeClaimRetentionPolicy, StatefulSetSpec, StatefulSetUpdateStrategy,
        },
        core::v1::{
            LocalObjectReference, PersistentVolumeClaim, PersistentVolumeClaimSpec, PodSecurityContext, PodSpec,
            PodTemplateSpec, ResourceRequirements, SeccompProfile, VolumeResourceRequirements,
        },
    },
    apimachinery::pkg::{
        api::resource::Quantity,
        apis::meta::v1::{LabelSelector, ObjectMeta},
    },
};

mod container;
mod placement;
mod volumes;

use super::{hash::hash, metadata::metadata_with};
use crate::{facts::Size, names, record::Record, validate::ValidIndexer};

/// Owner of the indexer's process and files; the "nonroot" user of common base images.
const USER_ID: i64 = 65_532;
/// Time to finish the current block and to flush the store, in addition to the time for running views to finish.
const STOP_SECONDS: u64 = 50;
/// Maximum grace period, regardless of `views.timeout`: draining a node must come to an end.
const STOP_SECONDS_MAX: u64 = 600;

/// What a set has that follows neither from the spec nor from the record of its revision alone.
pub(super) struct Own {
    /// The hash of the pods' configuration.
    pub(super) config_hash: String,
    /// The size of their volumes.
    pub(super) size: Size,
    /// The resources of their containers.
    pub(super) resources: ResourceRequirements,
}

pub(super) fn build(valid: &ValidIndexer, revision: &Revision, record: &Record, own: &Own) -> StatefulSet {
    StatefulSet {
        metadata: metadata_with(valid, revision, record),
        spec: Some(StatefulSetSpec {
            replicas: Some(valid.replicas),
            service_name: Some(names::headless(&valid.name)),
            selector: LabelSelector {
                match_labels: Some(names::selector(&valid.name, revision)),
                ..LabelSelector::default()
            },
            // Pods are independent of each other, and a broken first one must not keep the others from starting.
            pod_management_policy: Some("Parallel".into()),
            update_strategy: Some(StatefulSetUpdateStrategy {
                type_: Some("OnDelete".into()),
                ..StatefulSetUpdateStrategy::default()
            }),
            persistent_volume_claim_retention_policy: Some(retention(valid.storage.retention)),
            volume_claim_templates: Some(vec![claim(valid, revision, &own.size)]),
            template: template(valid, revision, record, own),
            ..StatefulSetSpec::default()
        }),
        status: None,
    }
}

/// Scaling down and suspending keep the data in any case.
fn retention(retention: Retention) -> StatefulSetPersistentVolumeClaimRetentionPolicy {
    let when_deleted = match retention {
        Retention::Retain => "Retain",
        Retention::Delete => "Delete",
    };
    StatefulSetPersistentVolumeClaimRetentionPolicy {
        when_deleted: Some(when_deleted.into()),
        when_scaled: Some("Retain".into()),
    }
}

fn claim(valid: &ValidIndexer, revision: &Revision, size: &Size) -> PersistentVolumeClaim {
    PersistentVolumeClaim {
        metadata: ObjectMeta {
            name: Some(names::DATA.into()),
            labels: Some(names::pod_labels(&valid.name, revision)),
            ..ObjectMeta::default()
        },
        spec: Some(PersistentVolumeClaimSpec {
            access_modes: Some(vec!["ReadWriteOnce".into()]),
            storage_class_name: valid.storage.storage_class_name.clone(),
            resources: Some(VolumeResourceRequirements {
                requests: Some([("storage".to_owned(), Quantity(size.text.clone()))].into()),
                ..VolumeResourceRequirements::default()
            }),
            ..PersistentVolumeClaimSpec::default()
        }),
        status: None,
    }
}

fn template(valid: &ValidIndexer, revision: &Revision, record: &Record, own: &Own) -> PodTemplateSpec {
    let selector = names::selector(&valid.name, revision);
    let mut template = PodTemplateSpec {
        metadata: Some(pod_metadata(valid, revision, &own.config_hash)),
        spec: Some(PodSpec {
            image_pull_secrets: image_pull_secrets(&valid.image_pull_secrets),
            service_account_name: Some(names::shared(&valid.name)),
            automount_service_account_token: Some(false),
            enable_service_links: Some(false),
            security_context: Some(security_context()),
            termination_grace_period_seconds: Some(grace_seconds(valid.views.timeout_ms)),
            containers: vec![container::build(valid, record, &own.resources)],
            volumes: Some(volumes::build(valid, revision, record)),
            node_selector: Some(placement::node_selector(&valid.placement)),
            tolerations: valid.placement.tolerations.clone(),
            affinity: Some(placement::affinity(&valid.placement, &selector)),
            topology_spread_constraints: placement::topology_spread_constraints(&valid.placement, &selector),
            priority_class_name: valid.placement.priority_class_name.clone(),
            ..PodSpec::default()
        }),
    };
    if valid.max_limit_bytes.is_some() {
        let hash = hash_without_memory(&template);
        let annotations = template
            .metadata
            .get_or_insert_default()
            .annotations
            .get_or_insert_default();
        annotations.insert(names::ANNOTATION_TEMPLATE.to_owned(), hash);
    }
    template
}

/// By which pods are known that differ from the template by nothing but their memory.
fn hash_without_memory(template: &PodTemplateSpec) -> String {
    let mut template = template.clone();
    let containers = template.spec.iter_mut().flat_map(|spec| &mut spec.containers);
    for resources in containers.filter_map(|container| container.resources.as_mut()) {
        for quantities in [&mut resources.requests, &mut resources.limits].into_iter().flatten() {
            quantities.remove("memory");
        }
    }
    #[allow(clippy::expect_used)] // maps with text keys, texts, numbers and booleans all have a JSON form
    let json = serde_json::to_vec(&template).expect("types of the Kubernetes API turn into JSON");
    hash(&json)
}

/// Ours win, whatever a schema let through: Services, disruption budgets and this operator find pods by them.
fn pod_metadata(valid: &ValidIndexer, revision: &Revision, config_hash: &str) -> ObjectMeta {
    let mut labels = valid.pod_metadata.labels.clone().unwrap_or_default();
    labels.extend(names::pod_labels(&valid.name, revision));
    labels.insert(names::LABEL_SERVES.to_owned(), names::SERVES.to_owned());
    let mut annotations = valid.pod_metadata.annotations.clone().unwrap_or_default();
    annotations.insert(names::ANNOTATION_CONFIG.to_owned(), config_hash.to_owned());
    ObjectMeta {
        labels: Some(labels),
        annotations: Some(annotations),
        ..ObjectMeta::default()
    }
}

fn image_pull_secrets(names: &[String]) -> Option<Vec<LocalObjectReference>> {
    let secrets = names.iter().map(|name| LocalObjectReference { name: name.clone() });
    (!names.is_empty()).then(|| secrets.collect())
}

/// 60 s with the default `views.timeout` of 10 s.
fn grace_seconds(views_timeout_ms: u64) -> i64 {
    let seconds = STOP_SECONDS
        .saturating_add(views_timeout_ms.div_ceil(1000))
        .min(STOP_SECONDS_MAX);
    i64::try_from(seconds).unwrap_or(i64::MAX)
}

/// Together with the container's, what the restricted Pod Security Standard requires.
fn security_context() -> PodSecurityContext {
    PodSecurityContext {
        run_as_non_root: Some(true),
        run_as_user: Some(USER_ID),
        run_as_group: Some(USER_ID),
        fs_group: Some(USER_ID),
        // The default visits every file of the volume at each start.
        fs_group_change_policy: Some("OnRootMismatch".into()),
        seccomp_profile: Some(SeccompProfile {
            type_: "RuntimeDefault".into(),
            ..SeccompProfile::default()
        }),
        ..PodSecurityContext::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::valid;

    #[test]
    fn metadata_of_pods_is_added_and_ours_stays() {
        let mut valid = valid();
        let ours = pod_metadata(&valid, &valid.revision, "hash");
        let keys = |map: Option<std::collections::BTreeMap<String, String>>| map.unwrap().into_keys();
        let (labels, annotations) = (keys(ours.labels.clone()), keys(ours.annotations.clone()));
        let (labels, annotations): (Vec<_>, Vec<_>) = (labels.collect(), annotations.collect());
        let stolen = |keys: &[String]| Some(keys.iter().map(|key| (key.clone(), "x".to_owned())).collect());
        valid.pod_metadata.labels = stolen(&labels);
        valid.pod_metadata.annotations = stolen(&annotations);
        assert_eq!(pod_metadata(&valid, &valid.revision, "hash"), ours);
        // And the schema refuses each of them.
        let reserved: Vec<&String> = valid.pod_metadata.reserved().collect();
        assert_eq!(reserved, labels.iter().chain(&annotations).collect::<Vec<_>>());

        valid.pod_metadata.labels = stolen(&["team".to_owned()]);
        let both = pod_metadata(&valid, &valid.revision, "hash").labels.unwrap();
        assert_eq!((both["team"].as_str(), both.len()), ("x", labels.len() + 1));
    }

    #[test]
    fn where_memory_is_resized_the_template_tells_pods_that_differ_by_nothing_else() {
        let same = |max: Option<u64>, memory: &str, cpu: &str| {
            let valid = ValidIndexer {
                max_limit_bytes: max,
                ..valid()
            };
            let own = Own {
                config_hash: "1".into(),
                size: Size::of(1 << 30),
                resources: serde_json::from_value(serde_json::json!({
                    "limits": {"memory": memory}, "requests": {"memory": memory, "cpu": cpu}}))
                .unwrap(),
            };
            let set = build(&valid, &valid.revision, &valid.declared(), &own);
            let template = set.spec.unwrap().template;
            template
                .metadata
                .unwrap()
                .annotations
                .unwrap()
                .remove(names::ANNOTATION_TEMPLATE)
        };
        let hash = same(Some(1), "1Gi", "1");
        assert!(hash.is_some());
        assert_eq!(hash, same(Some(1), "2Gi", "1"));
        assert_ne!(hash, same(Some(1), "1Gi", "2"));
        assert_eq!(same(None, "1Gi", "1"), None, "pods of others stay as they are");
    }

    #[test]
    fn grace_covers_the_views_and_has_an_end() {
        for (timeout_ms, seconds) in [(10_000, 60), (1, 51), (300_000, 350), (u64::MAX, 600)] {
            assert_eq!(grace_seconds(timeout_ms), seconds, "{timeout_ms}");
        }
    }
}
