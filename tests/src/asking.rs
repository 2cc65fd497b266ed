//! Pods that run one program to its end, under the restricted Pod Security Standard.

use anyhow::{Result, bail};
use k8s_openapi::api::core::v1::Pod;
use kube::{ResourceExt, api::LogParams};
use serde_json::{Value, json};

use crate::{
    namespace::Namespace,
    pod::lost,
    wait::{self, outlook::Hopeless},
};

/// A pod that runs a program of an image once.
pub(crate) fn asking_pod(name: &str, image: &str, arguments: &[&str]) -> Value {
    json!({
        "metadata": {"name": name},
        "spec": {
            "restartPolicy": "Never",
            "automountServiceAccountToken": false,
            "securityContext": {
                "runAsNonRoot": true, "runAsUser": 65532, "seccompProfile": {"type": "RuntimeDefault"},
            },
            "containers": [{
                "name": "ask",
                "image": image,
                "imagePullPolicy": "IfNotPresent",
                "args": arguments,
                "securityContext": {
                    "allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true, "capabilities": {"drop": ["ALL"]},
                },
            }],
        },
    })
}

/// Creates such a pod and waits until it has succeeded. Returns what it printed.
///
/// # Errors
/// If it fails or cannot be started; with what it printed.
pub(crate) async fn run_to_end(namespace: &Namespace, manifest: &Value) -> Result<String> {
    let name = namespace.apply::<Pod>(manifest).await?.name_any();
    let api = namespace.api::<Pod>();
    wait::until(&format!("{name} has ended"), wait::PATIENCE, async || {
        let pod = api.get(&name).await?;
        if let Some(why) = lost(&pod) {
            // A pod without an image has no log.
            let printed = api.logs(&name, &LogParams::default()).await.unwrap_or_default();
            bail!(Hopeless(format!("{name}: {why}; it printed: {printed}")));
        }
        match pod.status.and_then(|status| status.phase).as_deref() {
            Some("Succeeded") => Ok(()),
            phase => bail!("its phase is {phase:?}"),
        }
    })
    .await?;
    Ok(api.logs(&name, &LogParams::default()).await?)
}
