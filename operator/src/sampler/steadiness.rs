//! A chain source that comes and goes is shown as lost until it stays.
//!
//! A node that flaps every few seconds would otherwise turn `ChainSourceReady`, and with it `Ready`, each time: a write of
//! the status and an event every few seconds. The first loss shows at once, and so does the first recovery.

use std::time::{Duration, Instant};

use crds::{
    Phase,
    pod::{Check, Status},
};

/// A source that was lost twice within this time must have been there for as long to count as found. Longer than a pod's
/// longest pause between two tries of a node (10 s), so that each try of a flapping node is seen.
const WINDOW: Duration = Duration::from_secs(30);

/// When one pod's source was lost lately.
#[derive(Debug, Default)]
pub(super) struct Steadiness {
    /// The last two times it was lost, the newest last.
    losses: [Option<Instant>; 2],
    /// The last answer in which it was lost: when, and in which words.
    lost: Option<(Instant, Check, Phase)>,
    is_lost: bool,
}

impl Steadiness {
    /// Notes an answer, and makes it say that the source is lost while it comes and goes.
    pub(super) fn steady(&mut self, status: &mut Status, now: Instant) {
        match status.source.ok {
            Some(false) => {
                if !std::mem::replace(&mut self.is_lost, true) {
                    self.losses = [self.losses[1], Some(now)];
                }
                self.lost = Some((now, status.source.clone(), status.phase));
            }
            Some(true) => {
                self.is_lost = false;
                if let (true, Some((at, check, phase))) = (self.has_flapped(), &self.lost)
                    && now.duration_since(*at) < WINDOW
                {
                    status.source.clone_from(check);
                    status.phase = *phase;
                }
            }
            None => {}
        }
    }

    fn has_flapped(&self) -> bool {
        let [Some(first), Some(second)] = self.losses else {
            return false;
        };
        second.duration_since(first) < WINDOW
    }
}

#[cfg(test)]
mod tests {
    use crds::pod::source_reasons;

    use super::*;
    use crate::fixtures::following;

    /// What is shown of a source that is there or not at these seconds.
    fn shown(answers: impl IntoIterator<Item = (u64, bool)>) -> Vec<bool> {
        let (mut steadiness, start) = (Steadiness::default(), Instant::now());
        let shown = answers.into_iter().map(|(second, is_there)| {
            let mut status = following(100);
            if !is_there {
                status.source = Check {
                    ok: Some(false),
                    reason: source_reasons::UNREACHABLE.into(),
                    message: "no connection".into(),
                };
                status.phase = Phase::WaitingForSource;
            }
            steadiness.steady(&mut status, start + Duration::from_secs(second));
            assert_eq!(status.phase == Phase::Following, status.source.ok == Some(true));
            status.source.ok == Some(true)
        });
        shown.collect()
    }

    #[test]
    fn one_loss_and_the_recovery_show_at_once() {
        assert_eq!(shown([(0, true), (2, false), (4, true)]), [true, false, true]);
        let seldom = shown([(0, false), (2, true), (40, false), (42, true)]);
        assert_eq!(seldom, [false, true, false, true]);
    }

    #[test]
    fn a_node_that_flaps_every_two_seconds_turns_twice_and_once_more_when_it_stays() {
        let flapping = (0..60).map(|i| (2 * i, i % 2 == 0));
        // Lost last at 118 s.
        let there = (60..80).map(|i| (2 * i, true));
        let shown = shown(flapping.chain(there));
        let turns: Vec<usize> = (1..shown.len())
            .filter(|i| shown[*i] != shown[i - 1])
            .map(|i| 2 * i)
            .collect();
        assert_eq!(turns, [2, 4, 6, 148]);
    }
}
