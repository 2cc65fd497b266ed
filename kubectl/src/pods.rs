//! Pods of a revision.

use anyhow::{Result, bail};
use crds::{Indexer, Phase, Revision};
use k8s_openapi::api::core::v1::Pod;
use kube::{Api, api::ListParams};

use crate::{cluster::Cluster, names, rights::Right};

/// More pods than a revision can have (16): others that carry its labels are not listed beyond these.
const PODS_MAX: u32 = 64;

/// The revision that serves.
///
/// # Errors
/// If none does.
pub fn active(indexer: &Indexer) -> Result<&Revision> {
    let status = indexer.status.as_ref();
    match status.and_then(|status| status.active.as_ref()) {
        Some(active) => Ok(&active.revision),
        None => bail!("no revision serves yet; `kubectl shrewd why NAME` says what it waits for"),
    }
}

/// The pods of a revision, in the order of their names.
///
/// # Errors
/// If they cannot be listed.
pub async fn of_revision(cluster: &Cluster, name: &str, revision: &Revision) -> Result<Vec<Pod>> {
    let right = Right::within("list", "pods", &cluster.namespace);
    let params = ListParams::default()
        .labels(&names::of_revision(name, revision))
        .limit(PODS_MAX);
    let mut pods = cluster.call(&right, api(cluster).list(&params)).await?.items;
    pods.sort_by(|a, b| a.metadata.name.cmp(&b.metadata.name));
    Ok(pods)
}

/// The API of the namespace's pods.
#[must_use]
pub fn api(cluster: &Cluster) -> Api<Pod> {
    Api::namespaced(cluster.client.clone(), &cluster.namespace)
}

/// The pod that answers queries: one that is ready; where all of them have halted, one of those, as the Service does.
#[must_use]
pub fn answering<'a>(pods: &'a [Pod], indexer: &Indexer) -> Option<&'a str> {
    let rows = indexer.status.iter().flat_map(|status| &status.pods);
    let halted: Vec<&str> = rows
        .filter(|row| row.phase == Phase::Halted)
        .map(|row| row.name.as_str())
        .collect();
    let named = || pods.iter().filter_map(|pod| Some((pod, pod.metadata.name.as_deref()?)));
    let ready = named().find(|(pod, _)| is_ready(pod)).map(|(_, name)| name);
    ready.or_else(|| named().map(|(_, name)| name).find(|name| halted.contains(name)))
}

fn is_ready(pod: &Pod) -> bool {
    let conditions = pod.status.as_ref().and_then(|status| status.conditions.as_ref());
    let is_ready = conditions.is_some_and(|all| all.iter().any(|it| it.type_ == "Ready" && it.status == "True"));
    is_ready && pod.metadata.deletion_timestamp.is_none()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::fixtures;

    fn pod(name: &str, ready: bool) -> Pod {
        let status = if ready { "True" } else { "False" };
        let conditions = json!([{ "type": "Ready", "status": status }]);
        serde_json::from_value(json!({ "metadata": { "name": name }, "status": { "conditions": conditions } })).unwrap()
    }

    #[test]
    fn a_ready_pod_answers_and_else_one_that_has_halted() {
        let halted = "outpoints-7c1d9a0b2e-0";
        let cases = [
            (vec![pod("a", false), pod("b", true)], Some("b")),
            (vec![pod("a", false), pod(halted, false)], Some(halted)),
            (vec![pod("a", false)], None),
            (Vec::new(), None),
        ];
        for (pods, chosen) in cases {
            assert_eq!(answering(&pods, &fixtures::halted()), chosen);
        }
    }
}
