//! A slow network, for what is to be disturbed while it lasts.

use anyhow::{Context, Result};
use k8s_openapi::api::core::v1::Pod;

use crate::{machine, pod::node_of};

/// What a pod sends is slowed down until this is dropped.
pub struct Throttle {
    node: String,
    table: String,
}

impl Throttle {
    /// Has its node drop what a pod sends beyond so many MiB a second.
    ///
    /// # Errors
    /// If the pod has no address, or the node refuses.
    pub fn of(pod: &Pod, mebibytes: u32) -> Result<Self> {
        let address = pod.status.as_ref().and_then(|status| status.pod_ip.as_deref());
        let address = address.context("the pod has no address")?;
        let throttle = Self {
            node: node_of(pod)?.to_owned(),
            table: format!("e2e-{}", address.replace('.', "-")),
        };
        let table = &throttle.table;
        let rules = format!(
            "add table ip {table}; \
             add chain ip {table} sent {{ type filter hook forward priority filter; }}; \
             add rule ip {table} sent ip saddr {address} limit rate over {mebibytes} mbytes/second drop"
        );
        machine::run(&throttle.node, &["nft", &rules])?;
        Ok(throttle)
    }
}

impl Drop for Throttle {
    fn drop(&mut self) {
        if let Err(error) = machine::run(&self.node, &["nft", "delete", "table", "ip", &self.table]) {
            eprintln!("what pods of {} send stays slow: {error:#}", self.node);
        }
    }
}
