//! A pod that tries to connect to addresses, once a second: who may reach what.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail, ensure};
use k8s_openapi::api::core::v1::Pod;
use kube::api::LogParams;
use serde_json::Value;

use crate::{
    asking::asking_pod,
    namespace::Namespace,
    pod::lost,
    wait::{self, outlook::Hopeless},
};

/// So long it knocks, in seconds: longer than any test waits for it.
const SECONDS: u32 = 1_200;
/// Seconds in which the answer must have been the same: a policy takes effect within a second or two.
const SEVERAL: usize = 3;

/// The pod.
pub struct Knocker {
    namespace: Namespace,
    name: String,
}

impl Knocker {
    /// Starts it with these labels.
    ///
    /// # Errors
    /// If the API server refuses it.
    pub async fn start(namespace: &Namespace, name: &str, labels: Value, addresses: &[String]) -> Result<Self> {
        let at: Vec<String> = addresses.iter().map(|address| format!("--at={address}")).collect();
        let seconds = format!("--seconds={SECONDS}");
        let mut arguments = vec!["knock", &seconds];
        arguments.extend(at.iter().map(String::as_str));
        let mut pod = asking_pod(name, &namespace.cluster.asker_image, &arguments);
        pod["metadata"]["labels"] = labels;
        namespace.apply::<Pod>(&pod).await?;
        Ok(Self {
            namespace: namespace.clone(),
            name: name.to_owned(),
        })
    }

    /// Waits until, of the addresses it knows, it has reached this one and no other for a few seconds.
    ///
    /// # Errors
    /// If that does not happen in time; with what it last reached.
    pub async fn reaches_only(&self, expected: Option<&String>) -> Result<()> {
        let pods = self.namespace.api::<Pod>();
        let what = format!("{} reaches {expected:?} and nothing else", self.name);
        wait::until(&what, wait::PATIENCE, async || {
            if let Some(why) = lost(&pods.get(&self.name).await?) {
                bail!(Hopeless(format!("{}: {why}", self.name)));
            }
            let printed = pods.logs(&self.name, &LogParams::default()).await?;
            let lines: Vec<&str> = printed.lines().rev().take(SEVERAL).collect();
            ensure!(lines.len() == SEVERAL, "it printed {printed:?}");
            for line in lines {
                let seen: BTreeMap<String, bool> = serde_json::from_str(line).with_context(|| line.to_owned())?;
                let as_expected = seen
                    .iter()
                    .all(|(address, reached)| *reached == (Some(address) == expected));
                ensure!(as_expected, "{line}");
            }
            Ok(())
        })
        .await
    }
}
