//! (pure) Output for programs.

use clap::ValueEnum;
use serde::Serialize;

/// A form of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// JSON, indented.
    Json,
    /// YAML.
    Yaml,
}

/// A value as a document.
///
/// # Errors
/// Never in practice: all that is shown has both forms.
pub fn document(value: &impl Serialize, format: Format) -> anyhow::Result<String> {
    Ok(match format {
        Format::Json => serde_json::to_string_pretty(value)? + "\n",
        Format::Yaml => serde_yaml::to_string(value)?,
    })
}
