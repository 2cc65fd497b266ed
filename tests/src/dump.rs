//! What is worth a look after a failed test, printed before it is deleted.

use anyhow::Result;
use crds::Indexer;
use k8s_openapi::api::core::v1::{Event, Pod};
use kube::api::{ListParams, LogParams};

use crate::{gitops::delivery, namespace::Namespace};

/// Prints resources, pods, events and logs of a namespace, and the operator's log. Where something cannot be read, the
/// error is printed instead.
pub(crate) async fn show(namespace: &Namespace) {
    let parts = [
        ("Indexers", indexers(namespace).await),
        ("deliveries", delivery::show(namespace).await),
        ("pods", pods(namespace).await),
        ("events", events(namespace).await),
        ("operator", namespace.cluster.operator_log().await),
    ];
    for (title, text) in parts {
        eprintln!(
            "==== {title} of {}\n{}",
            namespace.name,
            text.unwrap_or_else(|e| format!("not available: {e:#}"))
        );
    }
}

async fn indexers(namespace: &Namespace) -> Result<String> {
    let mut found = namespace.api::<Indexer>().list(&ListParams::default()).await?.items;
    for indexer in &mut found {
        indexer.metadata.managed_fields = None;
    }
    Ok(serde_yaml::to_string(&found)?)
}

async fn pods(namespace: &Namespace) -> Result<String> {
    let api = namespace.api::<Pod>();
    let mut text = String::new();
    for pod in api.list(&ListParams::default()).await? {
        let name = pod.metadata.name.unwrap_or_default();
        text += &format!("-- {name}\n{}", serde_yaml::to_string(&pod.status)?);
        for previous in [true, false] {
            let params = LogParams {
                tail_lines: Some(60),
                previous,
                ..LogParams::default()
            };
            // Most pods have no previous process.
            let log = match api.logs(&name, &params).await {
                Ok(log) => log,
                Err(_) if previous => continue,
                Err(error) => format!("not available: {error}"),
            };
            text += &format!("-- log of {name}, previous process: {previous}\n{log}\n");
        }
    }
    Ok(text)
}

async fn events(namespace: &Namespace) -> Result<String> {
    let mut text = String::new();
    for event in namespace.api::<Event>().list(&ListParams::default()).await? {
        let about = event.involved_object;
        text += &format!(
            "{} {}/{}: {}\n",
            event.reason.unwrap_or_default(),
            about.kind.unwrap_or_default(),
            about.name.unwrap_or_default(),
            event.message.unwrap_or_default()
        );
    }
    Ok(text)
}
