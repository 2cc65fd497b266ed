//! (pure) The status of an Indexer: a function of the spec, of what was observed, and of how applying went.

use crds::{
    IndexerStatus, MemoryRecommendation, PreviousRevision, RECORDS_MAX, RecordRow, Revision, conditions::types,
};
use k8s_openapi::{apimachinery::pkg::apis::meta::v1::Condition, jiff::Timestamp};

mod case;
mod conditions;
mod inputs;
mod movement;
mod numbers;
mod ready;
mod reports;
mod rollout_conditions;
mod snapshots;
mod storage;
mod undersized;
mod verdict;
mod volumes;

pub use inputs::{Applied, Failure, Inputs};

use crate::{facts::ObservedPod, names, refresh, rollout::Step, snapshot_request};
use verdict::Verdict;

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
    let last_status = inputs.last_status;
    IndexerStatus {
        observed_generation: inputs.generation,
        // Set before the pass, by who takes an Indexer.
        operator: last_status.and_then(|status| status.operator.clone()),
        active: serving
            .as_ref()
            .and_then(|revision| numbers::active(revision, inputs, &pods)),
        candidate: inputs
            .decision
            .and_then(|decision| numbers::candidate(decision, inputs.observed)),
        previous: previous_revision(inputs),
        records: records(inputs),
        comparison: inputs
            .comparison
            .or_else(|| last_status.and_then(|status| status.comparison.as_ref()))
            .cloned(),
        memory: numbers::memory(&pods, recommendation(inputs)),
        pods: numbers::rows(inputs.observed, serving.as_ref()),
        storage: volumes::storage(inputs.observed),
        snapshots: snapshots::snapshots(inputs, serving.as_ref()),
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
            .map(|valid| {
                let serving = serving.as_ref().unwrap_or(&valid.revision);
                inputs
                    .memories
                    .resources(valid, serving, numbers::identity(inputs, valid))
            })
            .or_else(|| last_status.and_then(|last| last.resources.clone())),
        replicas: count(pods.len()),
        ready_replicas: count(pods.iter().filter(|pod| pod.ready).count()),
        selector: serving.as_ref().map(|revision| selector(inputs.name, revision)),
        last_handled_refresh_at: match valid {
            Some(valid) => {
                let serving = serving.as_ref().unwrap_or(&valid.revision);
                refresh::handled(valid, serving, inputs.observed, last_status)
            }
            None => last_status.and_then(|last| last.last_handled_refresh_at.clone()),
        },
        last_handled_snapshot_at: match valid {
            Some(valid) => {
                let serving = serving.as_ref().unwrap_or(&valid.revision);
                snapshot_request::handled(valid, serving, inputs.observed, last_status)
            }
            None => last_status.and_then(|last| last.last_handled_snapshot_at.clone()),
        },
    }
}

/// Whether two statuses differ by more than jitter of resident memory and of free room. Only then is one written.
#[must_use]
pub fn differs(last: &IndexerStatus, next: &IndexerStatus) -> bool {
    let mut next = numbers::without_jitter(last, next.clone());
    volumes::without_jitter(last, &mut next);
    next != *last
}

/// The revision behind the Service. An invalid spec changes nothing, so it remains the one that served before.
fn serving(inputs: &Inputs<'_>) -> Option<Revision> {
    match inputs.decision {
        Some(decision) => Some(decision.serving.clone()),
        None => inputs
            .last_status
            .and_then(|status| status.active.as_ref())
            .map(|active| active.revision.clone()),
    }
}

/// What is recommended. An invalid spec changes nothing, so it remains.
fn recommendation(inputs: &Inputs<'_>) -> Option<MemoryRecommendation> {
    let last = inputs.last_status.and_then(|status| status.memory.as_ref());
    match inputs.decision {
        Some(_) => inputs.recommendation.cloned(),
        None => last.and_then(|memory| memory.recommendation.clone()),
    }
}

/// The revision kept for a rollback. An invalid spec changes nothing, so it remains.
fn previous_revision(inputs: &Inputs<'_>) -> Option<PreviousRevision> {
    let (Some(decision), Ok(valid)) = (inputs.decision, inputs.outcome) else {
        return inputs.last_status.and_then(|status| status.previous.clone());
    };
    let (revision, at) = decision.previous.as_ref()?;
    // A time span is below 2^64 ms, but a timestamp ends with the year 9999.
    let until = at.checked_add(valid.timing.keep_previous).unwrap_or(Timestamp::MAX);
    Some(PreviousRevision {
        revision: revision.clone(),
        until: numbers::whole_second(until),
    })
}

/// What each revision with pods was declared as. What is not known in this pass remains.
fn records(inputs: &Inputs<'_>) -> Vec<RecordRow> {
    let last = inputs
        .last_status
        .map(|status| status.records.as_slice())
        .unwrap_or_default();
    let Some(decision) = inputs
        .decision
        .filter(|decision| !matches!(decision.step, Step::Lost(_)))
    else {
        return last.to_vec();
    };
    let planned = decision.sets.iter().map(|(revision, record)| RecordRow {
        revision: revision.clone(),
        record: record.text(),
    });
    let untouched = last
        .iter()
        .filter(|row| decision.untouched.contains(&row.revision))
        .cloned();
    planned.chain(untouched).take(RECORDS_MAX).collect()
}

/// `lastTransitionTime` changes only with the status of the condition.
fn condition(inputs: &Inputs<'_>, type_: &str, verdict: &Verdict) -> Condition {
    let before = inputs
        .last_status
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
        last_transition_time: since.unwrap_or_else(|| numbers::whole_second(inputs.now)),
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
