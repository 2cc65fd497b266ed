//! (pure) Quantities of the Kubernetes API, compared by value: the API server writes `1000m` back as `1`, and `1024Mi` as
//! `1Gi`.

/// Digits after the point that the API server keeps, rounding up.
const SCALE: i32 = 9;

/// Whether two texts are the same quantity. What cannot be read is compared as text.
pub(crate) fn is_same(a: &str, b: &str) -> bool {
    a == b || billionths(a).is_some_and(|value| billionths(b) == Some(value))
}

/// The number of bytes, a fraction of one counting as one; none for what is no quantity, negative, or above 2^64 - 1.
pub(crate) fn bytes(text: &str) -> Option<u64> {
    let value = billionths(text)?;
    let one = 10_i128.pow(SCALE.unsigned_abs());
    u64::try_from(value / one + i128::from(value % one > 0)).ok()
}

/// The value in billionths; none for what is no quantity, or far beyond what the API server keeps.
fn billionths(text: &str) -> Option<i128> {
    let (sign, unsigned) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    let end = unsigned
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(unsigned.len());
    let (number, suffix) = unsigned.split_at(end);
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let digits = format!("{whole}{fraction}").parse::<i128>().ok()?;
    let (base, exponent) = unit(suffix)?;
    let value = if base == 2 {
        digits.checked_mul(1 << exponent).map(|value| (value, SCALE))
    } else {
        SCALE.checked_add(exponent).map(|power| (digits, power))
    };
    let (value, power) = value?;
    let power = power.checked_sub(i32::try_from(fraction.len()).ok()?)?;
    let ten = 10_i128.checked_pow(power.unsigned_abs());
    let scaled = if power >= 0 {
        value.checked_mul(ten?)?
    } else {
        // A divisor that does not fit is larger than any value.
        ten.map_or(i128::from(value > 0), |ten| value / ten + i128::from(value % ten > 0))
    };
    Some(sign * scaled)
}

/// Base and exponent of a suffix: 2 or 10 to some power.
fn unit(suffix: &str) -> Option<(u8, i32)> {
    let exponent = match suffix {
        "Ki" => return Some((2, 10)),
        "Mi" => return Some((2, 20)),
        "Gi" => return Some((2, 30)),
        "Ti" => return Some((2, 40)),
        "Pi" => return Some((2, 50)),
        "Ei" => return Some((2, 60)),
        "n" => -9,
        "u" => -6,
        "m" => -3,
        "" => 0,
        "k" => 3,
        "M" => 6,
        "G" => 9,
        "T" => 12,
        "P" => 15,
        "E" => 18,
        exponent => exponent.strip_prefix(['e', 'E'])?.parse().ok()?,
    };
    Some((10, exponent))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_whole_and_not_negative() {
        let cases = [
            ("50Gi", Some(50 << 30)),
            ("1.5k", Some(1_500)),
            ("100m", Some(1)),
            ("18446744073709551615", Some(u64::MAX)),
            ("18446744073709551616", None),
            ("-1", None),
            ("soon", None),
        ];
        for (text, expected) in cases {
            assert_eq!(bytes(text), expected, "{text}");
        }
    }

    #[test]
    fn quantities_are_compared_as_the_api_server_reads_them() {
        let same = [
            ("1000m", "1"),
            ("0.5", "500m"),
            ("1.5Gi", "1536Mi"),
            ("1024Mi", "1Gi"),
            ("1e3", "1k"),
            ("1E3", "1000"),
            ("1E", "1000P"),
            ("+2", "2"),
            ("-0.5", "-500m"),
            ("0", "0Ki"),
            ("0.1m", "100u"),
            ("1.0", "1"),
            ("5.", "5"),
            ("1000000n", "1m"),
            ("0.0000000001", "1n"),
            ("1e-20", "1n"),
            ("8Ei", "9223372036854775808"),
            ("soon", "soon"),
        ];
        for (a, b) in same {
            assert!(is_same(a, b) && is_same(b, a), "{a} and {b}");
        }
        let other = [
            ("1", "2"),
            ("1Gi", "1G"),
            ("1m", "1M"),
            ("-1", "1"),
            ("soon", "later"),
            ("", "0"),
            ("1X", "1"),
            ("1.2.3", "1.23"),
            ("1e99", "1e98"),
            ("1e2147483647", "1e2147483646"),
            ("1e-2147483648", "0"),
            ("99999999999999999999999999999999999999Ei", "1"),
        ];
        for (a, b) in other {
            assert!(!is_same(a, b) && !is_same(b, a), "{a} and {b}");
        }
    }
}
