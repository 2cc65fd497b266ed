//! The records that claims for volumes carry, so that they survive the revision's objects.

use crds::Revision;

use super::decision::Decision;
use crate::{
    facts::{Observed, VolumeClaim},
    names,
    record::Record,
    validate::ValidIndexer,
};

/// A claim that should carry another record.
#[derive(Clone, Debug, PartialEq)]
pub struct Stamp<'a> {
    /// The claim.
    pub claim: &'a VolumeClaim,
    /// The record, as text.
    pub text: String,
}

/// The claims to be stamped, by name. Those of a revision with objects carry its record. Once these are gone, nothing on its
/// claims may say that clients were ever moved to it, or it would come back when the Service is lost. What its data was
/// continued by remains, because the revision's name does not say it.
#[must_use]
pub fn stamps<'a>(valid: &ValidIndexer, decision: &Decision, observed: &'a Observed) -> Vec<Stamp<'a>> {
    let is_its = |claim: &&VolumeClaim| claim.is_kept() && claim.is_for_pod_of(&valid.name);
    let is_known = |claim: &&VolumeClaim| !decision.untouched.contains(&claim.revision);
    let due = observed
        .claims
        .iter()
        .filter(is_its)
        .filter(is_known)
        .filter_map(|claim| {
            let text = match decision.record(&claim.revision) {
                Some(record) => record.text(),
                None if observed.records.contains_key(&claim.revision) || !claim.is_of(valid) => return None,
                None => left(&claim.revision, claim.record()?),
            };
            let is_so = claim.stamp.as_ref() == Some(&text) && claim.stamped_by.as_ref() == Some(&valid.uid);
            (!is_so).then_some(Stamp { claim, text })
        });
    due.collect()
}

/// What is left of the record of a revision that went.
fn left(revision: &Revision, record: Record) -> String {
    let is_by_one_module = !record.in_place && record.identity.revision() == *revision;
    if is_by_one_module {
        return names::RECORD_RETIRED.to_owned();
    }
    Record { served: None, ..record }.text()
}
