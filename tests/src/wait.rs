//! Waiting for a condition: the only way time passes in these tests.

use std::time::Duration;

use anyhow::{Context, Result};
use tokio::time::{Instant, sleep};

/// What a slow machine with four tests at once needs for anything that is not itself promised to be fast.
pub const PATIENCE: Duration = Duration::from_secs(180);
const PAUSE: Duration = Duration::from_millis(500);

/// Probes until it succeeds. An error means "not yet" and says what was seen instead.
///
/// # Errors
/// After `within`, with the last error of the probe.
pub async fn until<T>(what: &str, within: Duration, mut probe: impl AsyncFnMut() -> Result<T>) -> Result<T> {
    let end = Instant::now() + within;
    loop {
        match probe().await {
            Ok(found) => return Ok(found),
            Err(last) if Instant::now() >= end => {
                return Err(last).with_context(|| format!("waited {} s in vain: {what}", within.as_secs()));
            }
            Err(_) => sleep(PAUSE).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use anyhow::ensure;

    use super::*;

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
            anyhow::bail!("the sun shines")
        })
        .await;
        assert_eq!(
            format!("{:#}", outcome.unwrap_err()),
            "waited 0 s in vain: rain: the sun shines"
        );
    }
}
