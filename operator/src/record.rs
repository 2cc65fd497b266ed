//! (pure) What is particular to one revision, recorded with its objects.
//!
//! The spec describes one revision; during a rollout others have pods too, which must still be planned: replaced when
//! deleted, scaled, given the current image and node. So each revision's `StatefulSet` and `ConfigMap` record what the
//! spec said when they were created. Everything else comes from the current spec.
//!
//! Objects get lost. So the claims for a revision's volumes carry its record too, and the status lists those of all
//! revisions; and each record says when clients were last moved to its revision, from which follows who serves and who did
//! before if the Service does not say it any more.

use std::collections::BTreeMap;

use crds::{ConfigMapKey, HttpModule, Identity, OciModule, Revision};
use k8s_openapi::jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    names,
    objects::{ChildKind, revision_of},
};

/// What is particular to one revision's pods.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Record {
    /// What they index now.
    pub identity: Identity,
    /// Where they find the module.
    pub module: ModuleSource,
    /// Whether their data was ever continued by another module than the one that began it.
    #[serde(default)]
    pub in_place: bool,
    /// The first height of the newest module, agreed between the pods.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_place_at: Option<u32>,
    /// The revision whose data they began with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<SeedRecord>,
    /// The image they run, and the format in which the operator's version that chose it writes stores; none in a record of
    /// version 0.1. What the data is in now, pods report.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub made_with: Option<MadeWith>,
    /// When clients were last moved to it, or it became the first revision. None: never, so its index may be unfinished.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub served: Option<Timestamp>,
}

/// What a revision's pods run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MadeWith {
    /// The indexer's image.
    pub image: String,
    /// The format of stores.
    pub store_format: u32,
}

/// Where pods find the module's bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ModuleSource {
    /// In a `ConfigMap`.
    ConfigMap(ConfigMapKey),
    /// At a web server.
    Http(HttpModule),
    /// In a registry.
    Oci(OciModule),
}

/// A copy of another revision's data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SeedRecord {
    /// The revision copied.
    pub from: Revision,
    /// The last height taken over.
    pub at_height: u32,
}

impl Record {
    /// As the annotation has it.
    #[must_use]
    #[allow(clippy::expect_used)] // texts and numbers all have a JSON form
    pub fn text(&self) -> String {
        serde_json::to_string(self).expect("a record turns into JSON")
    }

    /// Whether it is that of a candidate which is built because this version does not read the data of the revision before.
    #[must_use]
    pub fn is_rebuilding(&self, revision: &Revision) -> bool {
        self.served.is_none() && !self.in_place && self.identity.revision() != *revision
    }

    /// Reads the record of an object; none if it has none, or one written by a newer operator.
    #[must_use]
    pub fn read(object: &Value) -> Option<Self> {
        Self::parse(object["metadata"]["annotations"][names::ANNOTATION_RECORD].as_str()?)
    }

    /// Reads [`Self::text`]; none if it is something else, or was written by a newer operator.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }
}

/// Every revision with a `StatefulSet` or a `ConfigMap`, and its record; none if it cannot be read. That of the
/// `StatefulSet` counts, which is written last; but for when clients were moved, which the `ConfigMap` says before they are.
/// A set may be missing because it is being replaced, or was deleted by hand:
/// its revision exists all the same. When a revision is removed, its `ConfigMap` goes first.
#[must_use]
pub fn records(children: &BTreeMap<(ChildKind, String), Value>) -> BTreeMap<Revision, Option<Record>> {
    let mut found = BTreeMap::new();
    for wanted in [ChildKind::ConfigMap, ChildKind::StatefulSet] {
        let of_kind = children.iter().filter(|((kind, _), _)| *kind == wanted);
        for (revision, object) in of_kind.filter_map(|(_, object)| Some((revision_of(object)?, object))) {
            let known = found.entry(revision).or_insert(None);
            if let Some(mut record) = Record::read(object) {
                record.served = record
                    .served
                    .max(known.as_ref().and_then(|known: &Record| known.served));
                *known = Some(record);
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::fixtures;

    #[test]
    fn a_record_survives_its_object_and_a_lost_one_is_found_beside_it() {
        let record = Record {
            in_place: true,
            in_place_at: Some(7),
            seed: Some(SeedRecord {
                from: fixtures::valid().revision,
                at_height: 3,
            }),
            ..fixtures::valid().declared()
        };
        let object = |text: Option<&str>| {
            json!({"metadata": {"labels": {names::LABEL_REVISION: fixtures::valid().revision},
                                "annotations": {names::ANNOTATION_RECORD: text}}})
        };
        let text = record.text();
        let children = |set: Option<&str>, map: Option<&str>| {
            BTreeMap::from([
                ((ChildKind::StatefulSet, "one-r".to_owned()), object(set)),
                ((ChildKind::ConfigMap, "one-r".to_owned()), object(map)),
            ])
        };
        let revision = fixtures::valid().revision;
        for (set, map, expected) in [
            (Some(text.as_str()), None, Some(&record)),
            (None, Some(text.as_str()), Some(&record)),
            (Some("{}"), Some(text.as_str()), Some(&record)),
            (None, None, None),
        ] {
            let found = records(&children(set, map));
            assert_eq!(found[&revision].as_ref(), expected, "{set:?}, {map:?}");
        }
        let mut without_set = children(None, Some(&text));
        without_set.retain(|(kind, _), _| *kind == ChildKind::ConfigMap);
        assert_eq!(
            records(&without_set)[&revision].as_ref(),
            Some(&record),
            "the set is gone"
        );
    }
}
