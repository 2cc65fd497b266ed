//! How close a candidate is to serving clients.

use std::time::Duration;

use crds::{OnDifference, Revision};
use k8s_openapi::jiff::Timestamp;

use super::{
    decision::Step,
    health::Health,
    world::{Compared, World, since},
};
use crate::{facts::change::NUMBERS_INTERVAL, validate::ValidIndexer};

/// The assessment of a candidate.
pub(super) struct Assessment {
    pub(super) step: Step,
    pub(super) healthy_since: Option<Timestamp>,
    pub(super) again_after: Option<Duration>,
    pub(super) wants_comparison: bool,
}

impl Assessment {
    fn of(step: Step) -> Self {
        Self {
            step,
            healthy_since: None,
            again_after: None,
            wants_comparison: false,
        }
    }
}

/// Interval of passes while a candidate waits for something that triggers no event. As long as the interval at which
/// numbers are published, because each pass may publish some.
const LOOK_AGAIN: Duration = NUMBERS_INTERVAL;

pub(super) fn assess(valid: &ValidIndexer, revision: &Revision, is_way_back: bool, world: &World) -> Assessment {
    let absent = Health::Waits("its pods are being created".into());
    let health = world.sets.get(revision).map_or(&absent, |set| &set.health);
    match (health, &world.inquiry.obstacle) {
        (Health::Failed(why), _) => Assessment::of(Step::Failed(why.clone())),
        (_, Some(why)) | (Health::Blocked(why), None) => Assessment {
            again_after: Some(LOOK_AGAIN),
            ..Assessment::of(Step::Blocked(why.clone()))
        },
        (Health::Waits(why), None) => waits(valid, why, world),
        (Health::Healthy { tip }, None) => healthy(valid, *tip, is_way_back, world),
    }
}

fn waits(valid: &ValidIndexer, why: &str, world: &World) -> Assessment {
    let deadline = valid.timing.progress_deadline;
    let idle = world.inquiry.idle;
    if idle >= deadline {
        let spelled = &valid.rollout.progress_deadline.0;
        return Assessment::of(Step::Failed(format!("no block indexed for {spelled}: {why}")));
    }
    Assessment {
        again_after: Some((deadline - idle).min(LOOK_AGAIN)),
        ..Assessment::of(Step::CatchingUp(why.to_owned()))
    }
}

/// The gates between a healthy candidate and the clients, in order. A rollback has passed all of them before.
fn healthy(valid: &ValidIndexer, tip: u32, is_way_back: bool, world: &World) -> Assessment {
    let healthy_since = world.inquiry.healthy_since.unwrap_or(world.now);
    let assessment = |step| Assessment {
        healthy_since: Some(healthy_since),
        ..Assessment::of(step)
    };
    if is_way_back {
        return assessment(Step::Switching);
    }
    let soaked = since(healthy_since, world.now);
    if soaked < valid.timing.soak {
        return Assessment {
            again_after: Some(valid.timing.soak - soaked),
            ..assessment(Step::Soaking)
        };
    }
    if let Some(height) = valid.rollout.activate_at.filter(|height| tip < *height) {
        return assessment(Step::Blocked(format!(
            "the chain has not reached rollout.activateAt {height}"
        )));
    }
    if valid.rollout.compare_views.is_empty() {
        return assessment(Step::Switching);
    }
    match &world.inquiry.compared {
        None => Assessment {
            wants_comparison: true,
            again_after: Some(LOOK_AGAIN),
            ..assessment(Step::Blocked("rollout.compareViews are being compared".into()))
        },
        Some(Compared::Impossible(why)) => Assessment {
            wants_comparison: true,
            again_after: Some(LOOK_AGAIN),
            ..assessment(Step::Blocked(why.clone()))
        },
        Some(Compared::Done { different }) if *different > 0 && valid.rollout.on_difference == OnDifference::Block => {
            let answers = match different {
                1 => "1 answer to rollout.compareViews differs".to_owned(),
                n => format!("{n} answers to rollout.compareViews differ"),
            };
            assessment(Step::Differs(answers + ", see status.comparison"))
        }
        Some(Compared::Done { .. }) => assessment(Step::Switching),
    }
}
