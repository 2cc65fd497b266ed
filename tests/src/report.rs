//! The pods of an Indexer, and what they report about themselves.

use anyhow::{Context, Result, bail, ensure};
use k8s_openapi::api::core::v1::Pod;
use kube::{ResourceExt, api::ListParams};

use crate::{
    index::Index,
    pod::{is_running, lost},
    wait::{self, outlook::Hopeless},
};

const METRICS_PATH: &str = "/metrics";
const BLOCKS_INDEXED: &str = "shrewd_indexer_blocks_total";

impl Index {
    /// Selector of its pods, as the status publishes it.
    ///
    /// # Errors
    /// Before the operator has written a status.
    pub async fn selector(&self) -> Result<String> {
        self.get()
            .await?
            .status
            .and_then(|status| status.selector)
            .context("the status has no selector")
    }

    /// Its only pod.
    ///
    /// # Errors
    /// If there is none, or more than one.
    pub async fn pod(&self) -> Result<Pod> {
        let selector = ListParams::default().labels(&self.selector().await?);
        let found = self.namespace.api::<Pod>().list(&selector).await?;
        match <[Pod; 1]>::try_from(found.items) {
            Ok([pod]) => Ok(pod),
            Err(pods) => bail!("{} has {} pods", self.name, pods.len()),
        }
    }

    /// Waits until the container of its pod runs. Volume, scheduling and sandbox take the cluster's time; what
    /// the operator promises is counted from here.
    ///
    /// # Errors
    /// If it never runs.
    pub async fn starts(&self) -> Result<()> {
        let what = format!("{}: a running container", self.name);
        wait::until(&what, wait::PATIENCE, async || {
            let pod = self.pod().await?;
            if let Some(why) = lost(&pod) {
                bail!(Hopeless(format!("{}: {why}", pod.name_any())));
            }
            ensure!(is_running(&pod), "{:?}", pod.status);
            Ok(())
        })
        .await
    }

    /// What its only pod reports about itself.
    ///
    /// # Errors
    /// If it does not answer.
    pub async fn report(&self) -> Result<crds::pod::Status> {
        self.report_of(&self.pod().await?).await
    }

    /// What each of its pods reports about itself, of whatever revision.
    ///
    /// # Errors
    /// If one does not answer.
    pub async fn reports(&self) -> Result<Vec<crds::pod::Status>> {
        let mut reports = Vec::new();
        for pod in self.pods().await? {
            reports.push(self.report_of(&pod).await?);
        }
        Ok(reports)
    }

    /// The same, without the pods that do not answer, such as those that start or stop.
    ///
    /// # Errors
    /// If the cluster does not answer.
    pub async fn reports_of_those_that_answer(&self) -> Result<Vec<crds::pod::Status>> {
        let mut reports = Vec::new();
        for pod in self.pods().await? {
            reports.extend(self.report_of(&pod).await.ok());
        }
        Ok(reports)
    }

    /// What one of its pods reports about itself.
    ///
    /// # Errors
    /// If it does not answer.
    pub async fn report_of(&self, pod: &Pod) -> Result<crds::pod::Status> {
        let request = self.ops(pod, crds::pod::STATUS_PATH)?;
        let report = self.namespace.cluster.client.request(request).await;
        report.with_context(|| format!("read the status of {}", pod.name_any()))
    }

    /// The blocks that a pod's process has indexed itself.
    ///
    /// # Errors
    /// If it does not answer, or does not count them.
    pub async fn blocks_indexed_by(&self, pod: &Pod) -> Result<u64> {
        let request = self.ops(pod, METRICS_PATH)?;
        let metrics = self.namespace.cluster.client.request_text(request).await;
        let metrics = metrics.with_context(|| format!("read the metrics of {}", pod.name_any()))?;
        let count = metrics
            .lines()
            .find_map(|line| line.strip_prefix(BLOCKS_INDEXED)?.strip_prefix(' '));
        let count = count.with_context(|| format!("{} counts no blocks", pod.name_any()))?;
        Ok(count.trim().parse()?)
    }

    /// A request to a pod's ops port, through the API server's proxy.
    fn ops(&self, pod: &Pod, path: &str) -> Result<http::Request<Vec<u8>>> {
        let (namespace, name, port) = (&self.namespace.name, pod.name_any(), crds::pod::OPS_PORT);
        let path = format!("/api/v1/namespaces/{namespace}/pods/{name}:{port}/proxy{path}");
        Ok(http::Request::get(path).body(Vec::new())?)
    }
}
