//! (pure) A volume claim as Kubernetes sees it, reduced to what matters.

use crds::Revision;
use k8s_openapi::{
    api::core::v1::PersistentVolumeClaim,
    apimachinery::pkg::{api::resource::Quantity, apis::meta::v1::OwnerReference},
    jiff::Timestamp,
};
use kube::ResourceExt;

use crate::{names, quantity, record::Record, validate::ValidIndexer};

/// The resource whose quantity is the size of a volume.
const STORAGE: &str = "storage";
/// Conditions of a claim that say why it does not grow, the one that is most to the point first.
const HINDRANCES: [&str; 2] = ["ControllerResizeError", "NodeResizeError"];

/// A claim for the volume of a pod, of any revision that there is or was.
#[derive(Clone, Debug, PartialEq)]
pub struct VolumeClaim {
    /// Its name.
    pub name: String,
    /// Its unique id.
    pub uid: String,
    /// Its version, which every change of it changes.
    pub version: Option<String>,
    /// The revision whose data it holds.
    pub revision: Revision,
    /// What it goes with.
    pub owners: Vec<OwnerReference>,
    /// When it was created, in whole seconds.
    pub created: Option<Timestamp>,
    /// The record of its revision, as text; none before the operator has written one.
    pub stamp: Option<String>,
    /// The unique id of the Indexer that wrote it.
    pub stamped_by: Option<String>,
    /// Whether it has a volume.
    pub bound: bool,
    /// Whether it is being deleted.
    pub terminating: bool,
    /// The size that is asked for.
    pub requested: Size,
    /// The size of its volume; none until it has one.
    pub capacity: Option<Size>,
    /// Whether its volume has grown and the file system on it has not, which takes the pod that mounts it.
    pub awaits_file_system: bool,
    /// Why it does not grow, in Kubernetes' words.
    pub hindrance: Option<String>,
}

/// A quantity of bytes, as the API has it and as a number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Size {
    /// As the API has it.
    pub text: String,
    /// The number.
    pub bytes: u64,
}

impl Size {
    /// So many bytes, in the largest unit in which they are a whole number.
    #[must_use]
    pub fn of(bytes: u64) -> Self {
        let units = [(40, "Ti"), (30, "Gi"), (20, "Mi"), (10, "Ki")];
        let unit = units.into_iter().find(|(power, _)| bytes.is_multiple_of(1 << power));
        let text = match unit.filter(|_| bytes > 0) {
            Some((power, unit)) => format!("{}{unit}", bytes >> power),
            None => bytes.to_string(),
        };
        Self { text, bytes }
    }

    fn read(quantity: &Quantity) -> Option<Self> {
        Some(Self {
            bytes: quantity::bytes(&quantity.0)?,
            text: quantity.0.clone(),
        })
    }
}

impl VolumeClaim {
    /// Reads a claim; none if it carries no revision, or a size that cannot be read, and thus is not one of ours.
    #[must_use]
    pub fn read(claim: &PersistentVolumeClaim) -> Option<Self> {
        let revision = Revision::parse(claim.labels().get(names::LABEL_REVISION)?)?;
        let (spec, status) = (claim.spec.as_ref()?, claim.status.as_ref());
        let requests = spec.resources.as_ref()?.requests.as_ref()?;
        let capacity = status.and_then(|status| status.capacity.as_ref()?.get(STORAGE));
        let conditions = status
            .and_then(|status| status.conditions.as_deref())
            .unwrap_or_default();
        let holding = |type_: &str| conditions.iter().find(|c| c.type_ == type_ && c.status == "True");
        let hindrance = HINDRANCES.iter().find_map(|type_| holding(type_));
        Some(Self {
            name: claim.name_any(),
            uid: claim.uid()?,
            version: claim.resource_version(),
            revision,
            owners: claim.owner_references().to_vec(),
            created: claim.creation_timestamp().map(|time| time.0),
            stamp: claim.annotations().get(names::ANNOTATION_RECORD).cloned(),
            stamped_by: claim.annotations().get(names::ANNOTATION_INDEXER_UID).cloned(),
            bound: status.is_some_and(|status| status.phase.as_deref() == Some("Bound")),
            terminating: claim.metadata.deletion_timestamp.is_some(),
            requested: Size::read(requests.get(STORAGE)?)?,
            capacity: capacity.and_then(Size::read),
            awaits_file_system: holding("FileSystemResizePending").is_some(),
            hindrance: hindrance.map(|c| c.message.clone().unwrap_or_else(|| c.type_.clone())),
        })
    }

    /// Whether it has data that is there to stay.
    #[must_use]
    pub fn is_kept(&self) -> bool {
        self.bound && !self.terminating
    }

    /// Whether a set of the Indexer of this name makes pods that have it, by its name: anybody may label claims.
    #[must_use]
    pub fn is_for_pod_of(&self, indexer: &str) -> bool {
        let set = names::of_revision(indexer, &self.revision);
        names::claimant(&self.name).is_some_and(|pod| names::is_pod_of(&set, pod))
    }

    /// The record of its revision, if it carries one that can be read.
    #[must_use]
    pub fn record(&self) -> Option<Record> {
        Record::parse(self.stamp.as_deref()?)
    }

    /// Whether this very Indexer has had it, and not only an earlier one of its name: the Indexer wrote its record, or is
    /// older than a claim without one.
    #[must_use]
    pub fn is_of(&self, indexer: &ValidIndexer) -> bool {
        match &self.stamped_by {
            Some(uid) => *uid == indexer.uid,
            None => indexer
                .created
                .zip(self.created)
                .is_none_or(|(indexer, claim)| claim >= indexer),
        }
    }

    /// Whether it goes with this object.
    #[must_use]
    pub fn is_owned_by(&self, uid: &str) -> bool {
        self.owners.iter().any(|owner| owner.uid == uid)
    }

    /// Whether its volume is smaller than what is asked for.
    #[must_use]
    pub fn is_growing(&self) -> bool {
        self.capacity
            .as_ref()
            .is_some_and(|capacity| capacity.bytes < self.requested.bytes)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::fixtures;

    fn read(status: &Value) -> VolumeClaim {
        let claim = fixtures::claim("data-one-0", "1536Mi", status);
        VolumeClaim::read(&claim).unwrap()
    }

    #[test]
    fn a_claim_tells_what_it_asks_for_and_what_it_has() {
        let bound = read(&json!({"phase": "Bound", "capacity": {"storage": "1Gi"}}));
        assert!(bound.bound && bound.is_growing() && !bound.awaits_file_system);
        assert_eq!((bound.requested.bytes, bound.hindrance), (1536 << 20, None));
        let pending = read(&json!({"phase": "Pending"}));
        assert!(!pending.bound && !pending.is_growing());
        let condition = |type_: &str| json!({"type": type_, "status": "True", "message": "no"});
        let waits = read(&json!({"phase": "Bound", "conditions": [condition("FileSystemResizePending")]}));
        assert!(waits.awaits_file_system);
        let fails = read(&json!({"phase": "Bound", "conditions": [condition("ControllerResizeError")]}));
        assert_eq!(fails.hindrance.as_deref(), Some("no"));
    }

    #[test]
    fn sizes_are_written_short() {
        for (bytes, text) in [
            (50 << 30, "50Gi"),
            (3 << 29, "1536Mi"),
            (2 << 40, "2Ti"),
            (1025, "1025"),
            (0, "0"),
        ] {
            assert_eq!(Size::of(bytes).text, text);
        }
    }
}
