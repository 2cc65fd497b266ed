//! Log lines about waits that are not failures and would otherwise be silent: a block that does not end, a first block
//! above the tip, a node behind the index. Nothing is stopped because of the time it takes.

use std::{sync::Arc, time::Duration};

use crds::pod::{BlockUnderWay, Status, source_reasons};
use tokio_util::sync::CancellationToken;

use super::report::Report;

/// Pause between two looks at the report.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Seconds between two lines about the same run of a block, and before the first one.
const LINE_EVERY_SECONDS: u64 = 10;

/// What was said so far.
#[derive(Default)]
struct Pulse {
    /// The run seen last, and the number of its seconds at which a line is due.
    run: Option<(BlockUnderWay, u64)>,
    start_said: bool,
    /// Until the node has caught up.
    behind_said: bool,
}

/// Writes the lines until `stop` is cancelled.
pub async fn run(report: Arc<Report>, stop: CancellationToken) {
    let mut pulse = Pulse::default();
    let beat = async {
        loop {
            pulse.look(&report);
            tokio::time::sleep(LOOK_EVERY).await;
        }
    };
    stop.run_until_cancelled(beat).await;
}

impl Pulse {
    fn look(&mut self, report: &Report) {
        if let Some((first, tip)) = report.start_above_tip()
            && !std::mem::replace(&mut self.start_said, true)
        {
            tracing::info!(first, tip, "the first block is above the node's tip: waiting for it");
        }
        let Status {
            source,
            block_under_way: under_way,
            ..
        } = report.status();
        let is_behind = source.reason == source_reasons::NODE_BEHIND;
        if is_behind && !self.behind_said {
            tracing::warn!(reason = source.reason, "{}", source.message);
        }
        self.behind_said = is_behind;
        if let Some(block) = under_way.filter(|block| self.is_line_due(block)) {
            tracing::warn!(
                height = block.height,
                block = block.block_hash,
                run = block.run_in_words(),
                seconds = block.seconds,
                "the guest is still running this block, which has no time limit"
            );
        }
    }

    /// Whether it is time for a line about this run.
    fn is_line_due(&mut self, now: &BlockUnderWay) -> bool {
        let same_run = |seen: &BlockUnderWay| {
            let mut seen = seen.clone();
            seen.seconds = now.seconds;
            seen == *now
        };
        let due_at = match &self.run {
            Some((seen, due_at)) if same_run(seen) => *due_at,
            _ => LINE_EVERY_SECONDS,
        };
        let is_due = now.seconds >= due_at;
        let due_at = if is_due {
            now.seconds + LINE_EVERY_SECONDS
        } else {
            due_at
        };
        self.run = Some((now.clone(), due_at));
        is_due
    }
}

#[cfg(test)]
mod tests {
    use crds::pod::BlockRun;

    use super::*;

    fn seconds_with_a_line(pulse: &mut Pulse, mut block: BlockUnderWay, seconds: std::ops::Range<u64>) -> Vec<u64> {
        seconds
            .filter(|now| {
                block.seconds = *now;
                pulse.is_line_due(&block)
            })
            .collect()
    }

    #[test]
    fn a_line_comes_every_ten_seconds_of_one_run() {
        let mut pulse = Pulse::default();
        let block = |run| BlockUnderWay::now(7, "aa".into(), run, 1);
        assert_eq!(
            seconds_with_a_line(&mut pulse, block(BlockRun::First), 0..35),
            [10, 20, 30]
        );
        assert_eq!(
            seconds_with_a_line(&mut pulse, block(BlockRun::Retry), 0..10),
            [0; 0],
            "another run of it"
        );
        // A machine that was asleep says it once.
        assert_eq!(
            seconds_with_a_line(&mut pulse, block(BlockRun::Audit), 55..66),
            [55, 65]
        );
    }
}
