//! The one place that every write to the API server passes, events included: a layer of the client. What is not a read is
//! sent only by a process that may write, and given up when it may no more.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use http::{Method, Request};
use tower::{BoxError, Layer, Service};

use super::leadership::Leadership;

/// Adds the gate to a client.
#[derive(Clone, Debug)]
pub struct Gate(pub Leadership);

/// A client behind the gate.
#[derive(Clone, Debug)]
pub struct Gated<S> {
    inner: S,
    leadership: Leadership,
}

/// A write was not sent, or its answer was not waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this operator does not lead any more")]
pub struct NotLeading;

impl<S> Layer<S> for Gate {
    type Service = Gated<S>;

    fn layer(&self, inner: S) -> Gated<S> {
        Gated {
            inner,
            leadership: self.0.clone(),
        }
    }
}

impl<S, B> Service<Request<B>> for Gated<S>
where
    S: Service<Request<B>>,
    S::Future: Send + 'static,
    S::Error: Into<BoxError> + Send + 'static,
    S::Response: Send + 'static,
{
    type Response = S::Response;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        if is_read(request.method()) {
            let answer = self.inner.call(request);
            return Box::pin(async { answer.await.map_err(Into::into) });
        }
        if !self.leadership.may_write() {
            return Box::pin(async { Err(NotLeading.into()) });
        }
        let answer = self.inner.call(request);
        let leadership = self.leadership.clone();
        Box::pin(async move {
            tokio::select! {
                biased;
                // Dropping the call closes its stream, so a server that has not begun with it does not begin.
                () = leadership.over() => Err(NotLeading.into()),
                answer = answer => answer.map_err(Into::into),
            }
        })
    }
}

fn is_read(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}

#[cfg(test)]
mod tests {
    use std::{
        sync::{
            Arc,
            atomic::{AtomicUsize, Ordering},
        },
        time::Duration,
    };

    use tokio::time::Instant;
    use tower::{ServiceExt, service_fn};

    use super::*;

    /// Sends one request through a gate to a server that answers after this long. Returns whether it was answered, and how
    /// many requests came through.
    async fn ask(method: Method, leadership: &Leadership, answers_after: Duration) -> (Result<(), String>, usize) {
        let came = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&came);
        let server = service_fn(move |_: Request<()>| {
            counter.fetch_add(1, Ordering::Relaxed);
            async move {
                tokio::time::sleep(answers_after).await;
                Ok::<(), BoxError>(())
            }
        });
        let request = Request::builder().method(method).body(()).unwrap();
        let asked = Gate(leadership.clone()).layer(server).oneshot(request).await;
        (asked.map_err(|error| error.to_string()), came.load(Ordering::Relaxed))
    }

    #[tokio::test(start_paused = true)]
    async fn only_who_leads_writes_and_everybody_reads() {
        let ms = Duration::from_millis(1);
        let writes = [Method::POST, Method::PUT, Method::PATCH, Method::DELETE];
        let not_leading = Err(NotLeading.to_string());
        for method in &writes {
            let leading = Leadership::until(Instant::now() + Duration::from_secs(8));
            assert_eq!(ask(method.clone(), &leading, ms).await, (Ok(()), 1));
            leading.end();
            assert_eq!(
                ask(method.clone(), &leading, ms).await,
                (not_leading.clone(), 0),
                "{method}"
            );
            let past = Leadership::until(Instant::now());
            assert_eq!(
                ask(method.clone(), &past, ms).await,
                (not_leading.clone(), 0),
                "{method}"
            );
            assert_eq!(ask(Method::GET, &past, ms).await, (Ok(()), 1));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_write_under_way_is_given_up_when_the_right_ends() {
        let start = Instant::now();
        let leadership = Leadership::until(start + Duration::from_secs(8));
        let asked = ask(Method::PATCH, &leadership, Duration::from_secs(30)).await;
        assert_eq!(asked, (Err(NotLeading.to_string()), 1));
        assert!(start.elapsed() < Duration::from_secs(9));
        let slow = ask(Method::PATCH, &Leadership::unchallenged(), Duration::from_secs(30)).await;
        assert_eq!(slow, (Ok(()), 1));
    }
}
