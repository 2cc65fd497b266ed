//! References to Secrets of the same namespace.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A Secret by name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SecretRef {
    /// Its name.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
}
