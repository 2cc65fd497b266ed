//! (pure) The objects of the Kubernetes API that an Indexer consists of: their kinds, who owns them, and what can be
//! read from one without knowing what it should look like.

use std::{fmt, time::Duration};

use crds::{Indexer, Revision};
use k8s_openapi::{
    apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference},
    jiff::Timestamp,
};
use kube::{Resource, api::ApiResource};
use serde_json::Value;

use crate::names;

/// The longest wait for one answer of the API server, above what the server itself allows a webhook (30 s at most, 10 s
/// by default). A call that hangs must not occupy one of the few slots for passes.
pub const CALL_TIMEOUT: Duration = Duration::from_secs(35);

/// A watch is restarted after this many seconds. The client considers it dead 5 s later.
pub const WATCH_SECONDS: u32 = 20;

/// The longest a watch can be silent unnoticed, whatever the network does to its connection.
pub const WATCH_SILENT_MAX: Duration = Duration::from_secs(25);

/// Namespace and name of an Indexer.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Key {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

/// Kinds of objects an Indexer owns, in the order in which they are applied: what a pod mounts comes before the pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ChildKind {
    /// The identity of its pods, without permissions and without a token.
    ServiceAccount,
    /// The configuration of one revision's pods.
    ConfigMap,
    /// The Service for clients, and the headless one.
    Service,
    /// Who may reach the pods.
    NetworkPolicy,
    /// The bound on voluntary disruptions.
    PodDisruptionBudget,
    /// The pods of one revision.
    StatefulSet,
}

/// The owner of an object, as seen from one Indexer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    /// That Indexer.
    This,
    /// An earlier Indexer of the same name. It is gone, so Kubernetes deletes what it owned.
    Predecessor,
    /// Something else, which may well exist.
    Another,
    /// None: the object carries no owner reference.
    Unowned,
}

/// The revisions named by the Service for clients.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Served {
    /// The revision it selects.
    pub revision: Revision,
    /// The one it selected before, and when it was changed.
    pub previous: Option<(Revision, Timestamp)>,
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

impl Key {
    /// The key of the Indexer with this metadata.
    #[must_use]
    pub fn of(meta: &ObjectMeta) -> Self {
        Self {
            namespace: meta.namespace.clone().unwrap_or_default(),
            name: meta.name.clone().unwrap_or_default(),
        }
    }
}

impl ChildKind {
    /// Group, version and plural of the kind.
    #[must_use]
    pub fn api_resource(self) -> ApiResource {
        use k8s_openapi::api::{apps::v1, core::v1 as core, networking::v1 as networking, policy::v1 as policy};
        match self {
            Self::ServiceAccount => ApiResource::erase::<core::ServiceAccount>(&()),
            Self::ConfigMap => ApiResource::erase::<core::ConfigMap>(&()),
            Self::Service => ApiResource::erase::<core::Service>(&()),
            Self::NetworkPolicy => ApiResource::erase::<networking::NetworkPolicy>(&()),
            Self::PodDisruptionBudget => ApiResource::erase::<policy::PodDisruptionBudget>(&()),
            Self::StatefulSet => ApiResource::erase::<v1::StatefulSet>(&()),
        }
    }
}

impl Served {
    /// Reads the Service for clients; none if it selects no revision.
    #[must_use]
    pub fn read(service: &Value) -> Option<Self> {
        let revision = Revision::parse(service["spec"]["selector"][names::LABEL_REVISION].as_str()?)?;
        let annotation = |name: &str| service["metadata"]["annotations"][name].as_str();
        let previous = annotation(names::ANNOTATION_PREVIOUS).and_then(Revision::parse);
        let at = annotation(names::ANNOTATION_SWITCHED).and_then(|text| text.parse().ok());
        Some(Self {
            revision,
            previous: previous.zip(at),
        })
    }
}

/// The owner of an object, as seen from the Indexer with this unique id.
#[must_use]
pub fn owner(meta: &ObjectMeta, key: &Key, uid: &str) -> Owner {
    let owners = meta.owner_references.as_deref().unwrap_or_default();
    let is_namesake = |owner: &OwnerReference| {
        owner.kind == Indexer::kind(&()) && owner.api_version == Indexer::api_version(&()) && owner.name == key.name
    };
    if owners.iter().any(|owner| owner.uid == uid) {
        Owner::This
    } else if owners.iter().any(is_namesake) {
        Owner::Predecessor
    } else if owners.is_empty() {
        Owner::Unowned
    } else {
        Owner::Another
    }
}

/// The revision an object belongs to, by its label.
#[must_use]
pub fn revision_of(object: &Value) -> Option<Revision> {
    Revision::parse(object["metadata"]["labels"][names::LABEL_REVISION].as_str()?)
}

/// Whether one resource version of an object is older than another. An object that was never stored has none. Versions
/// are increasing numbers; of others the answer is no.
#[must_use]
pub fn is_older(version: Option<&str>, than: Option<&str>) -> bool {
    let number = |text: &str| text.parse::<u64>().ok();
    match (version, than) {
        (None, Some(_)) => true,
        (Some(version), Some(than)) => number(version).zip(number(than)).is_some_and(|(a, b)| a < b),
        (_, None) => false,
    }
}

/// The version of an object, which every write of it changes.
#[must_use]
pub fn version(object: &Value) -> Option<String> {
    object["metadata"]["resourceVersion"].as_str().map(str::to_owned)
}

/// The unique id of an object.
#[must_use]
pub fn uid(object: &Value) -> Option<String> {
    object["metadata"]["uid"].as_str().map(str::to_owned)
}
