//! What is left of revisions whose objects are gone: claims for their volumes, and the records on those or in the status.

use std::collections::BTreeMap;

use crds::{IndexerStatus, Revision};

use crate::{
    facts::{Observed, VolumeClaim},
    names,
    record::Record,
    validate::ValidIndexer,
};

/// What is left of revisions that have neither a `StatefulSet` nor a `ConfigMap` with a readable record.
#[derive(Debug, Default)]
pub(super) struct Kept {
    /// Their records.
    pub(super) records: BTreeMap<Revision, Record>,
    /// Claims of this Indexer's whose revision has no object and no record any more.
    pub(super) forgotten: BTreeMap<Revision, Vec<String>>,
}

impl Kept {
    /// Looks for them. Only a revision with a claim that has a volume counts: of any other nothing would be lost.
    pub(super) fn of(valid: &ValidIndexer, observed: &Observed, last_status: Option<&IndexerStatus>) -> Self {
        let mut kept = Self::default();
        for (revision, claims) in by_revision(valid, observed) {
            if matches!(observed.records.get(revision), Some(Some(_))) {
                continue;
            }
            let is_own = claims.iter().any(|claim| claim.is_of(valid));
            match source(valid, revision, &claims, last_status) {
                Source::Record(record) => {
                    // Whom another Indexer moved its clients to does not matter here.
                    let served = record.served.filter(|_| is_own);
                    kept.records.insert(revision.clone(), Record { served, ..record });
                }
                Source::Nothing if is_own && !observed.records.contains_key(revision) => {
                    let names = claims.iter().map(|claim| claim.name.clone()).collect();
                    kept.forgotten.insert(revision.clone(), names);
                }
                Source::Nothing | Source::Retired => {}
            }
        }
        kept
    }
}

fn by_revision<'a>(valid: &ValidIndexer, observed: &'a Observed) -> BTreeMap<&'a Revision, Vec<&'a VolumeClaim>> {
    let mut found: BTreeMap<_, Vec<_>> = BTreeMap::new();
    let is_its = |claim: &&VolumeClaim| claim.is_kept() && claim.is_for_pod_of(&valid.name);
    for claim in observed.claims.iter().filter(is_its) {
        found.entry(&claim.revision).or_default().push(claim);
    }
    found
}

/// What says how a revision's data was built.
enum Source {
    Record(Record),
    /// Nothing, and nothing needs to.
    Retired,
    Nothing,
}

/// Claims are stamped in the order of their names, so the first stamp is the newest. The status is written after all.
fn source(
    valid: &ValidIndexer,
    revision: &Revision,
    claims: &[&VolumeClaim],
    last_status: Option<&IndexerStatus>,
) -> Source {
    let stamp = claims.iter().find_map(|claim| claim.stamp.as_deref());
    match stamp {
        Some(names::RECORD_RETIRED) => return Source::Retired,
        Some(names::RECORD_AS_DECLARED) if *revision == valid.revision => return Source::Record(valid.declared()),
        _ => {}
    }
    let in_status = || {
        let rows = last_status.map(|status| status.records.as_slice()).unwrap_or_default();
        let row = rows.iter().find(|row| row.revision == *revision)?;
        Record::parse(&row.record)
    };
    stamp
        .and_then(Record::parse)
        .or_else(in_status)
        .map_or(Source::Nothing, Source::Record)
}
