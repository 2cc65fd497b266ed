//! Who may run a view when: permits, a bounded queue in front of them, a deadline, and an end when the client leaves.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use jsonrpsee_types::error::{ErrorObjectOwned, INVALID_PARAMS_CODE};
use tokio::time::timeout_at;

use super::{
    caller::{BATCH_TIMEOUTS, Caller},
    codes::{NOT_AVAILABLE, OVER_LIMIT, VIEW_FAILED, error},
    fair::{FairPermits, Full},
    index::{Answered, Index, Terms},
    params::truncated,
};
use crate::{
    guest::{Budget, CancelFlag, ViewError},
    telemetry::metrics::{Metrics, OTHER_FUNCTION},
};

/// Views that wait for each one that runs. More could rarely be served within the same deadline, and each holds its
/// request in memory.
const WAITING_PER_PERMIT: usize = 8;
/// A view that is still running so long after its deadline is answered for; its permit stays taken until it ends.
const GRACE: Duration = Duration::from_millis(500);

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    #[error(transparent)]
    View(ViewError),
    #[error(
        "the view did not end within {} ms, the wait for its turn included (views.timeout, --view-timeout)",
        .timeout.as_millis()
    )]
    Timeout { timeout: Duration },
    #[error(
        "the time of the whole batch, {BATCH_TIMEOUTS} times views.timeout, ended during this view; split the batch"
    )]
    BatchTimeout,
    #[error(
        "{max_concurrent} views run and as many wait as may (views.maxConcurrent, --max-concurrent-views); \
         try again later"
    )]
    Busy { max_concurrent: usize },
}

/// Runs views of an index, so many at a time.
pub(super) struct Views<I> {
    index: Arc<I>,
    metrics: Arc<Metrics>,
    budget: Budget,
    permits: Arc<FairPermits>,
    max_concurrent: usize,
    timeout: Duration,
}

impl<I: Index> Views<I> {
    /// At most `max_concurrent` at a time, each within `timeout`, and all within the budget.
    pub(super) fn new(
        index: Arc<I>,
        metrics: Arc<Metrics>,
        budget: Budget,
        max_concurrent: u32,
        timeout: Duration,
    ) -> Self {
        let max_concurrent = usize::try_from(max_concurrent).unwrap_or(usize::MAX);
        Self {
            index,
            metrics,
            budget,
            permits: FairPermits::new(max_concurrent, max_concurrent.saturating_mul(WAITING_PER_PERMIT)),
            max_concurrent,
            timeout,
        }
    }

    /// Runs one view on a thread of its own: `work` is given the index, the function and what it may use. Dropping the
    /// future ends the view soon.
    ///
    /// # Errors
    /// [`Failure`]; [`Failure::Timeout`] also of a view that waited for its permit until then.
    pub(super) async fn run(
        &self,
        caller: Caller,
        function: String,
        work: impl FnOnce(&I, &str, &Terms<'_>) -> Result<Answered, ViewError> + Send + 'static,
    ) -> Result<Answered, Failure> {
        if !self.index.has_view(&function) {
            let name = truncated(&function).to_owned();
            let failure = Failure::View(ViewError::UnknownFunction(name));
            Record::start(&self.metrics, OTHER_FUNCTION).outcome = failure.outcome();
            return Err(failure);
        }
        let label = function.clone();
        let work = move |index: &I, terms: &Terms<'_>| work(index, &function, terms);
        let answered = self.read(caller, &label, work).await?;
        if answered.answer.malformed {
            self.metrics.malformed_answer();
        }
        Ok(answered)
    }

    /// Runs what reads the index as if it were a view, which is counted under this name.
    ///
    /// # Errors
    /// As [`Self::run`].
    pub(super) async fn read<T: Send + 'static>(
        &self,
        caller: Caller,
        name: &str,
        work: impl FnOnce(&I, &Terms<'_>) -> Result<T, ViewError> + Send + 'static,
    ) -> Result<T, Failure> {
        let mut record = Record::start(&self.metrics, name);
        let result = self.run_permitted(caller, work).await;
        record.outcome = result.as_ref().map_or_else(Failure::outcome, |_| "ok");
        result
    }

    async fn run_permitted<T: Send + 'static>(
        &self,
        caller: Caller,
        work: impl FnOnce(&I, &Terms<'_>) -> Result<T, ViewError> + Send + 'static,
    ) -> Result<T, Failure> {
        let own_deadline = Instant::now() + self.timeout;
        let deadline = own_deadline.min(caller.deadline);
        let late = || match deadline < own_deadline {
            true => Failure::BatchTimeout,
            false => Failure::Timeout { timeout: self.timeout },
        };
        let busy = |Full| Failure::Busy {
            max_concurrent: self.max_concurrent,
        };
        let permit = match self.permits.enter(caller.client).map_err(busy)? {
            Ok(permit) => permit,
            Err(ticket) => match timeout_at(deadline.into(), ticket.called()).await {
                Ok(called) => called.map_err(busy)?,
                Err(_) => return Err(late()),
            },
        };
        let cancel = CancelOnDrop(CancelFlag::default());
        let flag = cancel.0.clone();
        let (index, budget) = (Arc::clone(&self.index), self.budget.clone());
        let view = tokio::task::spawn_blocking(move || {
            // Here, not in the future: a permit is free when the thread is, not when the client has left.
            let _permit = permit;
            let terms = Terms {
                deadline,
                cancel: &flag,
                budget: &budget,
            };
            work(&index, &terms)
        });
        match timeout_at((deadline + GRACE).into(), view).await {
            Ok(Ok(Err(ViewError::Deadline))) | Err(_) => Err(late()),
            Ok(Ok(result)) => result.map_err(Failure::View),
            Ok(Err(panicked)) => Err(Failure::View(ViewError::Host(format!(
                "the view's thread ended: {panicked}"
            )))),
        }
    }
}

/// Ends the view when the future that waits for it is dropped, as it is when the client leaves.
struct CancelOnDrop(CancelFlag);

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

/// Counts one view however its future ends.
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
    /// As the contract assigns codes; the message is for people.
    pub(super) fn refused(&self) -> ErrorObjectOwned {
        let code = match self {
            Self::View(ViewError::UnknownFunction(_)) => INVALID_PARAMS_CODE,
            Self::View(ViewError::Guest(_)) => VIEW_FAILED,
            Self::View(ViewError::Limit(_) | ViewError::Deadline)
            | Self::Timeout { .. }
            | Self::BatchTimeout
            | Self::Busy { .. } => OVER_LIMIT,
            Self::View(ViewError::Host(_) | ViewError::Cancelled) => NOT_AVAILABLE,
        };
        error(code, self.to_string())
    }

    /// As a metric label.
    fn outcome(&self) -> &'static str {
        match self {
            Self::View(ViewError::UnknownFunction(_)) => "unknown_function",
            Self::View(ViewError::Guest(_)) => "guest_failed",
            Self::View(ViewError::Limit(_)) => "limit",
            Self::View(ViewError::Host(_)) => "host_failed",
            Self::View(ViewError::Cancelled) => "cancelled",
            Self::View(ViewError::Deadline) | Self::Timeout { .. } | Self::BatchTimeout => "deadline",
            Self::Busy { .. } => "busy",
        }
    }
}
