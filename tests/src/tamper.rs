//! A store changed behind its pod's back.

use anyhow::{Context, Result};
use serde_json::json;

use crate::{
    asking::{asking_pod, run_to_end},
    namespace::Namespace,
};

/// Changes the newest digest in the store of a volume that no pod uses. Returns its height.
///
/// # Errors
/// If the pod that does it fails; with what it printed.
pub async fn tamper(namespace: &Namespace, claim: &str) -> Result<u32> {
    let name = format!("tamper-{claim}");
    let mut pod = asking_pod(&name, &namespace.cluster.tamper_image, &["/data/store"]);
    pod["spec"]["securityContext"]["runAsGroup"] = json!(65532);
    pod["spec"]["securityContext"]["fsGroup"] = json!(65532);
    pod["spec"]["volumes"] = json!([{"name": "data", "persistentVolumeClaim": {"claimName": claim}}]);
    pod["spec"]["containers"][0]["volumeMounts"] = json!([{"name": "data", "mountPath": "/data"}]);
    let printed = run_to_end(namespace, &pod).await?;
    printed.trim().parse().with_context(|| printed.clone())
}
