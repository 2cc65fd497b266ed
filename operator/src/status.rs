//! (pure) The status of an Indexer: a function of the spec, of what was observed, and of how applying went.

use crds::{Comparison, IndexerStatus, PreviousRevision, Revision, conditions::types};
use k8s_openapi::{
    apimachinery::pkg::apis::meta::v1::{Condition, Time},
    jiff::Timestamp,
};

mod conditions;
mod judge;
mod numbers;
mod rollout;

use crate::{
    names,
    observe::{Observed, ObservedPod},
    refresh,
    rollout::Rollout,
    validate::{Invalid, ValidIndexer},
};

/// How applying the plan went.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Applied {
    /// The refused call, if there was one.
    pub failure: Option<Failure>,
    /// Whether anything was applied, pruned or replaced, so that more is to come.
    pub changed: bool,
    /// The revisions whose `StatefulSet` is among it: none of their pods is known to run the newest template then.
    pub sets_changed: Vec<Revision>,
}

/// A refused API call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The revision whose object it was; none for what serves all of them.
    pub revision: Option<Revision>,
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
    /// What was decided on revisions; none for a spec that is not valid.
    pub rollout: Option<&'a Rollout>,
    /// How candidate and serving revision answered the same views, if they were asked.
    pub comparison: Option<&'a Comparison>,
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
            .and_then(|revision| numbers::active(revision, inputs, &pods)),
        candidate: inputs
            .rollout
            .and_then(|rollout| numbers::candidate(rollout, inputs.observed)),
        previous: previous_revision(inputs),
        comparison: inputs
            .comparison
            .or_else(|| previous.and_then(|status| status.comparison.as_ref()))
            .cloned(),
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
            .map(|valid| valid.resources_of(numbers::identity(inputs, valid)))
            .or_else(|| previous.and_then(|p| p.resources.clone())),
        replicas: count(pods.len()),
        ready_replicas: count(pods.iter().filter(|pod| pod.ready).count()),
        selector: serving.as_ref().map(|revision| selector(inputs.name, revision)),
        last_handled_refresh_at: match valid {
            Some(valid) => {
                let serving = serving.as_ref().unwrap_or(&valid.revision);
                refresh::handled(valid, serving, inputs.observed, previous)
            }
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
    match inputs.rollout {
        Some(rollout) => Some(rollout.serving.clone()),
        None => inputs
            .previous
            .and_then(|status| status.active.as_ref())
            .map(|active| active.revision.clone()),
    }
}

/// The revision kept for a way back. A broken spec moves nothing, so it stays.
fn previous_revision(inputs: &Inputs<'_>) -> Option<PreviousRevision> {
    let (Some(rollout), Ok(valid)) = (inputs.rollout, inputs.outcome) else {
        return inputs.previous.and_then(|status| status.previous.clone());
    };
    let (revision, at) = rollout.previous.as_ref()?;
    // A time span is below 2^64 ms, but a timestamp ends with the year 9999.
    let until = at.checked_add(valid.timing.keep_previous).unwrap_or(Timestamp::MAX);
    Some(PreviousRevision {
        revision: revision.clone(),
        until: Time(until),
    })
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
