//! (pure) Numbers as people read them, in Kubernetes' notation.

const UNITS: [(&str, u64); 4] = [("Ti", 1 << 40), ("Gi", 1 << 30), ("Mi", 1 << 20), ("Ki", 1 << 10)];

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;
const YEAR: u64 = 365 * DAY;

/// A byte count with at most two decimals, rounded down: `612Mi`, `1.75Gi`.
#[must_use]
pub fn bytes(n: u64) -> String {
    let Some((unit, size)) = UNITS.into_iter().find(|(_, size)| n >= *size) else {
        return n.to_string();
    };
    // The remainder is below 2^40, so a hundred times it fits.
    let (whole, hundredths) = (n / size, (n % size) * 100 / size);
    match (hundredths / 10, hundredths % 10) {
        (0, 0) => format!("{whole}{unit}"),
        (tenths, 0) => format!("{whole}.{tenths}{unit}"),
        (tenths, rest) => format!("{whole}.{tenths}{rest}{unit}"),
    }
}

/// A share in whole percent, rounded down; none of nothing.
#[must_use]
pub fn percent(part: u64, whole: u64) -> Option<u64> {
    let share = (u128::from(part) * 100).checked_div(u128::from(whole))?;
    Some(u64::try_from(share).unwrap_or(u64::MAX))
}

/// A span of time as kubectl writes ages: `42s`, `5m`, `3h20m`, `12d`.
#[must_use]
pub fn span(seconds: u64) -> String {
    let pair = |large: u64, name: &str, small: u64, small_name: &str| match (seconds % large) / small {
        0 => format!("{}{name}", seconds / large),
        rest => format!("{}{name}{rest}{small_name}", seconds / large),
    };
    match seconds {
        0..120 => format!("{seconds}s"),
        120..600 => pair(MINUTE, "m", 1, "s"),
        600..10_800 => format!("{}m", seconds / MINUTE),
        10_800..28_800 => pair(HOUR, "h", MINUTE, "m"),
        28_800..172_800 => format!("{}h", seconds / HOUR),
        172_800..691_200 => pair(DAY, "d", HOUR, "h"),
        691_200..63_072_000 => format!("{}d", seconds / DAY),
        _ => pair(YEAR, "y", DAY, "d"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_have_two_decimals_at_most() {
        let cases = [
            (0, "0"),
            (1023, "1023"),
            (1024, "1Ki"),
            (612 << 20, "612Mi"),
            (1792 << 20, "1.75Gi"),
            (3 << 29, "1.5Gi"),
            ((1 << 30) + (1 << 25), "1.03Gi"),
            (u64::MAX, "16777215.99Ti"),
        ];
        for (n, text) in cases {
            assert_eq!(bytes(n), text, "{n}");
        }
    }

    #[test]
    fn shares_of_any_numbers_are_known_but_of_nothing() {
        assert_eq!(percent(1, 3), Some(33));
        assert_eq!(percent(u64::MAX, 1), Some(u64::MAX));
        assert_eq!(percent(1, 0), None);
    }

    #[test]
    fn spans_are_written_as_kubectl_writes_them() {
        let cases = [
            (0, "0s"),
            (119, "119s"),
            (120, "2m"),
            (599, "9m59s"),
            (3_600, "60m"),
            (12_000, "3h20m"),
            (100_000, "27h"),
            (180_000, "2d2h"),
            (1_000_000, "11d"),
            (63_158_400, "2y1d"),
        ];
        for (seconds, text) in cases {
            assert_eq!(span(seconds), text, "{seconds}");
        }
    }
}
