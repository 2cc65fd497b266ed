//! Which claims are to grow.

use crds::Revision;

use super::sizes::Sizes;
use crate::{
    facts::{Observed, Size, VolumeClaim},
    rollout::Decision,
    validate::ValidIndexer,
};

/// A claim that asks for less than it should.
#[derive(Clone, Debug, PartialEq)]
pub struct Raise<'a> {
    /// The claim.
    pub claim: &'a VolumeClaim,
    /// What it should ask for.
    pub size: Size,
}

/// The claims to be raised: of every revision that has objects, those of pods that are scaled away too, since a pod that
/// comes back gets its claim back. Only one that has a volume can be raised.
#[must_use]
pub fn raises<'a>(valid: &ValidIndexer, decision: &Decision, sizes: &Sizes, observed: &'a Observed) -> Vec<Raise<'a>> {
    let revisions = decision.sets.iter().map(|(revision, _)| revision);
    revisions
        .flat_map(|revision| raises_to(&sizes.size(valid, revision), &valid.name, revision, observed))
        .collect()
}

/// The claims of one revision of the Indexer of this name that ask for less than this.
pub(super) fn raises_to<'a>(size: &Size, indexer: &str, revision: &Revision, observed: &'a Observed) -> Vec<Raise<'a>> {
    let is_due = |claim: &&VolumeClaim| claim.bound && !claim.terminating && claim.requested.bytes < size.bytes;
    let due = observed.claims_of(indexer, revision).filter(is_due);
    due.map(|claim| Raise {
        claim,
        size: size.clone(),
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{
        fixtures::{bound_claim, claim, settled, valid},
        names,
    };

    #[test]
    fn claims_with_a_volume_are_raised_whoever_uses_them() {
        let (valid, decision) = (valid(), settled(&valid()));
        let set = names::of_revision("one", &valid.revision);
        let name = |i: u32| format!("data-{set}-{i}");
        let claims = [
            bound_claim(&name(0), "10Gi"),
            bound_claim(&name(1), "50Gi"),
            claim(&name(2), "10Gi", &json!({"phase": "Pending"})),
            bound_claim(&name(7), "20Gi"),
            bound_claim("data-of-somebody", "1Gi"),
        ];
        let observed = Observed {
            claims: claims.iter().filter_map(VolumeClaim::read).collect(),
            ..Observed::default()
        };
        let sizes = Sizes::of(&valid, &decision, &observed);
        let raised = raises(&valid, &decision, &sizes, &observed);
        let raised: Vec<_> = raised
            .iter()
            .map(|raise| (raise.claim.name.clone(), raise.size.text.as_str()))
            .collect();
        assert_eq!(raised, [(name(0), "50Gi"), (name(7), "50Gi")]);
    }
}
