//! (pure) Names, labels and annotations, which tie the objects of one Indexer together.

use std::collections::BTreeMap;

use crds::Revision;

/// Field manager of every write, and value of `app.kubernetes.io/managed-by`.
pub const MANAGER: &str = "shrewd-operator";
/// The container of a pod that runs the indexer. Admission webhooks may add others.
pub const CONTAINER: &str = "indexer";
/// The volume of a pod that has its store, and the template of the claim for it.
pub const DATA: &str = "data";
/// Label: the Indexer an object belongs to.
pub const LABEL_INDEXER: &str = "shrewd.dev/indexer";
/// Label: the revision an object belongs to; absent if it belongs to all of them.
pub const LABEL_REVISION: &str = "shrewd.dev/revision";
/// Label: who keeps the object up to date. The watches of objects select by it; that of pods by [`LABEL_INDEXER`], as the
/// Services do, so that no pod they send clients to goes unseen.
pub const LABEL_MANAGED_BY: &str = "app.kubernetes.io/managed-by";
/// Annotation of an applied object: hash of what was applied, so that fields dropped from the plan are removed.
pub const ANNOTATION_APPLIED: &str = "shrewd.dev/applied-hash";
/// Annotation of a pod template: hash of the configuration, so that a changed one leads to new pods.
pub const ANNOTATION_CONFIG: &str = "shrewd.dev/config-hash";
/// Annotation of a pod template whose memory changes by itself: hash of all of it but that. Pods that have the same are
/// given other memory and not recreated.
pub const ANNOTATION_TEMPLATE: &str = "shrewd.dev/template-hash";
/// Annotation of `StatefulSet`, `ConfigMap` and volume claims of a revision: see [`crate::record`].
pub const ANNOTATION_RECORD: &str = "shrewd.dev/revision-record";
/// The value that people give that annotation on a claim whose record is lost: its data is what the spec declares.
pub const RECORD_AS_DECLARED: &str = "declared";
/// Its value on claims of a revision that went and whose data needs no record.
pub const RECORD_RETIRED: &str = "retired";
/// Annotation of volume claims that carry a record: the unique id of the Indexer that wrote it. Claims may outlive theirs,
/// and serve another one of its name.
pub const ANNOTATION_INDEXER_UID: &str = "shrewd.dev/indexer-uid";
/// Annotation of the Service for clients: the revision that served before.
pub const ANNOTATION_PREVIOUS: &str = "shrewd.dev/previous-revision";
/// Annotation of the Service for clients: when clients were moved.
pub const ANNOTATION_SWITCHED: &str = "shrewd.dev/switched-at";
/// Label of a pod: whether the Service may send clients to it.
pub const LABEL_SERVES: &str = "shrewd.dev/serves";
/// The value of [`LABEL_SERVES`] of a pod that clients may reach.
pub const SERVES: &str = "clients";
/// Its value on a pod that is kept out of the Service, because its digest differs from that of the others.
pub const SERVES_NOT: &str = "nobody";
/// Annotation of an Indexer that requests a fresh guest instance; any new value is a new request.
pub const ANNOTATION_REFRESH: &str = "shrewd.dev/refresh-requested-at";
/// Annotation of an Indexer that requests a snapshot of the index as it is now; any new value is a new request.
pub const ANNOTATION_SNAPSHOT: &str = "shrewd.dev/snapshot-requested-at";

/// The Service clients use, the `ServiceAccount` and the disruption budget are named like the Indexer itself.
#[must_use]
pub fn shared(indexer: &str) -> String {
    indexer.to_owned()
}

/// The headless Service, through which each pod has a DNS name.
#[must_use]
pub fn headless(indexer: &str) -> String {
    format!("{indexer}-pods")
}

/// `ConfigMap` and `StatefulSet` of one revision. At most 51 characters, which leaves room in the 63 of the label
/// `controller-revision-hash`, because the schema bounds the Indexer's name to 40.
#[must_use]
pub fn of_revision(indexer: &str, revision: &Revision) -> String {
    format!("{indexer}-{revision}")
}

/// Whether a pod has the name of one of a `StatefulSet`'s pods: that of the set and a number.
#[must_use]
pub fn is_pod_of(set: &str, pod: &str) -> bool {
    let number = pod.strip_prefix(set).and_then(|rest| rest.strip_prefix('-'));
    number.is_some_and(|text| text.parse::<u32>().is_ok_and(|number| number.to_string() == text))
}

/// The pod of a `StatefulSet` with this ordinal, which is also the name of its host.
#[must_use]
pub fn pod(set: &str, ordinal: i32) -> String {
    format!("{set}-{ordinal}")
}

/// The pod of a revision that publishes snapshots, while the revision serves: one that there is however few there are.
#[must_use]
pub fn publisher(indexer: &str, revision: &Revision) -> String {
    pod(&of_revision(indexer, revision), 0)
}

/// The claim of a pod of a `StatefulSet`.
#[must_use]
pub fn claim(set: &str, ordinal: i32) -> String {
    format!("{DATA}-{}", pod(set, ordinal))
}

/// The pod that a claim is for, by its name: a `StatefulSet` calls claims `TEMPLATE-POD`.
#[must_use]
pub fn claimant(claim: &str) -> Option<&str> {
    claim.strip_prefix(DATA)?.strip_prefix('-')
}

/// Labels by which pods and volumes are selected. They never change: selectors and volume templates are immutable.
#[must_use]
pub fn selector(indexer: &str, revision: &Revision) -> BTreeMap<String, String> {
    map([(LABEL_INDEXER, indexer), (LABEL_REVISION, revision.as_str())])
}

/// Labels of pods and volumes. Without a version: an upgrade of the operator alone must not replace a pod.
#[must_use]
pub fn pod_labels(indexer: &str, revision: &Revision) -> BTreeMap<String, String> {
    let mut labels = selector(indexer, revision);
    labels.extend(well_known(indexer));
    labels
}

/// Labels of every other object.
#[must_use]
pub fn object_labels(indexer: &str, revision: Option<&Revision>) -> BTreeMap<String, String> {
    let mut labels = well_known(indexer);
    labels.extend(map([
        (LABEL_INDEXER, indexer),
        ("app.kubernetes.io/version", env!("CARGO_PKG_VERSION")),
    ]));
    if let Some(revision) = revision {
        labels.insert(LABEL_REVISION.into(), revision.to_string());
    }
    labels
}

fn well_known(indexer: &str) -> BTreeMap<String, String> {
    map([
        ("app.kubernetes.io/name", "shrewd-indexer"),
        ("app.kubernetes.io/instance", indexer),
        ("app.kubernetes.io/component", "indexer"),
        ("app.kubernetes.io/part-of", "shrewd"),
        (LABEL_MANAGED_BY, MANAGER),
    ])
}

fn map<const N: usize>(pairs: [(&str, &str); N]) -> BTreeMap<String, String> {
    pairs.into_iter().map(|(k, v)| (k.to_owned(), v.to_owned())).collect()
}
