//! Waiting for a condition: the only way time passes in these tests.

use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use tokio::time::{Instant, sleep, timeout};

pub mod outlook;
mod sightings;

use outlook::is_hopeless;
use sightings::Sightings;

/// Enough on a slow machine with four tests at once, for whatever has no promised time of its own.
pub const PATIENCE: Duration = Duration::from_secs(180);
const PAUSE: Duration = Duration::from_millis(500);
/// Every probe has at least this long, including the last one.
const PROBE_MIN: Duration = Duration::from_secs(5);

/// Probes until it succeeds. An error means "not yet" and says what was seen instead, unless no waiting can mend it
/// (see [`outlook`]).
///
/// # Errors
/// At once on an error that no waiting can mend; otherwise after `within`, with the last error of the probe. Either way
/// with the errors before it and when they changed.
pub async fn until<T>(what: &str, within: Duration, mut probe: impl AsyncFnMut() -> Result<T>) -> Result<T> {
    let start = Instant::now();
    let mut seen = Sightings::default();
    loop {
        // A probe that hangs must not outlast the wait.
        let left = within.saturating_sub(start.elapsed()).max(PROBE_MIN);
        let outcome = timeout(left, probe())
            .await
            .unwrap_or_else(|_| Err(anyhow!("the probe did not end")));
        let elapsed = start.elapsed();
        match outcome {
            Ok(found) => return Ok(found),
            Err(error) if is_hopeless(&error) => {
                let waited = elapsed.as_secs();
                return Err(error).with_context(|| format!("gave up after {waited} s: {what}{seen}"));
            }
            Err(error) if elapsed >= within => {
                return Err(error).with_context(|| format!("no success in {} s: {what}{seen}", within.as_secs()));
            }
            Err(error) => seen.note(elapsed, &format!("{error:#}")),
        }
        sleep(PAUSE).await;
    }
}

/// Probes for a whole period. An error means that something has happened which must not.
///
/// # Errors
/// The probe's first error.
pub async fn throughout(what: &str, time: Duration, mut probe: impl AsyncFnMut() -> Result<()>) -> Result<()> {
    let end = Instant::now() + time;
    loop {
        probe().await.with_context(|| format!("it no longer holds: {what}"))?;
        if Instant::now() >= end {
            return Ok(());
        }
        sleep(PAUSE).await;
    }
}

#[cfg(test)]
mod tests {
    use anyhow::{bail, ensure};

    use super::*;
    use crate::wait::outlook::Hopeless;

    #[tokio::test]
    async fn probes_again_until_it_succeeds() {
        let mut probes = 0;
        let found = until("third time", Duration::from_secs(10), async || {
            probes += 1;
            ensure!(probes == 3);
            Ok(probes)
        });
        assert_eq!(found.await.unwrap(), 3);
    }

    #[tokio::test]
    async fn says_what_it_waited_for_and_what_it_saw() {
        let outcome = until("rain", Duration::ZERO, async || -> Result<()> {
            bail!("the sun shines")
        })
        .await;
        assert_eq!(
            format!("{:#}", outcome.unwrap_err()),
            "no success in 0 s: rain: the sun shines"
        );
    }

    #[tokio::test]
    async fn what_no_waiting_mends_ends_the_wait_with_what_was_seen_before() {
        let mut probes = 0;
        let outcome = until("rain", PATIENCE, async || -> Result<()> {
            probes += 1;
            ensure!(probes > 1, "clouds");
            bail!(Hopeless("this is a desert".into()))
        })
        .await;
        let words = format!("{:#}", outcome.unwrap_err());
        assert!(words.starts_with("gave up after "), "{words}");
        assert!(
            words.contains("clouds") && words.ends_with("this is a desert"),
            "{words}"
        );
        assert_eq!(probes, 2);
    }

    #[tokio::test]
    async fn what_must_hold_throughout_is_looked_at_again() {
        let mut probes = 0;
        let outcome = throughout("calm", Duration::from_secs(10), async || {
            probes += 1;
            ensure!(probes < 3, "a storm");
            Ok(())
        });
        assert_eq!(
            format!("{:#}", outcome.await.unwrap_err()),
            "it no longer holds: calm: a storm"
        );
    }
}
