//! (pure) Names, labels and annotations that the operator gives its objects.

use crds::Revision;
use kube::core::ObjectMeta;

/// Annotation of an Indexer that requests a fresh guest instance; any new value is a new request.
pub const REFRESH: &str = "shrewd.dev/refresh-requested-at";
/// Annotation of an Indexer that requests a snapshot; likewise.
pub const SNAPSHOT: &str = "shrewd.dev/snapshot-requested-at";
/// Label of objects: the Indexer they belong to.
pub const LABEL_INDEXER: &str = "shrewd.dev/indexer";
/// Label of objects: the revision they belong to.
pub const LABEL_REVISION: &str = "shrewd.dev/revision";
/// The container of a pod that runs the indexer.
pub const CONTAINER: &str = "indexer";

/// What is requested of an Indexer by this annotation.
#[must_use]
pub fn requested<'a>(metadata: &'a ObjectMeta, annotation: &str) -> Option<&'a str> {
    let requested = metadata.annotations.as_ref()?.get(annotation)?;
    Some(requested.as_str()).filter(|requested| !requested.is_empty())
}

/// The selector of all objects of an Indexer.
#[must_use]
pub fn of_indexer(indexer: &str) -> String {
    format!("{LABEL_INDEXER}={indexer}")
}

/// The selector of the pods of one of its revisions.
#[must_use]
pub fn of_revision(indexer: &str, revision: &Revision) -> String {
    format!("{LABEL_INDEXER}={indexer},{LABEL_REVISION}={revision}")
}
