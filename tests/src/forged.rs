//! A pod that looks like one of an Indexer's by its labels and its report, and that no `StatefulSet` owns.

use anyhow::{Context, Result};
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use serde_json::json;

use crate::{asking::asking_pod, index::Index};

/// Creates a pod with the labels of another one, which serves a given report.
///
/// # Errors
/// If the API server refuses it.
pub async fn forge(index: &Index, name: &str, like: &Pod, report: &crds::pod::Status) -> Result<()> {
    let report = serde_json::to_string(report).context("write a report")?;
    let listen = format!("--listen=0.0.0.0:{}", crds::pod::OPS_PORT);
    let arguments = ["pretend", &listen, &format!("--json={report}")];
    let mut pod = asking_pod(name, &index.namespace.cluster.asker_image, &arguments);
    pod["metadata"]["labels"] = json!(like.labels());
    // The operator considers only the container of this name.
    pod["spec"]["containers"][0]["name"] = json!("indexer");
    index.namespace.apply::<Pod>(&pod).await?;
    Ok(())
}
