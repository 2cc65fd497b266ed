//! (I/O) The step between observation and decision: gathers what is not observed in every pass about a candidate, then
//! [`rollout::decide`] decides once.

use std::{collections::BTreeMap, time::Instant};

use crds::{Comparison, IndexerStatus, MemoryRecommendation, Revision, pod::seed_reasons};
use k8s_openapi::jiff::Timestamp;

use super::{comparisons::Subject, context::Context, progress::Seen, turns};
use crate::{
    compare::questionnaire,
    facts::Observed,
    memory::Memories,
    objects::{Key, Served},
    observe::{obstacle, rebuilding},
    rollout::{self, Compared, Decision, Health, Step, World},
    validate::ValidIndexer,
};

/// A decision, and what it is based on.
pub(super) struct Decided {
    pub(super) decision: Decision,
    /// The revisions named by the Service before.
    pub(super) served: Option<Served>,
    /// The comparison of views made for this candidate, if one was.
    pub(super) comparison: Option<Comparison>,
    /// What containers of each revision should have of memory, as far as was seen.
    recommended: BTreeMap<Revision, MemoryRecommendation>,
    /// What they are given, where the operator decides.
    pub(super) memories: Memories,
}

impl Decided {
    /// What is recommended for the revision that serves.
    pub(super) fn recommendation(&self) -> Option<&MemoryRecommendation> {
        self.recommended.get(&self.decision.serving)
    }
}

#[cfg(test)]
impl Decided {
    /// A decision for which nothing was asked.
    pub(super) fn of(decision: Decision) -> Self {
        Self {
            decision,
            served: None,
            comparison: None,
            recommended: BTreeMap::new(),
            memories: Memories::default(),
        }
    }
}

/// Gathers what is missing and decides about revisions.
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
    if rollout::is_queued(valid, &world) {
        // What other operators do is theirs.
        let mut underway = rebuilding(&context.stores);
        underway.retain(|key| !context.ledger.holdings.is_left_alone(key));
        world.inquiry.has_turn = context
            .ledger
            .turns
            .take(key, &underway, context.max_rollouts, Instant::now());
    }
    let comparison = match rollout::transition(valid, &world) {
        None => {
            context.history.forget_candidate(key);
            context.ledger.comparisons.forget(key);
            None
        }
        Some(transition) => inquire(valid, observed, &transition, &mut world, key, context).await, // [I/O]
    };
    let mut decision = rollout::decide(valid, &world); // [pure]
    if matches!(decision.step, Step::Queued(_)) {
        // What it waits for is another Indexer's.
        decision.again_after = Some(
            decision
                .again_after
                .map_or(turns::LOOK_AGAIN, |after| after.min(turns::LOOK_AGAIN)),
        );
    }
    let peaks = &context.ledger.peaks;
    let recommended = peaks.recommend(key, valid, &decision, observed, last_status, Instant::now());
    Decided {
        memories: Memories::of(valid, &decision, &recommended, observed), // [pure]
        decision,
        served,
        comparison,
        recommended,
    }
}

/// Gathers what is to be known of a candidate. Returns the comparison of views that was made for it, if one was.
async fn inquire(
    valid: &ValidIndexer,
    observed: &Observed,
    transition: &(Revision, Revision),
    world: &mut World,
    key: &Key,
    context: &Context,
) -> Option<Comparison> {
    let (_, candidate) = transition;
    let seen = seen(candidate, observed, world);
    let progress = context.history.note_progress(key, candidate, seen, world.now);
    (world.inquiry.idle, world.inquiry.healthy_since) = (progress.idle(), progress.healthy_since());
    if is_short_of_pods(valid, candidate, observed) {
        world.inquiry.obstacle = obstacle(&context.client, key, candidate).await; // [I/O]
    }
    let made = context.history.comparison(key, candidate, &valid.rollout.compare_views);
    world.inquiry.compared = made.as_ref().map(done);
    if !rollout::is_comparison_due(valid, candidate, world) {
        return made;
    }
    let outcome = compare(valid, observed, transition, key, context);
    world.inquiry.compared = outcome.as_ref().map(|outcome| match outcome {
        Ok(made) => done(made),
        Err(why) => Compared::Impossible(why.clone()),
    });
    outcome.and_then(Result::ok).or(made)
}

/// What came of comparing the views of two revisions: that happens beside the passes, and its outcome is kept. None: it is
/// under way; or why it cannot be done.
fn compare(
    valid: &ValidIndexer,
    observed: &Observed,
    (serving, candidate): &(Revision, Revision),
    key: &Key,
    context: &Context,
) -> Option<Result<Comparison, String>> {
    let views = &valid.rollout.compare_views;
    let subject = Subject {
        serving: serving.clone(),
        candidate: candidate.clone(),
        views: views.clone(),
    };
    let prepare = || questionnaire(valid, observed, serving, candidate);
    let (pods, sampler) = (&context.pods, &context.sampler);
    let comparisons = &context.ledger.comparisons;
    let outcome = comparisons.outcome(key, &subject, prepare, pods, sampler, Instant::now()); // [I/O] beside
    if let Some(Ok(made)) = &outcome {
        context.history.note_comparison(key, candidate, views, made.clone());
    }
    outcome
}

/// What this pass sees of a candidate.
fn seen(candidate: &Revision, observed: &Observed, world: &World) -> Seen {
    let answers = || observed.answers_of(candidate);
    let all_answers = observed.pods.iter().filter_map(|pod| pod.sample.answer());
    let health = world.sets.get(candidate).map(|set| &set.health);
    Seen {
        height: answers().filter_map(|status| status.height).max(),
        tip: all_answers.filter_map(|status| status.tip).max(),
        is_copying: answers().any(|status| seed_reasons::UNDER_WAY.contains(&status.seed.reason.as_str())),
        is_healthy: matches!(health, Some(Health::Healthy { .. })),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        facts::Sample,
        fixtures::{answering_pod, following, valid},
    };

    #[test]
    fn a_candidate_that_is_filled_is_not_idle_whatever_it_is_filled_with() {
        for (reason, expected) in [
            (seed_reasons::COPYING, true),
            (seed_reasons::RESTORING, true),
            (seed_reasons::SEEDED, false),
            (seed_reasons::SNAPSHOT_UNAVAILABLE, false),
        ] {
            let mut status = following(100);
            status.seed.reason = reason.into();
            let mut pod = answering_pod("one-0");
            pod.sample = Sample::Answer(Box::new(status));
            let observed = Observed {
                pods: vec![pod],
                ..Observed::default()
            };
            let world = World::of(&valid(), &observed, None, None, Timestamp::UNIX_EPOCH);
            let seen = seen(&valid().revision, &observed, &world);
            assert_eq!(seen.is_copying, expected, "{reason}");
        }
    }
}
