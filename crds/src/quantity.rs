//! Byte counts and time spans, as written in YAML.

use std::{fmt, time::Duration};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A byte count in Kubernetes' notation: `64Mi`, `1792Mi`, `4Gi`, `500M`.
///
/// The text is kept as written, so that a resource read back equals the one applied.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct ByteSize(
    #[schemars(length(max = 32), regex(pattern = r"^[0-9]+(\.[0-9]+)?(Ki|Mi|Gi|Ti|k|M|G|T)?$"))] pub String,
);

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

    /// The number of bytes; a fraction of a byte counts as one, as in Kubernetes.
    ///
    /// # Errors
    /// If the text is no quantity of this form, or above 2^64 - 1.
    pub fn bytes(&self) -> Result<u64, ParseError> {
        parse_bytes(&self.0).ok_or_else(|| ParseError {
            text: self.0.clone(),
            wanted: "a size such as 64Mi or 4Gi",
        })
    }
}

/// `DIGITS[.DIGITS][UNIT]`, in whole numbers throughout: a float would lose bytes, and the crates for Kubernetes'
/// quantities drop the fraction before they apply the unit.
fn parse_bytes(text: &str) -> Option<u64> {
    let end = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let unit_bytes: u128 = match unit {
        "" => 1,
        "Ki" => 1 << 10,
        "Mi" => 1 << 20,
        "Gi" => 1 << 30,
        "Ti" => 1 << 40,
        "k" => 1_000,
        "M" => 1_000_000,
        "G" => 1_000_000_000,
        "T" => 1_000_000_000_000,
        _ => return None,
    };
    let (whole, fraction) = number
        .split_once('.')
        .map_or((number, None), |(whole, fraction)| (whole, Some(fraction)));
    let whole = digits(whole)?.checked_mul(unit_bytes)?;
    let part = match fraction {
        None => 0,
        // 10^18 times the largest unit still fits into 128 bits.
        Some(fraction) if fraction.len() <= 18 => {
            let scale = 10_u128.pow(u32::try_from(fraction.len()).ok()?);
            (digits(fraction)? * unit_bytes).div_ceil(scale)
        }
        Some(_) => return None,
    };
    u64::try_from(whole.checked_add(part)?).ok()
}

fn digits(text: &str) -> Option<u128> {
    (!text.is_empty() && text.len() <= 20 && text.bytes().all(|b| b.is_ascii_digit())).then(|| text.parse().ok())?
}

impl TimeSpan {
    /// The span.
    ///
    /// # Errors
    /// If the text is no span, or its milliseconds exceed 64 bits.
    pub fn duration(&self) -> Result<Duration, ParseError> {
        let error = || ParseError {
            text: self.0.clone(),
            wanted: "a time span such as 500ms, 10s or 5m",
        };
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
        number
            .checked_mul(ms_per_unit)
            .map(Duration::from_millis)
            .ok_or_else(error)
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
        let cases = [
            ("3Ki", 3 << 10),
            ("64Mi", 64 << 20),
            ("4Gi", 4 << 30),
            ("1792Mi", 1_879_048_192),
            ("500M", 500_000_000),
            ("0", 0),
            ("1.5Gi", 3 << 29),
            ("0.5", 1),
            ("16777215Ti", 16_777_215 << 40),
        ];
        for (text, bytes) in cases {
            assert_eq!(ByteSize(text.into()).bytes(), Ok(bytes), "{text}");
        }
        for text in [
            "",
            "abc",
            "-1Mi",
            "64MiB",
            ".5Gi",
            "1.Gi",
            "1.2.3",
            "1e3",
            "99999999999999999999Ti",
            "16777216Ti",
        ] {
            assert!(ByteSize(text.into()).bytes().is_err(), "{text}");
        }
    }

    #[test]
    fn spans_need_a_unit() {
        let cases = [("250ms", 250), ("10s", 10_000), ("2m", 120_000), ("1h", 3_600_000)];
        for (text, ms) in cases {
            assert_eq!(
                TimeSpan(text.into()).duration(),
                Ok(Duration::from_millis(ms)),
                "{text}"
            );
        }
        for text in [
            "",
            "10",
            "s",
            "1.5s",
            "-1s",
            "10 s",
            "99999999999999999999s",
            "18446744073709551615h",
        ] {
            assert!(TimeSpan(text.into()).duration().is_err(), "{text}");
        }
    }
}
