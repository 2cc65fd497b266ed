//! The custom resource definition, as it is installed.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{CustomResourceDefinition, JSON};
use kube::CustomResourceExt;

use crate::spec::Indexer;

/// The custom resource definition of [`Indexer`].
///
/// It differs from the derived one in one point: the status of a new resource defaults to `observedGeneration: -1`, so
/// that kstatus (Flux, `kubectl wait`, Argo CD) does not report a resource as current before the operator has seen it.
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
        status.default = Some(JSON(serde_json::json!({ "observedGeneration": -1 })));
    }
    crd
}
