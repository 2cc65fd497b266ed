//! Counts what is written to the API server, events included: a layer of the client, so that no write is forgotten.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use http::{Method, Request, Response, StatusCode};
use tower::{Layer, Service};

use super::Metrics;

/// Adds the counter to a client.
#[derive(Clone, Debug)]
pub struct CountWrites(pub Metrics);

/// A client whose writes are counted.
#[derive(Clone, Debug)]
pub struct Counted<S> {
    inner: S,
    metrics: Metrics,
}

impl<S> Layer<S> for CountWrites {
    type Service = Counted<S>;

    fn layer(&self, inner: S) -> Counted<S> {
        Counted {
            inner,
            metrics: self.0.clone(),
        }
    }
}

impl<S, B, R> Service<Request<B>> for Counted<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    S::Future: Send + 'static,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response<R>, S::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let verb = verb(request.method());
        let kind = kind(request.uri().path());
        let answer = self.inner.call(request);
        let Some(verb) = verb else { return Box::pin(answer) };
        let metrics = self.metrics.clone();
        Box::pin(async move {
            let answer = answer.await;
            let outcome = answer.as_ref().map_or("failed", |answer| outcome(answer.status()));
            metrics.wrote(&kind, verb, outcome);
            answer
        })
    }
}

/// None for what is no write.
fn verb(method: &Method) -> Option<&'static str> {
    match *method {
        Method::POST => Some("create"),
        Method::PUT => Some("update"),
        Method::PATCH => Some("patch"),
        Method::DELETE => Some("delete"),
        _ => None,
    }
}

fn outcome(status: StatusCode) -> &'static str {
    match status.as_u16() {
        200..=299 => "ok",
        409 => "conflict",
        400..=499 => "refused",
        _ => "failed",
    }
}

/// The kind in a path, as paths spell it, with its subresource: `indexers/status`. Paths are our own, so there are few.
fn kind(path: &str) -> String {
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    // After /api/VERSION or /apis/GROUP/VERSION.
    let about = match parts.as_slice() {
        ["api", _, about @ ..] | ["apis", _, _, about @ ..] => about,
        _ => &[],
    };
    let about = match about {
        ["namespaces", _, within @ ..] if !within.is_empty() => within,
        _ => about,
    };
    match about {
        [kind, _, part, ..] => format!("{kind}/{part}"),
        [kind, ..] => (*kind).to_owned(),
        [] => "other".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use tower::{BoxError, ServiceExt, service_fn};

    use super::*;

    #[test]
    fn a_path_says_what_it_is_about() {
        let cases = [
            (
                "/apis/shrewd.dev/v1alpha1/namespaces/ns/indexers/one/status",
                "indexers/status",
            ),
            ("/api/v1/namespaces/ns/pods/one-0/eviction", "pods/eviction"),
            ("/api/v1/namespaces/ns/pods/one-0", "pods"),
            ("/apis/events.k8s.io/v1/namespaces/ns/events", "events"),
            (
                "/apis/apps/v1/namespaces/ns/statefulsets/one?fieldManager=x",
                "statefulsets",
            ),
            ("/api/v1/namespaces/ns", "namespaces"),
            ("/version", "other"),
            ("", "other"),
        ];
        for (path, expected) in cases {
            let uri: http::Uri = format!("http://server{path}").parse().unwrap();
            assert_eq!(kind(uri.path()), expected, "{path}");
        }
    }

    #[tokio::test]
    async fn writes_are_counted_with_their_answers_and_reads_are_not() {
        let metrics = Metrics::new().unwrap();
        let ask = async |method: Method, code: u16| {
            let server = service_fn(move |_: Request<()>| async move {
                match code {
                    0 => Err::<Response<()>, BoxError>("no answer".into()),
                    _ => Ok(Response::builder().status(code).body(())?),
                }
            });
            let path = "/api/v1/namespaces/ns/pods/one-0";
            let request = Request::builder().method(method).uri(path).body(()).unwrap();
            let _ = CountWrites(metrics.clone()).layer(server).oneshot(request).await;
        };
        for code in [200, 409, 422, 500, 0] {
            ask(Method::PATCH, code).await;
        }
        ask(Method::GET, 200).await;
        let text = String::from_utf8(metrics.text().unwrap()).unwrap();
        let counted: Vec<&str> = text
            .lines()
            .filter(|line| line.contains("_api_writes_total{"))
            .collect();
        let line = |outcome: &str, count: u32| {
            format!("shrewd_operator_api_writes_total{{kind=\"pods\",outcome=\"{outcome}\",verb=\"patch\"}} {count}")
        };
        let expected = [
            line("conflict", 1),
            line("failed", 2),
            line("ok", 1),
            line("refused", 1),
        ];
        assert_eq!(counted, expected);
    }
}
