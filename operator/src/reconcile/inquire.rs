//! (I/O) The step between what was observed and a decision: what is not observed in every pass is found out about a
//! candidate, then [`rollout::decide`] decides once.

use crds::{Comparison, IndexerStatus, Revision, pod::seed_reasons};
use k8s_openapi::jiff::Timestamp;

use super::context::Context;
use crate::{
    compare::compare,
    facts::Observed,
    objects::{Key, Served},
    observe::obstacle,
    rollout::{self, Compared, Decision, World},
    validate::ValidIndexer,
};

/// A decision, and what it is based on.
pub(super) struct Decided {
    pub(super) decision: Decision,
    /// What the Service said before.
    pub(super) served: Option<Served>,
    /// The comparison of views made for this candidate, if one was.
    pub(super) comparison: Option<Comparison>,
}

/// Finds out what is missing and decides about revisions.
pub(super) async fn decide(
    valid: &ValidIndexer,
    observed: &Observed,
    last_status: Option<&IndexerStatus>,
    key: &Key,
    context: &Context,
) -> Decided {
    let now = Timestamp::now();
    let served = context.history.served(key, observed.served.clone());
    let mut world = World::of(valid, observed, served.clone(), last_status, now);
    let mut comparison = None;
    match rollout::transition(valid, &world) {
        None => context.history.forget_candidate(key),
        Some((serving, candidate)) => {
            world.inquiry.progressed_at = Some(progress(&candidate, observed, key, now, context));
            if is_short_of_pods(valid, &candidate, observed) {
                world.inquiry.obstacle = obstacle(&context.client, key, &candidate).await; // [I/O]
            }
            let views = &valid.rollout.compare_views;
            comparison = context.history.comparison(key, &candidate, views);
            world.inquiry.compared = comparison.as_ref().map(done);
            if rollout::is_comparison_due(valid, &candidate, &world) {
                let made = compare(valid, observed, &serving, &candidate, &context.pods).await; // [I/O]
                world.inquiry.compared = Some(match &made {
                    Ok(made) => done(made),
                    Err(why) => Compared::Impossible(why.clone()),
                });
                if let Ok(made) = made {
                    context.history.note_comparison(key, &candidate, views, made.clone());
                    comparison = Some(made);
                }
            }
        }
    }
    Decided {
        decision: rollout::decide(valid, &world), // [pure]
        served,
        comparison,
    }
}

/// When the candidate last progressed.
fn progress(candidate: &Revision, observed: &Observed, key: &Key, now: Timestamp, context: &Context) -> Timestamp {
    let height = observed.answers_of(candidate).filter_map(|status| status.height).max();
    let noted = context.history.note_progress(key, candidate, height, now);
    // Copying a large index takes its time, and there is no height meanwhile.
    let copies = observed
        .answers_of(candidate)
        .any(|status| status.seed.reason == seed_reasons::COPYING);
    if copies { now } else { noted }
}

fn done(comparison: &Comparison) -> Compared {
    Compared::Done {
        different: comparison.different,
    }
}

/// Whether pods of a revision are wanted and not there although its set is.
fn is_short_of_pods(valid: &ValidIndexer, revision: &Revision, observed: &Observed) -> bool {
    let wanted = usize::try_from(valid.replicas).unwrap_or(0);
    observed.records.contains_key(revision) && observed.pods_of(revision).count() < wanted
}
