//! Questions to an index: to a pod directly, or through the Service from another pod, as its clients ask.

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::{
    asking::{asking_pod, run_to_end},
    index::Index,
};

impl Index {
    /// Asks its only pod for a view at a height, past the Service.
    ///
    /// # Errors
    /// If the pod does not answer, or answers with an error.
    pub async fn view_of_pod(&self, function: &str, request: &[u8], height: u32) -> Result<Vec<u8>> {
        let pod = self.pod().await?.metadata.name.context("a pod has a name")?;
        let path = format!(
            "/api/v1/namespaces/{}/pods/{pod}:{}/proxy/",
            self.namespace.name,
            crds::pod::RPC_PORT
        );
        let params = json!([function, format!("0x{}", hex::encode(request)), height]);
        let call = json!({"jsonrpc": "2.0", "id": 1, "method": "metashrew_view", "params": params});
        let http = http::Request::post(path)
            .header(http::header::CONTENT_TYPE, "application/json")
            .body(serde_json::to_vec(&call)?)?;
        let answer: Value = self.namespace.cluster.client.request(http).await?;
        bytes_of(
            answer["result"]
                .as_str()
                .with_context(|| format!("{function} at {height} answers {answer}"))?,
        )
    }

    /// Asks for a view at the tip through the Service, from a pod made for this question.
    ///
    /// # Errors
    /// If that pod does not end well; with what it printed.
    pub async fn view_through_service(&self, question: &str, function: &str, request: &[u8]) -> Result<Vec<u8>> {
        let name = format!("ask-{question}");
        let pod = asking_pod(
            &name,
            &self.namespace.cluster.indexer_image,
            &[
                "view",
                "--url",
                &format!("http://{}:{}", self.name, crds::pod::RPC_PORT),
                function,
                &format!("0x{}", hex::encode(request)),
            ],
        );
        let printed = run_to_end(&self.namespace, &pod).await?;
        bytes_of(printed.trim())
    }
}

fn bytes_of(hex: &str) -> Result<Vec<u8>> {
    let digits = hex
        .strip_prefix("0x")
        .with_context(|| format!("{hex:?} does not begin with 0x"))?;
    hex::decode(digits).with_context(|| format!("{hex:?} is no hex"))
}
