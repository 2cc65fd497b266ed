//! Whose an Indexer is, in the status.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The operator that looks after an Indexer. Others leave it alone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OperatorStatus {
    /// Its installation, as `NAMESPACE/NAME`: all processes of one have the same.
    pub installation: String,
    /// Its class; none: that of Indexers without `operatorClass`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class: Option<String>,
    /// Its version.
    #[serde(default)]
    pub version: String,
    /// A short hash of its version and of what it was started with for all Indexers: two processes with the same one make
    /// the same objects.
    #[serde(default)]
    pub settings: String,
}
