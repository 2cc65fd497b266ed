//! (pure) What an Indexer waits for, in words.

use crds::{
    Indexer, IndexerStatus,
    conditions::{reasons, types},
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

/// What an Indexer waits for: one sentence, which begins with `nothing` if it is as desired.
#[must_use]
pub fn waits_for(indexer: &Indexer) -> String {
    let generation = indexer.metadata.generation.unwrap_or_default();
    let Some(status) = indexer.status.as_ref().filter(|status| status.observed_generation >= 0) else {
        return never_seen(indexer);
    };
    if indexer.metadata.deletion_timestamp.is_some() {
        return "its deletion, which a finalizer or Kubernetes' garbage collector delays".into();
    }
    if let Some(stalled) = holding(status, types::STALLED) {
        return format!("a person: {}", sentence(stalled));
    }
    if status.observed_generation < generation {
        return format!(
            "the operator, which has seen generation {} of the spec and not yet {generation}",
            status.observed_generation
        );
    }
    let progress = [types::ROLLOUT_IN_PROGRESS, types::RECONCILING];
    if let Some(progress) = progress.iter().find_map(|type_| holding(status, type_)) {
        return sentence(progress);
    }
    at_rest(status)
}

/// That of an Indexer whose conditions say that nothing changes.
fn at_rest(status: &IndexerStatus) -> String {
    match condition(status, types::READY) {
        Some(ready) if ready.status == "True" => match ready.reason.as_str() {
            reasons::SUSPENDED => "nothing: it is suspended, and its data is kept".into(),
            reasons::SCALED_TO_ZERO => "nothing: it has no pods, because spec.replicas is 0".into(),
            _ => "nothing: every pod follows the chain".into(),
        },
        Some(ready) => sentence(ready),
        None => "a status with conditions, which it does not have yet".into(),
    }
}

/// That of one that no operator has looked at. Each looks only after its namespaces and its class.
fn never_seen(indexer: &Indexer) -> String {
    let of_class = match &indexer.spec.operator_class {
        Some(class) => format!(" of class {class}"),
        None => String::new(),
    };
    format!("an operator{of_class}, which has not looked at it yet; is one installed that looks into this namespace?")
}

/// The condition of this type, if it is true.
fn holding<'a>(status: &'a IndexerStatus, type_: &str) -> Option<&'a Condition> {
    condition(status, type_).filter(|condition| condition.status == "True")
}

/// The condition of this type.
#[must_use]
pub fn condition<'a>(status: &'a IndexerStatus, type_: &str) -> Option<&'a Condition> {
    status.conditions.iter().find(|condition| condition.type_ == type_)
}

fn sentence(condition: &Condition) -> String {
    match condition.message.as_str() {
        "" => condition.reason.clone(),
        message => format!("{}: {message}", condition.reason),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures;

    #[test]
    fn every_stage_of_a_life_has_its_words() {
        let mut changed = fixtures::following();
        changed.metadata.generation = Some(9);
        let mut of_a_class = fixtures::newborn();
        of_a_class.spec.operator_class = Some("blue".into());
        let cases = [
            (fixtures::newborn(), "an operator, which has not looked at it yet"),
            (of_a_class, "an operator of class blue, which"),
            (
                fixtures::syncing(),
                "CatchingUp: blocks are missing up to the chain's tip",
            ),
            (fixtures::following(), "nothing: every pod follows the chain"),
            (
                changed,
                "the operator, which has seen generation 3 of the spec and not yet 9",
            ),
            (
                fixtures::hotfix(),
                "CatchingUp: revision 9c41d2e7b0: 4000 blocks are missing",
            ),
            (
                fixtures::halted(),
                "a person: Halted: stopped below height 902151: abort",
            ),
            (fixtures::suspended(), "nothing: it is suspended"),
        ];
        for (indexer, words) in cases {
            let said = waits_for(&indexer);
            assert!(said.starts_with(words), "{said}");
        }
    }
}
