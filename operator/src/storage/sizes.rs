//! The size of each revision's volumes.

use std::collections::BTreeMap;

use crds::Revision;

use crate::{
    facts::{Observed, Size},
    rollout::Decision,
    validate::ValidIndexer,
};

/// The size that the volumes of each revision should have: the declared one, or the largest that a claim of that revision
/// asks for. The template of a set does not count: raised for nothing, it must be possible to lower it again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sizes(BTreeMap<Revision, Size>);

/// Volumes that are larger than what the spec says and stay so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TooLarge {
    /// The revision whose volumes they are.
    pub revision: Revision,
    /// Their size.
    pub size: Size,
}

impl Sizes {
    /// The sizes for every revision that has objects.
    #[must_use]
    pub fn of(valid: &ValidIndexer, decision: &Decision, observed: &Observed) -> Self {
        let sizes = decision.sets.iter().map(|(revision, _)| {
            let largest = largest(valid, revision, observed);
            let size = largest.filter(|size| size.bytes > valid.storage_bytes);
            (revision.clone(), size.unwrap_or_else(|| declared(valid)))
        });
        Self(sizes.collect())
    }

    /// The size for a revision; the declared one for a revision that nothing is known of.
    #[must_use]
    pub fn size(&self, valid: &ValidIndexer, revision: &Revision) -> Size {
        self.0.get(revision).cloned().unwrap_or_else(|| declared(valid))
    }

    /// Volumes that the spec would make smaller. Those of a revision that is only kept for a rollback do not count, and
    /// none where they may grow by themselves.
    #[must_use]
    pub fn too_large(&self, valid: &ValidIndexer, decision: &Decision) -> Option<TooLarge> {
        if valid.auto_grow.is_some() {
            return None;
        }
        let is_to_last =
            |revision: &Revision| *revision == decision.serving || decision.candidate.as_ref() == Some(revision);
        let mut larger = self.0.iter().filter(|(_, size)| size.bytes > valid.storage_bytes);
        let (revision, size) = larger.find(|(revision, _)| is_to_last(revision))?;
        Some(TooLarge {
            revision: revision.clone(),
            size: size.clone(),
        })
    }
}

fn declared(valid: &ValidIndexer) -> Size {
    Size {
        text: valid.storage.size.0.clone(),
        bytes: valid.storage_bytes,
    }
}

fn largest(valid: &ValidIndexer, revision: &Revision, observed: &Observed) -> Option<Size> {
    let claims = observed
        .claims_of(&valid.name, revision)
        .filter(|claim| !claim.terminating);
    claims
        .map(|claim| &claim.requested)
        .max_by_key(|size| size.bytes)
        .cloned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        facts::VolumeClaim,
        fixtures::{bound_claim, settled, valid},
        names,
    };

    fn observed(sizes: &[&str]) -> Observed {
        let set = names::of_revision("one", &valid().revision);
        let claims = sizes.iter().enumerate().map(|(i, size)| {
            let claim = bound_claim(&format!("data-{set}-{i}"), size);
            VolumeClaim::read(&claim).unwrap()
        });
        Observed {
            claims: claims.collect(),
            ..Observed::default()
        }
    }

    #[test]
    fn volumes_have_the_declared_size_or_that_of_the_largest_there_is() {
        let (valid, decision) = (valid(), settled(&valid()));
        for (there, size, is_too_large) in [
            (&[][..], "50Gi", false),
            (&["20Gi", "50Gi"], "50Gi", false),
            (&["50Gi", "60Gi"], "60Gi", true),
            (&["51200Mi"], "50Gi", false),
        ] {
            let sizes = Sizes::of(&valid, &decision, &observed(there));
            assert_eq!(sizes.size(&valid, &valid.revision).text, size, "{there:?}");
            assert_eq!(sizes.too_large(&valid, &decision).is_some(), is_too_large, "{there:?}");
        }
    }

    #[test]
    fn what_another_revision_has_says_nothing_about_this_one() {
        let (valid, mut decision) = (valid(), settled(&valid()));
        let candidate = Revision::parse("0123456789").unwrap();
        decision.sets.push((candidate.clone(), valid.declared()));
        decision.candidate = Some(candidate.clone());
        let sizes = Sizes::of(&valid, &decision, &observed(&["60Gi"]));
        assert_eq!(sizes.size(&valid, &candidate).text, "50Gi");
        // Once the smaller one serves, the larger one is only kept.
        decision.serving = candidate;
        assert_eq!(sizes.too_large(&valid, &decision), None);
    }
}
