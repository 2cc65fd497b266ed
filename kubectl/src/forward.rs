//! One HTTP request to a port of a pod, through the API server.

use std::{io, time::Duration};

use futures::Future;
use http::{HeaderMap, Request, StatusCode, header, request};
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::body::Bytes;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::{cluster::Cluster, pods, rights::Right};

/// After a failure, what the kubelet says about it arrives at once or not at all.
const REASON_TIMEOUT: Duration = Duration::from_secs(1);

/// A request that has no answer.
#[derive(Debug, thiserror::Error)]
pub enum ForwardError {
    /// No answer came in time.
    #[error("the pod did not answer within {} seconds", .0.as_secs())]
    TimedOut(Duration),
    /// The answer is longer than it may be.
    #[error("the answer is longer than the {0} bytes that it may have")]
    TooLong(usize),
    /// The connection to the pod failed.
    #[error("the connection to the pod failed: {0}")]
    Connection(String),
    /// It is not understood.
    #[error("the pod answered with HTTP status {0}")]
    Status(StatusCode),
}

/// Bounds on one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// For all of it.
    pub time: Duration,
    /// For the answer's body.
    pub bytes: usize,
}

/// An answer of status 200.
#[derive(Debug)]
pub struct Answered {
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Bytes,
}

/// Posts JSON to a port of a pod.
///
/// # Errors
/// If the port cannot be forwarded, or there is no answer within the bounds.
pub async fn post(cluster: &Cluster, pod: &str, port: u16, body: Vec<u8>, bounds: Bounds) -> anyhow::Result<Answered> {
    let request = Request::post("/").header(header::CONTENT_TYPE, "application/json");
    ask(cluster, pod, port, (request, body), bounds).await
}

/// Reads a path of a port of a pod.
///
/// # Errors
/// The same.
pub async fn get(cluster: &Cluster, pod: &str, port: u16, path: &str, bounds: Bounds) -> anyhow::Result<Answered> {
    ask(cluster, pod, port, (Request::get(path), Vec::new()), bounds).await
}

async fn ask(
    cluster: &Cluster,
    pod: &str,
    port: u16,
    request: (request::Builder, Vec<u8>),
    bounds: Bounds,
) -> anyhow::Result<Answered> {
    let right = Right::within("get", "pods/portforward", &cluster.namespace);
    let api = pods::api(cluster);
    let mut forwarder = cluster.call(&right, api.portforward(pod, &[port])).await?;
    let reason = forwarder.take_error(port);
    let stream = forwarder
        .take_stream(port)
        .ok_or_else(|| ForwardError::Connection("it has no stream".into()))?;
    let answered = exchange(stream, request, bounds).await;
    let answered = match answered {
        Err(ForwardError::Connection(words)) => Err(ForwardError::Connection(explained(words, reason).await)),
        answered => answered,
    };
    forwarder.abort();
    Ok(answered?)
}

/// The kubelet's words, which are better than those of a connection that ended.
async fn explained(words: String, reason: Option<impl Future<Output = Option<String>>>) -> String {
    let Some(reason) = reason else { return words };
    match tokio::time::timeout(REASON_TIMEOUT, reason).await {
        Ok(Some(reason)) => reason.trim().to_owned(),
        _ => words,
    }
}

/// One request, with its body, over a stream.
///
/// # Errors
/// If there is no answer within the bounds.
pub async fn exchange(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    request: (request::Builder, Vec<u8>),
    bounds: Bounds,
) -> Result<Answered, ForwardError> {
    match tokio::time::timeout(bounds.time, send(stream, request, bounds.bytes)).await {
        Ok(answered) => answered,
        Err(_) => Err(ForwardError::TimedOut(bounds.time)),
    }
}

async fn send(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    (request, body): (request::Builder, Vec<u8>),
    bytes_max: usize,
) -> Result<Answered, ForwardError> {
    let failed = |error: hyper::Error| ForwardError::Connection(error.to_string());
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .map_err(failed)?;
    // It ends with the stream, and its error is that of the request.
    let connection = tokio::spawn(connection);
    let request = request
        .header(header::HOST, "localhost")
        .header(header::CONNECTION, "close")
        .body(Full::new(Bytes::from(body)))
        .map_err(|error| ForwardError::Connection(error.to_string()))?;
    let response = sender.send_request(request).await.map_err(failed)?;
    let (head, body) = response.into_parts();
    if head.status != StatusCode::OK {
        return Err(ForwardError::Status(head.status));
    }
    let collected = Limited::new(body, bytes_max).collect().await;
    connection.abort();
    match collected {
        Ok(body) => Ok(Answered {
            headers: head.headers,
            body: body.to_bytes(),
        }),
        Err(error) if error.is::<LengthLimitError>() => Err(ForwardError::TooLong(bytes_max)),
        Err(error) => Err(ForwardError::Connection(io::Error::other(error).to_string())),
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    const BOUNDS: Bounds = Bounds {
        time: Duration::from_secs(30),
        bytes: 16,
    };

    /// What comes of a pod that answers with these bytes, and then closes the connection.
    async fn answered_with(bytes: &'static [u8]) -> Result<Answered, ForwardError> {
        let (ours, mut theirs) = tokio::io::duplex(4096);
        let pod = tokio::spawn(async move {
            let mut request = vec![0; 4096];
            let read = theirs.read(&mut request).await.unwrap();
            theirs.write_all(bytes).await.unwrap();
            String::from_utf8_lossy(&request[..read]).into_owned()
        });
        let answered = exchange(ours, (Request::post("/"), b"{}".to_vec()), BOUNDS).await;
        let request = pod.await.unwrap();
        assert!(
            request.starts_with("POST / HTTP/1.1\r\nhost: localhost\r\n"),
            "{request}"
        );
        answered
    }

    #[tokio::test]
    async fn an_answer_has_its_headers_and_body() {
        let answered = answered_with(b"HTTP/1.1 200 OK\r\nx-shrewd-height: 7\r\ncontent-length: 2\r\n\r\n[]")
            .await
            .unwrap();
        assert_eq!(
            (
                answered.headers["x-shrewd-height"].to_str().unwrap(),
                &answered.body[..]
            ),
            ("7", &b"[]"[..])
        );
    }

    #[tokio::test]
    async fn what_is_no_answer_is_a_failure() {
        let long = b"HTTP/1.1 200 OK\r\ncontent-length: 17\r\n\r\n12345678901234567";
        assert!(matches!(answered_with(long).await, Err(ForwardError::TooLong(16))));
        let busy = b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n";
        let error = answered_with(busy).await.unwrap_err();
        assert_eq!(
            error.to_string(),
            "the pod answered with HTTP status 503 Service Unavailable"
        );
        assert!(matches!(answered_with(b"").await, Err(ForwardError::Connection(_))));
    }

    #[tokio::test]
    async fn a_pod_that_is_silent_is_given_up() {
        let (ours, _theirs) = tokio::io::duplex(4096);
        let bounds = Bounds {
            time: Duration::from_millis(1),
            ..BOUNDS
        };
        assert!(matches!(
            exchange(ours, (Request::get("/"), Vec::new()), bounds).await,
            Err(ForwardError::TimedOut(_))
        ));
    }
}
