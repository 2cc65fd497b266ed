//! Who may run a view when: places, a bounded queue in front of them, a deadline, and an end when the client leaves.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::time::timeout_at;

use super::{
    Index,
    params::truncated,
    places::{Client, Full, Places},
};
use crate::{
    guest::{CancelFlag, ViewAnswer, ViewError},
    telemetry::metrics::{Metrics, OTHER_FUNCTION},
};

/// Views that wait for each one that runs. More could rarely be served within the same deadline, and each holds its
/// request in memory.
const WAITING_PER_PLACE: usize = 8;
/// A view that is still not back so long after its deadline is answered for; its place stays taken until it ends.
const GRACE: Duration = Duration::from_millis(500);

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    #[error(transparent)]
    View(#[from] ViewError),
    #[error("the view did not end within its time of {} ms", .timeout.as_millis())]
    Deadline { timeout: Duration },
    #[error("{max_concurrent} views run and as many wait as may; ask again later")]
    Busy { max_concurrent: usize },
}

/// The places.
pub(super) struct Views {
    places: Arc<Places>,
    max_concurrent: usize,
    timeout: Duration,
}

impl Views {
    pub(super) fn new(max_concurrent: u32, timeout: Duration) -> Self {
        let max_concurrent = usize::try_from(max_concurrent).unwrap_or(usize::MAX);
        Self {
            places: Places::new(max_concurrent, max_concurrent.saturating_mul(WAITING_PER_PLACE)),
            max_concurrent,
            timeout,
        }
    }

    /// Runs one view on a thread of its own: `work` is given the index, the function, its deadline and its flag. Dropping the future ends the view soon.
    ///
    /// # Errors
    /// [`Failure`]; [`Failure::Deadline`] also of a view that waited for its place until then.
    pub(super) async fn run<I: Index>(
        &self,
        index: &Arc<I>,
        metrics: &Arc<Metrics>,
        client: Client,
        function: String,
        work: impl FnOnce(&I, &str, Instant, &CancelFlag) -> Result<ViewAnswer, ViewError> + Send + 'static,
    ) -> Result<ViewAnswer, Failure> {
        let mut record = Record::start(
            metrics,
            if index.has_view(&function) {
                &function
            } else {
                OTHER_FUNCTION
            },
        );
        let result = self.run_placed(index, client, function, work).await;
        record.outcome = match &result {
            Ok(answer) => {
                if answer.malformed {
                    metrics.malformed_answer();
                }
                "ok"
            }
            Err(failure) => failure.outcome(),
        };
        result
    }

    async fn run_placed<I: Index>(
        &self,
        index: &Arc<I>,
        client: Client,
        function: String,
        work: impl FnOnce(&I, &str, Instant, &CancelFlag) -> Result<ViewAnswer, ViewError> + Send + 'static,
    ) -> Result<ViewAnswer, Failure> {
        if !index.has_view(&function) {
            return Err(ViewError::UnknownFunction(truncated(&function).to_owned()).into());
        }
        let deadline = Instant::now() + self.timeout;
        let busy = |Full| Failure::Busy {
            max_concurrent: self.max_concurrent,
        };
        let place = match self.places.enter(client).map_err(busy)? {
            Ok(place) => place,
            Err(ticket) => match timeout_at(deadline.into(), ticket.called()).await {
                Ok(called) => called.map_err(busy)?,
                Err(_) => return Err(Failure::Deadline { timeout: self.timeout }),
            },
        };
        let cancel = CancelOnDrop(CancelFlag::default());
        let flag = cancel.0.clone();
        let index = Arc::clone(index);
        let view = tokio::task::spawn_blocking(move || {
            // Here, not in the future: a place is free when the thread is, not when the client has left.
            let _place = place;
            work(&index, &function, deadline, &flag)
        });
        match timeout_at((deadline + GRACE).into(), view).await {
            Ok(Ok(result)) => Ok(result?),
            Ok(Err(panicked)) => Err(ViewError::Host(format!("the view's thread ended: {panicked}")).into()),
            Err(_) => Err(Failure::Deadline { timeout: self.timeout }),
        }
    }
}

/// Ends the view when the future that waits for it is dropped, which is what a client's leaving amounts to.
struct CancelOnDrop(CancelFlag);

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

/// Counts one view whichever way its future ends.
struct Record<'a> {
    metrics: &'a Metrics,
    function: String,
    started: Instant,
    outcome: &'static str,
}

impl<'a> Record<'a> {
    fn start(metrics: &'a Metrics, function: &str) -> Self {
        metrics.views_running().inc();
        Self {
            metrics,
            function: function.to_owned(),
            started: Instant::now(),
            outcome: "cancelled",
        }
    }
}

impl Drop for Record<'_> {
    fn drop(&mut self) {
        self.metrics.views_running().dec();
        self.metrics.view(&self.function, self.outcome, self.started.elapsed());
    }
}

impl Failure {
    /// As a metric label.
    fn outcome(&self) -> &'static str {
        match self {
            Self::View(ViewError::UnknownFunction(_)) => "unknown_function",
            Self::View(ViewError::Guest(_)) => "guest_failed",
            Self::View(ViewError::Limit(_)) => "limit",
            Self::View(ViewError::Host(_)) => "host_failed",
            Self::View(ViewError::Cancelled) => "cancelled",
            Self::Deadline { .. } => "deadline",
            Self::Busy { .. } => "busy",
        }
    }
}
