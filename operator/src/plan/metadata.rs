//! Metadata of every planned object.

use crds::{Indexer, Revision};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use kube::Resource;

use crate::{names, record::Record, validate::ValidIndexer};

/// Metadata of an object of one revision, or of all of them.
pub(super) fn metadata(valid: &ValidIndexer, name: String, revision: Option<&Revision>) -> ObjectMeta {
    ObjectMeta {
        name: Some(name),
        namespace: Some(valid.namespace.clone()),
        labels: Some(names::object_labels(&valid.name, revision)),
        owner_references: Some(vec![OwnerReference {
            api_version: Indexer::api_version(&()).into_owned(),
            kind: Indexer::kind(&()).into_owned(),
            name: valid.name.clone(),
            uid: valid.uid.clone(),
            controller: Some(true),
            // `kubectl delete --cascade=foreground` then returns when the pods are gone.
            block_owner_deletion: Some(true),
        }]),
        ..ObjectMeta::default()
    }
}

/// Metadata of `ConfigMap` and `StatefulSet` of a revision, with the record of what is particular to it.
pub(super) fn metadata_with(valid: &ValidIndexer, revision: &Revision, record: &Record) -> ObjectMeta {
    let mut metadata = metadata(valid, names::of_revision(&valid.name, revision), Some(revision));
    metadata.annotations = Some([(names::ANNOTATION_RECORD.to_owned(), record.text())].into());
    metadata
}
