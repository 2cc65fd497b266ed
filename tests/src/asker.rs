//! A client inside the cluster that calls one view through the Service, a hundred times a second.

use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use k8s_openapi::api::core::v1::Pod;
use kube::api::LogParams;

use crate::{
    asked::Asked,
    asking::asking_pod,
    index::Index,
    namespace::Namespace,
    pod::lost,
    wait::{self, outlook::Hopeless},
};

/// A second's worth of answers: enough to tell a lasting change from a single answer.
const SEVERAL: u64 = 100;

/// The client's pod.
pub struct Asker {
    namespace: Namespace,
    name: String,
}

impl Asker {
    /// Starts it for a number of seconds, and waits for the first answer.
    ///
    /// # Errors
    /// If none arrives.
    pub async fn start(index: &Index, function: &str, request: &[u8], height: u32, seconds: u64) -> Result<Self> {
        let name = format!("asker-{}", index.name);
        let pod = asking_pod(
            &name,
            &index.namespace.cluster.asker_image,
            &[
                "ask",
                &format!("--url=http://{}:{}", index.name, crds::pod::RPC_PORT),
                &format!("--function={function}"),
                &format!("--input={}", as_answered(request)),
                &format!("--height={height}"),
                &format!("--seconds={seconds}"),
            ],
        );
        index.namespace.apply::<Pod>(&pod).await?;
        let asker = Self {
            namespace: index.namespace.clone(),
            name,
        };
        asker
            .until("a client is answered", wait::PATIENCE, |asked| {
                !asked.stretches.is_empty()
            })
            .await?;
        Ok(asker)
    }

    /// The answers so far.
    ///
    /// # Errors
    /// If it printed nothing yet.
    pub async fn asked(&self) -> Result<Asked> {
        let pods = self.namespace.api::<Pod>();
        let printed = pods.logs(&self.name, &LogParams::default()).await?;
        let last = printed.lines().last().context("it printed nothing yet")?;
        serde_json::from_str(last).with_context(|| last.to_owned())
    }

    /// Waits until the last second's questions all had this answer.
    ///
    /// # Errors
    /// If that does not happen in time; with the answers so far.
    pub async fn receives(&self, answer: &[u8], within: Duration) -> Result<Asked> {
        let answer = as_answered(answer);
        let what = format!("clients are answered {answer}");
        self.until(&what, within, |asked| asked.in_a_row(&answer) > SEVERAL)
            .await
    }

    /// Waits for another second's worth of questions, whatever the answers.
    ///
    /// # Errors
    /// If the client has stopped.
    pub async fn asks_on(&self) -> Result<Asked> {
        let before = self.asked().await?.questions;
        let what = "a client continues";
        self.until(what, wait::PATIENCE, |asked| asked.questions > before + SEVERAL)
            .await
    }

    async fn until(&self, what: &str, within: Duration, has: impl Fn(&Asked) -> bool) -> Result<Asked> {
        let pods = self.namespace.api::<Pod>();
        wait::until(what, within, async || {
            // Before the log: that of a pod that has ended is complete.
            let pod = pods.get(&self.name).await?;
            let asked = match (self.asked().await, lost(&pod)) {
                (Ok(asked), None) => asked,
                (asked, Some(why)) => bail!(Hopeless(format!("{}: {why}: {asked:?}", self.name))),
                (Err(error), None) => return Err(error),
            };
            if has(&asked) {
                return Ok(asked);
            }
            let phase = pod.status.and_then(|status| status.phase);
            ensure!(
                phase.as_deref() != Some("Succeeded"),
                Hopeless(format!("the client's time is over: {asked:?}"))
            );
            bail!("{asked:?}")
        })
        .await
    }
}

/// Bytes in the notation of JSON-RPC.
#[must_use]
pub fn as_answered(bytes: &[u8]) -> String {
    format!("0x{}", hex::encode(bytes))
}
