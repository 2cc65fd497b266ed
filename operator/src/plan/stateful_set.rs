//! The pods of one revision, each with a volume of its own.

use crds::{Retention, Revision};
use k8s_openapi::{
    api::{
        apps::v1::{
            StatefulSet, StatefulSetPersistentVolumeClaimRetentionPolicy, StatefulSetSpec, StatefulSetUpdateStrategy,
        },
        core::v1::{
            PersistentVolumeClaim, PersistentVolumeClaimSpec, PodSecurityContext, PodSpec, PodTemplateSpec,
            SeccompProfile, VolumeResourceRequirements,
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

use super::metadata::metadata_with;
use crate::{facts::Size, names, record::Record, validate::ValidIndexer};

/// Owner of the indexer's process and files; the "nonroot" user of common base images.
const USER_ID: i64 = 65_532;
/// Time to finish the current block and to flush the store, in addition to the time for running views to finish.
const STOP_SECONDS: u64 = 50;
/// Maximum grace period, regardless of `views.timeout`: draining a node must come to an end.
const STOP_SECONDS_MAX: u64 = 600;

pub(super) fn build(
    valid: &ValidIndexer,
    revision: &Revision,
    record: &Record,
    config_hash: &str,
    size: &Size,
) -> StatefulSet {
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
            volume_claim_templates: Some(vec![claim(valid, revision, size)]),
            template: template(valid, revision, record, config_hash),
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

fn template(valid: &ValidIndexer, revision: &Revision, record: &Record, config_hash: &str) -> PodTemplateSpec {
    let mut labels = names::pod_labels(&valid.name, revision);
    labels.insert(names::LABEL_SERVES.to_owned(), names::SERVES.to_owned());
    let own = names::selector(&valid.name, revision);
    PodTemplateSpec {
        metadata: Some(ObjectMeta {
            labels: Some(labels),
            annotations: Some([(names::ANNOTATION_CONFIG.to_owned(), config_hash.to_owned())].into()),
            ..ObjectMeta::default()
        }),
        spec: Some(PodSpec {
            service_account_name: Some(names::shared(&valid.name)),
            automount_service_account_token: Some(false),
            enable_service_links: Some(false),
            security_context: Some(security_context()),
            termination_grace_period_seconds: Some(grace_seconds(valid.views.timeout_ms)),
            containers: vec![container::build(valid, record)],
            volumes: Some(volumes::build(valid, revision, record)),
            node_selector: Some(placement::node_selector(&valid.placement)),
            tolerations: valid.placement.tolerations.clone(),
            affinity: Some(placement::affinity(&valid.placement, &own)),
            topology_spread_constraints: placement::topology_spread_constraints(&valid.placement, &own),
            priority_class_name: valid.placement.priority_class_name.clone(),
            ..PodSpec::default()
        }),
    }
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

    #[test]
    fn grace_covers_the_views_and_has_an_end() {
        for (timeout_ms, seconds) in [(10_000, 60), (1, 51), (300_000, 350), (u64::MAX, 600)] {
            assert_eq!(grace_seconds(timeout_ms), seconds, "{timeout_ms}");
        }
    }
}
