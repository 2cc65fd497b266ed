//! (I/O) Volumes that are to be larger: which claims are due, and having them ask for more.

use std::time::Instant;

use k8s_openapi::{Resource, api::core::v1::PersistentVolumeClaim};

use super::context::Context;
use crate::{
    apply,
    facts::Observed,
    metrics::Purpose,
    objects::Key,
    rollout::Decision,
    storage::{Growth, Raise, Refusal, Sizes, growths, raises},
    validate::ValidIndexer,
};

/// What is due.
pub(super) struct Due<'a> {
    raises: Vec<Raise<'a>>,
    growths: Vec<Growth>,
}

/// Claims that are smaller than `sizes`, and those of volumes that grow by themselves, but for what was refused a moment
/// ago.
pub(super) fn due<'a>(
    valid: &ValidIndexer,
    decision: &Decision,
    sizes: &Sizes,
    observed: &'a Observed,
    key: &Key,
    context: &Context,
) -> Due<'a> {
    let growths = growths(valid, decision, observed, &context.ledger.grown.before(key)); // [pure]
    let mut due: Vec<Raise<'_>> = growths
        .iter()
        .flat_map(|growth| growth.raises(valid, observed).0)
        .collect();
    for raise in raises(valid, decision, sizes, observed) {
        // A claim that is to be larger still is not written twice.
        if !due.iter().any(|larger| larger.claim.name == raise.claim.name) {
            due.push(raise);
        }
    }
    let raises = context.ledger.raising.due(key, due, Instant::now());
    Due { raises, growths }
}

impl Due<'_> {
    /// Whether nothing is.
    pub(super) fn is_empty(&self) -> bool {
        self.raises.is_empty()
    }

    /// Has claims ask for more. A refusal is noted and holds nothing else up. Returns whether any was raised, and the
    /// growths that began.
    ///
    /// # Errors
    /// With [`apply::Class::LookAgain`] if a claim changed meanwhile.
    pub(super) async fn carry_out(
        self,
        valid: &ValidIndexer,
        observed: &Observed,
        key: &Key,
        context: &Context,
    ) -> Result<(bool, Vec<Growth>), apply::Error> {
        let mut raised = Vec::new();
        for raise in &self.raises {
            if raise_one(raise, key, context).await? {
                raised.push(&raise.claim.name);
            }
        }
        let mut begun = Vec::new();
        for growth in self.growths {
            let (raises, capacities) = growth.raises(valid, observed);
            if raises.iter().any(|raise| raised.contains(&&raise.claim.name)) {
                context.ledger.grown.note(key, capacities);
                begun.push(growth);
            }
        }
        Ok((!raised.is_empty(), begun))
    }
}

/// Returns whether the claim was raised.
async fn raise_one(raise: &Raise<'_>, key: &Key, context: &Context) -> Result<bool, apply::Error> {
    let (claim, size) = (&raise.claim.name, &raise.size.text);
    let refused = match apply::raise(&context.client, key, raise).await {
        Ok(()) => {
            context.metrics.changed(PersistentVolumeClaim::KIND, Purpose::Grow);
            tracing::info!(indexer = %key, claim, size, "raised a volume claim");
            None
        }
        Err(error) if error.class() == apply::Class::LookAgain => return Err(error),
        Err(error) => {
            let words = error.explanation();
            tracing::warn!(indexer = %key, claim, size, words, "could not raise a volume claim; it is tried again");
            Some(Refusal {
                claim: claim.clone(),
                size: size.clone(),
                obstacle: error.obstacle(),
                words,
            })
        }
    };
    let is_raised = refused.is_none();
    context.ledger.raising.note(key, claim, refused, Instant::now());
    Ok(is_raised)
}
