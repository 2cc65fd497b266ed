//! (pure) The status of an Indexer: a function of the spec, of what was observed, and of how applying went.

use crds::{IndexerStatus, Revision, conditions::types};
use k8s_openapi::{
    apimachinery::pkg::apis::meta::v1::{Condition, Time},
    jiff::Timestamp,
};

mod conditions;
mod judge;
mod numbers;

use crate::{
    names,
    observe::{Observed, ObservedPod},
    refresh,
    validate::{Invalid, ValidIndexer},
};

/// How applying the plan went.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Applied {
    /// The refused call, if there was one.
    pub failure: Option<Failure>,
    /// Whether anything was applied, pruned or replaced, so that more is to come.
    pub changed: bool,
    /// Whether a `StatefulSet` is among it: no pod is known to run the newest template then.
    pub sets_changed: bool,
}

/// A refused API call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The server's words.
    pub message: String,
    /// Whether trying again cannot help.
    pub needs_change: bool,
}

/// All a status is made of.
#[derive(Clone, Copy, Debug)]
pub struct Inputs<'a> {
    /// Namespace of the resource.
    pub namespace: &'a str,
    /// Its name.
    pub name: &'a str,
    /// The generation of the spec that was looked at.
    pub generation: i64,
    /// What validation said.
    pub outcome: Result<&'a ValidIndexer, &'a Invalid>,
    /// What there is.
    pub observed: &'a Observed,
    /// How applying went.
    pub applied: &'a Applied,
    /// The status as it is.
    pub previous: Option<&'a IndexerStatus>,
    /// Now, for conditions that turn.
    pub now: Timestamp,
}

/// Computes the status.
#[must_use]
pub fn status(inputs: &Inputs<'_>) -> IndexerStatus {
    let serving = serving(inputs);
    let pods: Vec<&ObservedPod> = match &serving {
        Some(revision) => inputs.observed.pods_of(revision).collect(),
        None => Vec::new(),
    };
    let verdicts = conditions::judge(inputs, &pods);
    let valid = inputs.outcome.ok();
    let previous = inputs.previous;
    IndexerStatus {
        observed_generation: inputs.generation,
        active: serving
            .as_ref()
            .and_then(|revision| numbers::active(revision, valid, previous, &pods)),
        candidate: None,
        previous: None,
        comparison: None,
        memory: numbers::memory(&pods),
        pods: numbers::rows(inputs.observed, serving.as_ref()),
        conditions: types::ALL
            .into_iter()
            .map(|type_| condition(inputs, type_, verdicts.of(type_)))
            .collect(),
        endpoint: Some(format!(
            "http://{}.{}.svc:{}",
            inputs.name,
            inputs.namespace,
            crds::pod::RPC_PORT
        )),
        resources: valid
            .map(|v| v.resources.clone())
            .or_else(|| previous.and_then(|p| p.resources.clone())),
        replicas: count(pods.len()),
        ready_replicas: count(pods.iter().filter(|pod| pod.ready).count()),
        selector: serving.as_ref().map(|revision| selector(inputs.name, revision)),
        last_handled_refresh_at: match valid {
            Some(valid) => refresh::handled(valid, inputs.observed, previous),
            None => previous.and_then(|p| p.last_handled_refresh_at.clone()),
        },
    }
}

/// Whether two statuses differ by more than jitter of resident memory. Only then is one written.
#[must_use]
pub fn differs(previous: &IndexerStatus, next: &IndexerStatus) -> bool {
    numbers::without_jitter(previous, next.clone()) != *previous
}

/// The revision behind the Service. A broken spec moves nothing, so it stays the one that served before.
fn serving(inputs: &Inputs<'_>) -> Option<Revision> {
    match inputs.outcome {
        Ok(valid) => Some(valid.revision.clone()),
        Err(_) => inputs
            .previous
            .and_then(|status| status.active.as_ref())
            .map(|active| active.revision.clone()),
    }
}

/// `lastTransitionTime` moves only when the status turns.
fn condition(inputs: &Inputs<'_>, type_: &str, verdict: &judge::Verdict) -> Condition {
    let before = inputs
        .previous
        .and_then(|status| status.conditions.iter().find(|c| c.type_ == type_));
    let since = before
        .filter(|c| c.status == verdict.status)
        .map(|c| c.last_transition_time.clone());
    Condition {
        type_: type_.to_owned(),
        status: verdict.status.to_owned(),
        reason: verdict.reason.clone(),
        message: verdict.message.clone(),
        observed_generation: Some(inputs.generation),
        last_transition_time: since.unwrap_or(Time(inputs.now)),
    }
}

fn selector(name: &str, revision: &Revision) -> String {
    names::selector(name, revision)
        .iter()
        .map(|(k, v)| format!("{k}={v}"))
        .collect::<Vec<_>>()
        .join(",")
}

fn count(n: usize) -> i32 {
    i32::try_from(n).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests;
