//! (pure) What is not as it should be with an Indexer, most important first, and what to do about it.

use crds::{
    Indexer, IndexerStatus, Phase, PodRow,
    conditions::{reasons, types},
    remedy,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use serde::Serialize;

use crate::{
    judge,
    read::Seen,
    requests::{REFRESH, SNAPSHOT},
};

/// The types of conditions in the order in which they matter: what needs a person, what clients notice, what will be
/// noticed, what passes. A type of a newer operator comes last.
const ORDER: [&str; 14] = [
    types::STALLED,
    types::READY,
    types::AVAILABLE,
    types::CONSISTENT,
    types::MODULE_VERIFIED,
    types::CHAIN_SOURCE_READY,
    types::STORAGE_READY,
    types::MEMORY_UNDERSIZED,
    types::MEMORY_PRESSURE,
    types::SNAPSHOTS_READY,
    types::SYNCED,
    types::ROLLOUT_IN_PROGRESS,
    types::RECONCILING,
    types::SUSPENDED,
];

/// What is said where a newer operator gives a reason that has no line here.
const UNKNOWN_REASON: &str = "Read the message; this version of kubectl-shrewd does not know the reason.";

/// One thing that is not as it should be.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// The conditions that say so, each as `TYPE=STATUS`; none where something else does.
    pub conditions: Vec<String>,
    /// Their reason.
    pub reason: String,
    /// What they say.
    pub messages: Vec<String>,
    /// Since when the first of them says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<Time>,
    /// What to do.
    pub what_to_do: String,
}

/// Everything that is not as it should be.
#[must_use]
pub fn findings(seen: &Seen) -> Vec<Finding> {
    let indexer = &seen.indexer;
    let Some(status) = indexer.status.as_ref().filter(|status| status.observed_generation >= 0) else {
        return vec![never_seen(indexer)];
    };
    let mut findings = of_conditions(status);
    findings.extend(of_pods(&status.pods, &findings));
    findings.extend(not_seen_yet(indexer, status));
    findings.extend(requests_under_way(indexer));
    // Lines are about any Indexer; here they become commands that can be run.
    let name = indexer.metadata.name.as_deref().unwrap_or("NAME");
    for finding in &mut findings {
        finding.what_to_do = finding.what_to_do.replace("NAME", name);
    }
    findings
}

/// Those of conditions; those that have one reason are one.
fn of_conditions(status: &IndexerStatus) -> Vec<Finding> {
    let mut conditions: Vec<&Condition> = status.conditions.iter().filter(|it| is_finding(it)).collect();
    let place = |type_: &str| ORDER.iter().position(|known| *known == type_);
    conditions.sort_by_key(|condition| place(&condition.type_).unwrap_or(ORDER.len()));
    let mut findings: Vec<Finding> = Vec::new();
    for condition in conditions {
        let said = format!("{}={}", condition.type_, condition.status);
        match findings.iter_mut().find(|finding| finding.reason == condition.reason) {
            Some(finding) => {
                finding.conditions.push(said);
                let is_new = !finding.messages.contains(&condition.message);
                if is_new && !condition.message.is_empty() {
                    finding.messages.push(condition.message.clone());
                }
            }
            None => findings.push(Finding {
                conditions: vec![said],
                reason: condition.reason.clone(),
                messages: Some(condition.message.clone())
                    .filter(|it| !it.is_empty())
                    .into_iter()
                    .collect(),
                since: Some(condition.last_transition_time.clone()),
                what_to_do: remedy(&condition.reason).unwrap_or(UNKNOWN_REASON).into(),
            }),
        }
    }
    findings
}

/// What is unknown and will be known by waiting is no finding, nor is what follows from there being no pods.
fn is_finding(condition: &Condition) -> bool {
    let is_waited_for = || remedy(&condition.reason).is_some_and(|line| line.starts_with("Nothing: "));
    let is_consequence = condition.reason == reasons::SUSPENDED && condition.type_ != types::SUSPENDED;
    let is_explained = is_consequence || (condition.status == "Unknown" && is_waited_for());
    !judge::is_desired(condition) && !is_explained
}

/// What pods say of themselves and no condition repeats.
fn of_pods(pods: &[PodRow], findings: &[Finding]) -> Vec<Finding> {
    let is_repeated = |message: &str| {
        findings
            .iter()
            .flat_map(|it| &it.messages)
            .any(|it| it.contains(message))
    };
    let speaking = pods.iter().filter_map(|pod| Some((pod, pod.message.as_deref()?)));
    speaking
        .filter(|(_, message)| !message.is_empty() && !is_repeated(message))
        .map(|(pod, message)| Finding {
            conditions: Vec::new(),
            reason: format!("Pod{}", pod.phase),
            messages: vec![format!("{}: {message}", pod.name)],
            since: None,
            what_to_do: of_phase(pod.phase),
        })
        .collect()
}

fn of_phase(phase: Phase) -> String {
    let reason = match phase {
        Phase::Unknown => reasons::UNREACHABLE,
        Phase::Halted => reasons::HALTED,
        _ => return "Read the pod's words, and its log with `kubectl logs POD`; it tries again by itself.".into(),
    };
    remedy(reason).unwrap_or(UNKNOWN_REASON).into()
}

