//! (pure) All conditions of an Indexer. Messages contain no figure that changes by itself: each change would be a
//! write.
//!
//! Ready says whether everything the spec asks for holds; only then does kstatus consider a resource Current. So an
//! Indexer without pods, suspended or scaled to zero, is Ready once they are gone, with a reason of its own; whether
//! queries are answered is what Available says.

use std::collections::BTreeMap;

use crds::{
    conditions::types,
    pod::{module_reasons, source_reasons},
};

use super::{case::Case, inputs::Inputs, rollout_conditions, verdict::Verdict};
use crate::facts::ObservedPod;

/// One verdict for each of `types::ALL`.
pub(super) struct Verdicts(BTreeMap<&'static str, Verdict>);

impl Verdicts {
    pub(super) fn of(&self, type_: &str) -> &Verdict {
        #[allow(clippy::expect_used)] // `judge` and `types::ALL` are compared by a test
        self.0.get(type_).expect("every type is judged")
    }
}

/// Judges every condition. `pods` are those of the serving revision.
pub(super) fn judge(inputs: &Inputs<'_>, pods: &[&ObservedPod]) -> Verdicts {
    let case = Case::new(inputs, pods);
    let module = case.check(
        |s| &s.module,
        module_reasons::ALL,
        "the module has the declared digest and the needed exports",
    );
    let source = case.check(
        |s| &s.source,
        source_reasons::ALL,
        "the chain source answers for the right network",
    );
    let synced = case.synced();
    let consistent = case.consistent();
    let rollout = rollout_conditions::in_progress(inputs, &case.outdated());
    let own = case.stalled();
    let ready = case.ready(&own, &module, &source, &synced, &consistent);
    // A pod that has not reported yet may have the decisive digest.
    let difference = Some(&consistent).filter(|_| case.answers.len() >= case.wanted && consistent.is_false());
    let stalled = rollout_conditions::stalled(inputs, own, difference);
    let reconciling = case.reconciling(&stalled, &ready, &rollout);
    Verdicts(BTreeMap::from([
        (types::READY, ready),
        (types::AVAILABLE, case.available()),
        (types::SYNCED, synced),
        (types::MODULE_VERIFIED, module),
        (types::CHAIN_SOURCE_READY, source),
        (types::STORAGE_READY, case.storage_ready()),
        (types::SNAPSHOTS_READY, case.snapshots_ready()),
        (types::MEMORY_PRESSURE, case.memory_pressure()),
        (types::MEMORY_UNDERSIZED, case.memory_undersized()),
        (types::CONSISTENT, consistent),
        (types::ROLLOUT_IN_PROGRESS, rollout),
        (types::RECONCILING, reconciling),
        (types::STALLED, stalled),
        (types::SUSPENDED, case.suspended()),
    ]))
}
