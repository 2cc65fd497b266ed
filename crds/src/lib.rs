//! The `Indexer` kind, and the two documents operator and pods exchange.
//!
//! ```text
//!   Indexer (YAML) ── spec ──► operator ── pod::Config ──► indexer
//!        ▲                        │                          │
//!        └──────── status ────────┘◄────── pod::Status ──────┘
//! ```
//!
//! Nothing here talks to a cluster, a node or a disk: types, their defaults, their rules, and the conversion of a spec
//! into a pod's configuration, which both the operator and a local run use.

#[macro_use]
mod defaults;

pub mod conditions;
pub mod identity;
mod memory_budget;
pub mod pod;
pub mod quantity;
mod registry;
mod resolve;
#[allow(unreachable_pub)] // as for `spec`
mod rollout;
// The schema derive declares inner copies of these types, which the lint takes for unreachable ones.
#[allow(unreachable_pub)]
mod spec;
#[allow(unreachable_pub)]
mod status;
mod unknown;

pub use identity::{Identity, Revision};
pub use memory_budget::{MemoryBudget, memory_budget};
pub use quantity::{ByteSize, TimeSpan};
pub use registry::{BadRegistry, Registry};
pub use resolve::{Problem, Resolved, Timing, resolve};
pub use rollout::*;
pub use spec::*;
pub use status::*;
pub use unknown::unknown_fields;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::CustomResourceExt;

/// The custom resource definition of [`Indexer`], as it is installed.
///
/// Differs from the derived one in one point: a newborn status has `observedGeneration: -1`, so that kstatus (Flux,
/// `kubectl wait` users, Argo CD) does not take a resource nobody has looked at for a finished one.
///
/// # Panics
/// If the derived schema has no `status` object, which a test in this crate rules out.
#[must_use]
pub fn crd() -> CustomResourceDefinition {
    let mut crd = Indexer::crd();
    for version in &mut crd.spec.versions {
        #[allow(clippy::expect_used)] // see # Panics
        let status = version
            .schema
            .as_mut()
            .and_then(|s| s.open_api_v3_schema.as_mut())
            .and_then(|s| s.properties.as_mut())
            .and_then(|p| p.get_mut("status"))
            .expect("the kind has a status");
        status.default = Some(
            k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::JSON(
                serde_json::json!({ "observedGeneration": -1 }),
            ),
        );
    }
    crd
}
