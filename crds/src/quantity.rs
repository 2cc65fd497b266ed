//! Byte counts and time spans as people write them in YAML.

use std::{fmt, time::Duration};

use kube_quantity::ParsedQuantity;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A byte count in Kubernetes' notation: `64Mi`, `1792Mi`, `4Gi`, `500M`.
///
/// The text is kept as written, so that a resource read back equals the one applied.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct ByteSize(#[schemars(length(max = 32), regex(pattern = r"^[0-9]+(\.[0-9]+)?(Ki|Mi|Gi|Ti|k|M|G|T)?$"))] pub String);

/// A time span: a whole number and one of `ms`, `s`, `m`, `h`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct TimeSpan(#[schemars(length(max = 16), regex(pattern = r"^[0-9]+(ms|s|m|h)$"))] pub String);

/// Why a text is no [`ByteSize`] or [`TimeSpan`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not {wanted}")]
pub struct ParseError {
    text: String,
    wanted: &'static str,
}

impl ByteSize {
    /// A size of so many whole mebibytes.
    #[must_use]
    pub fn mebibytes(n: u64) -> Self {
        Self(format!("{n}Mi"))
    }

    /// The number of bytes.
    ///
    /// # Errors
    /// If the text is no quantity, negative, or above 2^64 - 1.
    pub fn bytes(&self) -> Result<u64, ParseError> {
        ParsedQuantity::try_from(self.0.as_str())
            .ok()
            .and_then(|q| q.to_bytes_u64())
            .ok_or_else(|| ParseError { text: self.0.clone(), wanted: "a size such as 64Mi or 4Gi" })
    }
}

impl TimeSpan {
    /// The span.
    ///
    /// # Errors
    /// If the text is no span, or its milliseconds exceed 64 bits.
    pub fn duration(&self) -> Result<Duration, ParseError> {
        let error = || ParseError { text: self.0.clone(), wanted: "a time span such as 500ms, 10s or 5m" };
        let digits = self.0.find(|c: char| !c.is_ascii_digit()).ok_or_else(error)?;
        let (number, unit) = self.0.split_at(digits);
        let ms_per_unit = match unit {
            "ms" => 1,
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            _ => return Err(error()),
        };
        let number: u64 = number.parse().map_err(|_| error())?;
        number.checked_mul(ms_per_unit).map(Duration::from_millis).ok_or_else(error)
    }
}

impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_as_kubernetes_reads_them() {
        let cases = [("64Mi", 64 << 20), ("4Gi", 4 << 30), ("1792Mi", 1_879_048_192), ("500M", 500_000_000), ("0", 0), ("1.5Gi", 3 << 29)];
        for (text, bytes) in cases {
            assert_eq!(ByteSize(text.into()).bytes(), Ok(bytes), "{text}");
        }
        for text in ["", "abc", "-1Mi", "64MiB", "99999999999999999999Ti"] {
            assert!(ByteSize(text.into()).bytes().is_err(), "{text}");
        }
    }

    #[test]
    fn spans_need_a_unit() {
        let cases = [("250ms", 250), ("10s", 10_000), ("2m", 120_000), ("1h", 3_600_000)];
        for (text, ms) in cases {
            assert_eq!(TimeSpan(text.into()).duration(), Ok(Duration::from_millis(ms)), "{text}");
        }
        for text in ["", "10", "s", "1.5s", "-1s", "10 s", "99999999999999999999s", "18446744073709551615h"] {
            assert!(TimeSpan(text.into()).duration().is_err(), "{text}");
        }
    }
}