fn never_seen(indexer: &Indexer) -> Finding {
    let class = match &indexer.spec.operator_class {
        Some(class) => format!("its --operator-class is {class}"),
        None => "it has no --operator-class".into(),
    };
    let namespace = indexer.metadata.namespace.as_deref().unwrap_or_default();
    Finding {
        conditions: Vec::new(),
        reason: "NeverSeen".into(),
        messages: vec!["no operator has looked at it yet".into()],
        since: indexer.metadata.creation_timestamp.clone(),
        what_to_do: format!(
            "Wait some seconds. If it stays so, see whether an operator runs \
             (`kubectl get pods -A -l app.kubernetes.io/name=shrewd-operator`), whether its --namespaces, if it has \
             any, include {namespace}, and whether {class}."
        ),
    }
}

fn not_seen_yet(indexer: &Indexer, status: &IndexerStatus) -> Option<Finding> {
    let declared = indexer.metadata.generation?;
    (status.observed_generation < declared).then(|| Finding {
        conditions: Vec::new(),
        reason: "ChangeNotSeen".into(),
        messages: vec![format!(
            "the status describes generation {} of the spec, which is at {declared}",
            status.observed_generation
        )],
        since: None,
        what_to_do: "Wait some seconds. If it stays so, see whether an operator runs, and read its log.".into(),
    })
}

/// Requests that are not carried out.
fn requests_under_way(indexer: &Indexer) -> impl Iterator<Item = Finding> {
    let refresh = (
        REFRESH,
        "RefreshRequested",
        "not every pod has acted on it",
        "Nothing: each pod makes a fresh instance before its next block.",
    );
    let snapshot = (
        SNAPSHOT,
        "SnapshotRequested",
        "the snapshot is not there yet",
        match &indexer.spec.snapshots {
            None => "Declare in spec.snapshots where snapshots are to be published.",
            Some(_) => {
                "Nothing: it is uploaded, and tried again if that fails. `kubectl shrewd status NAME` shows how far it \
                 is, and an event says so if the pod does not take the request."
            }
        },
    );
    let waiting = [refresh, snapshot].map(|(request, reason, words, what_to_do)| {
        let requested = request.waiting(indexer)?;
        Some(Finding {
            conditions: Vec::new(),
            reason: reason.into(),
            messages: vec![format!("{} is {requested}, and {words}", request.annotation)],
            since: None,
            what_to_do: what_to_do.into(),
        })
    });
    waiting.into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures;

    fn reasons_of(indexer: Indexer) -> Vec<String> {
        let seen = Seen {
            indexer,
            unread: Vec::new(),
        };
        findings(&seen).into_iter().map(|finding| finding.reason).collect()
    }

    #[test]
    fn an_index_that_follows_has_none() {
        assert_eq!(reasons_of(fixtures::following()), [""; 0]);
    }

    #[test]
    fn conditions_of_one_reason_are_one_finding_in_the_order_of_what_matters() {
        assert_eq!(reasons_of(fixtures::halted()), ["Halted"]);
        assert_eq!(reasons_of(fixtures::hotfix()), ["Halted", "CatchingUp"]);
        assert_eq!(reasons_of(fixtures::suspended()), ["Suspended"]);
        let full = reasons_of(fixtures::disk_nearly_full());
        assert_eq!(full, ["VolumeLow", "AboveThreshold", "StorageDenied"]);
    }

    #[test]
    fn what_nothing_in_the_conditions_shows_is_found() {
        assert_eq!(reasons_of(fixtures::newborn()), ["NeverSeen"]);
        let mut changed = fixtures::following();
        changed.metadata.generation = Some(4);
        let requests = [REFRESH, SNAPSHOT].map(|request| (request.annotation.to_owned(), "now".to_owned()));
        changed.metadata.annotations = Some(requests.into());
        let expected = ["ChangeNotSeen", "RefreshRequested", "SnapshotRequested"];
        assert_eq!(reasons_of(changed), expected);
    }

    #[test]
    fn what_only_a_pod_says_is_found() {
        let mut indexer = fixtures::following();
        if let Some(status) = &mut indexer.status {
            status.pods[1].phase = Phase::Starting;
            status.pods[1].message = Some("the store is converted".into());
        }
        assert_eq!(reasons_of(indexer), ["PodStarting"]);
        assert_eq!(
            reasons_of(fixtures::halted()),
            ["Halted"],
            "its words are those of the condition"
        );
    }

    #[test]
    fn commands_have_the_name_of_the_indexer() {
        let seen = Seen {
            indexer: fixtures::halted(),
            unread: Vec::new(),
        };
        let line = &findings(&seen)[0].what_to_do;
        assert!(line.contains("`kubectl shrewd refresh outpoints`"), "{line}");
    }

    #[test]
    fn a_reason_of_a_newer_operator_has_words_too() {
        let mut indexer = fixtures::halted();
        if let Some(status) = &mut indexer.status {
            status
                .conditions
                .iter_mut()
                .for_each(|condition| condition.reason = "Invented".into());
        }
        let seen = Seen {
            indexer,
            unread: Vec::new(),
        };
        assert_eq!(findings(&seen)[0].what_to_do, UNKNOWN_REASON);
    }
}
