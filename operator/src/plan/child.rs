//! One object of a plan.

use crds::Revision;
use kube::Resource;
use serde::Serialize;
use serde_json::{Value, json};

use super::hash::hash;
use crate::{
    names,
    objects::{ChildKind, revision_of},
};

/// An object as it should be.
#[derive(Clone, Debug, PartialEq)]
pub struct Child {
    /// Its kind.
    pub kind: ChildKind,
    /// Its name.
    pub name: String,
    /// The fields this operator decides on.
    pub body: Value,
}

impl Child {
    /// An object of this kind, with the hash of its fields as an annotation.
    pub(super) fn new<K: Resource<DynamicType = ()> + Serialize>(kind: ChildKind, object: &K) -> Self {
        #[allow(clippy::expect_used)] // maps with text keys, texts, numbers and booleans all have a JSON form
        let mut body = serde_json::to_value(object).expect("types of the Kubernetes API turn into JSON");
        let hash = hash(body.to_string().as_bytes());
        body["metadata"]["annotations"][names::ANNOTATION_APPLIED] = json!(hash);
        Self {
            kind,
            name: object.meta().name.clone().unwrap_or_default(),
            body,
        }
    }

    /// The revision it belongs to; none if it belongs to all of them.
    #[must_use]
    pub fn revision(&self) -> Option<Revision> {
        revision_of(&self.body)
    }
}
