//! The pods of an Indexer, and what they report about themselves.

use anyhow::{Context, Result, bail, ensure};
use k8s_openapi::api::core::v1::Pod;
use kube::{ResourceExt, api::ListParams};

use crate::{
    index::Index,
    pod::{is_running, lost},
    wait::{self, outlook::Hopeless},
};

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

    async fn report_of(&self, pod: &Pod) -> Result<crds::pod::Status> {
        let path = format!(
            "/api/v1/namespaces/{}/pods/{}:{}/proxy{}",
            self.namespace.name,
            pod.name_any(),
            crds::pod::OPS_PORT,
            crds::pod::STATUS_PATH
        );
        let request = http::Request::get(path).body(Vec::new())?;
        let report = self.namespace.cluster.client.request(request).await;
        report.with_context(|| format!("read the status of {}", pod.name_any()))
    }
}
