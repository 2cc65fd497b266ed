//! The step between what there is and what shall be: [`rollout`] is decided again with each thing that has to be asked for.

use crds::{Comparison, IndexerStatus, Revision, pod::seed_reasons};
use k8s_openapi::jiff::Timestamp;

use super::Context;
use crate::{
    compare::compare,
    observe::{Observed, obstacles::obstacle},
    rollout::{Compared, Rollout, World, rollout},
    sampler::Key,
    validate::ValidIndexer,
};

/// What was decided, and the answers it rests on.
pub(super) struct Decided {
    pub(super) rollout: Rollout,
    /// The comparison of views made for this candidate, if one was.
    pub(super) comparison: Option<Comparison>,
}

/// Decides on revisions. Adds to what was observed why pods of a candidate are not made.
pub(super) async fn decide(
    valid: &ValidIndexer,
    observed: &mut Observed,
    previous: Option<&IndexerStatus>,
    key: &Key,
    context: &Context,
) -> Decided {
    let now = Timestamp::now();
    observed.served = context.history.served(key, observed.served.take());
    let first = rollout(valid, &World::of(valid, observed, previous, None, None, now)); // [pure]
    let Some(candidate) = first.candidate else {
        context.history.forget_candidate(key);
        return Decided {
            rollout: first,
            comparison: None,
        };
    };
    if is_short_of_pods(valid, &candidate, observed)
        && let Some(why) = obstacle(&context.client, key, &candidate).await
    {
        observed.obstacles.insert(candidate.clone(), why);
    }
    let height = observed.answers_of(&candidate).filter_map(|status| status.height).max();
    let noted = context.history.note_progress(key, &candidate, height, now);
    // A copy of a large index takes as long as it takes, and has no height meanwhile.
    let copies = observed
        .answers_of(&candidate)
        .any(|status| status.seed.reason == seed_reasons::COPYING);
    let progressed_at = if copies { now } else { noted };
    let again = |compared| {
        rollout(
            valid,
            &World::of(valid, observed, previous, Some(progressed_at), compared, now),
        )
    }; // [pure]
    let views = &valid.rollout.compare_views;
    let mut comparison = context.history.comparison(key, &candidate, views);
    let mut decided = again(comparison.as_ref().map(done));
    if decided.wants_comparison {
        let made = compare(valid, observed, &decided.serving, &candidate, &context.sampler).await; // [I/O]
        decided = again(Some(match &made {
            Ok(made) => done(made),
            Err(why) => Compared::Impossible(why.clone()),
        }));
        if let Ok(made) = made {
            context.history.note_comparison(key, &candidate, views, made.clone());
            comparison = Some(made);
        }
    }
    Decided {
        rollout: decided,
        comparison,
    }
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
