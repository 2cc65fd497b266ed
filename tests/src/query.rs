//! Queries of an index: of a pod directly, or through the Service like its clients.

use anyhow::{Context, Result, ensure};
use http::{Request, header, request::Builder};
use kube::client::Body;
use serde_json::{Value, json};

use crate::{
    asking::{asking_pod, run_to_end},
    index::Index,
};

/// Headers: the height a request waits for, and the block an answer was read at.
const MIN_HEIGHT: &str = "x-shrewd-min-height";
const HEIGHT: &str = "x-shrewd-height";
const BLOCK_HASH: &str = "x-shrewd-block-hash";

/// A pod is ready a moment before each node leads the Service's address to it; until then connections are refused.
const CONNECT_ATTEMPTS: u32 = 5;

/// An answer of JSON-RPC with its headers.
#[derive(Debug)]
pub struct Answer {
    /// The height it was read at, if stated.
    pub height: Option<u32>,
    /// The block there, in display order.
    pub block_hash: Option<String>,
    /// Its body, a result or an error.
    pub body: Value,
}

impl Answer {
    /// The bytes that a view returned.
    ///
    /// # Errors
    /// If it is an error.
    pub fn bytes(&self) -> Result<Vec<u8>> {
        let result = self.body["result"].as_str();
        bytes_of(result.with_context(|| format!("it answers {}", self.body))?)
    }

    /// The code of an error.
    #[must_use]
    pub fn code(&self) -> Option<i64> {
        self.body["error"]["code"].as_i64()
    }
}

impl Index {
    /// Calls a view of its only pod at a height, past the Service.
    ///
    /// # Errors
    /// If the pod does not answer, or answers with an error.
    pub async fn view_of_pod(&self, function: &str, request: &[u8], height: u32) -> Result<Vec<u8>> {
        let pod = self.pod().await?.metadata.name.context("a pod has a name")?;
        self.view_of(&pod, function, request, height).await
    }

    /// Calls a view of one of its pods at a height, past the Service.
    ///
    /// # Errors
    /// If the pod does not answer, or answers with an error.
    pub async fn view_of(&self, pod: &str, function: &str, request: &[u8], height: u32) -> Result<Vec<u8>> {
        let call = view(function, request, Some(height))?;
        let answer = self.ask(self.post(&format!("pods/{pod}")), call).await?;
        answer
            .bytes()
            .with_context(|| format!("ask for {function} at {height}"))
    }

    /// Calls a view at the tip through the Service, from this machine, with a height to wait for.
    ///
    /// # Errors
    /// If there is no answer. An answer that reports an error is returned.
    pub async fn view_from_height(&self, function: &str, request: &[u8], min_height: u32) -> Result<Answer> {
        let post = self
            .post(&format!("services/{}", self.name))
            .header(MIN_HEIGHT, min_height);
        self.ask(post, view(function, request, None)?).await
    }

    /// Calls a view at the tip through the Service, from a pod created for this call.
    ///
    /// # Errors
    /// If that pod fails; with what it printed.
    pub async fn view_through_service(&self, question: &str, function: &str, request: &[u8]) -> Result<Vec<u8>> {
        for attempt in 1.. {
            let pod = asking_pod(
                &format!("ask-{question}-{attempt}"),
                &self.namespace.cluster.indexer_image,
                &[
                    "view",
                    "--url",
                    &format!("http://{}:{}", self.name, crds::pod::RPC_PORT),
                    function,
                    &format!("0x{}", hex::encode(request)),
                ],
            );
            match run_to_end(&self.namespace, &pod).await {
                Ok(printed) => return bytes_of(printed.trim()),
                Err(error) if attempt < CONNECT_ATTEMPTS && format!("{error:#}").contains("no connection") => {}
                Err(error) => return Err(error),
            }
        }
        unreachable!("the last attempt returns")
    }

    /// A request to a pod or a Service through the API server's proxy.
    fn post(&self, to: &str) -> Builder {
        let (namespace, port) = (&self.namespace.name, crds::pod::RPC_PORT);
        let path = format!("/api/v1/namespaces/{namespace}/{to}:{port}/proxy/");
        Request::post(path).header(header::CONTENT_TYPE, "application/json")
    }

    async fn ask(&self, post: Builder, call: Vec<u8>) -> Result<Answer> {
        let response = self.namespace.cluster.client.send(post.body(Body::from(call))?).await?;
        let (status, headers) = (response.status(), response.headers().clone());
        let body = response.into_body().collect_bytes().await?;
        ensure!(status.is_success(), "{status}: {}", String::from_utf8_lossy(&body));
        let text = |name| headers.get(name).map(|value| value.to_str()).transpose();
        Ok(Answer {
            height: text(HEIGHT)?.map(str::parse).transpose()?,
            block_hash: text(BLOCK_HASH)?.map(str::to_owned),
            body: serde_json::from_slice(&body)?,
        })
    }
}

fn view(function: &str, request: &[u8], height: Option<u32>) -> Result<Vec<u8>> {
    let mut params = vec![json!(function), json!(format!("0x{}", hex::encode(request)))];
    params.extend(height.map(|height| json!(height)));
    let call = json!({"jsonrpc": "2.0", "id": 1, "method": "metashrew_view", "params": params});
    Ok(serde_json::to_vec(&call)?)
}

fn bytes_of(hex: &str) -> Result<Vec<u8>> {
    let digits = hex
        .strip_prefix("0x")
        .with_context(|| format!("{hex:?} does not begin with 0x"))?;
    hex::decode(digits).with_context(|| format!("{hex:?} is no hex"))
}
