//! Byte counts and the pace of a sync, as people read them.

use crds::{
    pod::Status,
    sync_pace::{speed_in_words, time_left_in_words},
};

/// Mebibytes with one decimal, rounded up, so that something is never shown as nothing: `0.1 MiB` for one byte.
#[must_use]
pub fn mebibytes(bytes: u64) -> String {
    let tenths = (u128::from(bytes) * 10).div_ceil(1 << 20);
    format!("{}.{} MiB", tenths / 10, tenths % 10)
}

/// Gibibytes with one decimal, rounded up; mebibytes where it is less than one.
#[must_use]
pub fn size(bytes: u64) -> String {
    // More would be rounded up to 1024.0.
    if u128::from(bytes) * 10 <= 10_239 << 20 {
        return mebibytes(bytes);
    }
    let tenths = (u128::from(bytes) * 10).div_ceil(1 << 30);
    format!("{}.{} GiB", tenths / 10, tenths % 10)
}

/// How fast blocks are indexed, and how long that takes to reach the tip: `12 blocks/s, 3h20m left`. None unless it is
/// known.
#[must_use]
pub fn pace(status: &Status) -> Option<String> {
    let speed = speed_in_words(status.blocks_per_second?);
    let left = status.seconds_left.map(time_left_in_words);
    Some(match left {
        Some(left) => format!("{speed} blocks/s, {left} left"),
        None => format!("{speed} blocks/s"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_keep_a_decimal_that_means_something() {
        assert_eq!(size(0), "0.0 MiB");
        assert_eq!(size(34_136), "0.1 MiB");
        assert_eq!(size(1023 << 20), "1023.0 MiB");
        assert_eq!(size((1 << 30) - 1), "1.0 GiB");
        assert_eq!(size(1 << 30), "1.0 GiB");
        assert_eq!(size((1 << 30) + 1), "1.1 GiB");
    }

    #[test]
    fn a_pace_is_shown_as_far_as_it_is_known() {
        let mut status: Status = serde_json::from_str(include_str!("../../tests/data/status.json")).unwrap();
        let cases = [
            (None, None, None),
            (Some(12.3), Some(12_000), Some("12 blocks/s, 3h20m left")),
            (Some(0.0), None, Some("0.00 blocks/s")),
        ];
        for (speed, left, shown) in cases {
            (status.blocks_per_second, status.seconds_left) = (speed, left);
            assert_eq!(pace(&status).as_deref(), shown, "{speed:?}");
        }
    }

    #[test]
    fn a_tenth_of_a_mebibyte_is_the_least_that_is_shown() {
        let cases = [
            (0, "0.0 MiB"),
            (1, "0.1 MiB"),
            (128 << 10, "0.2 MiB"),
            (1 << 20, "1.0 MiB"),
            ((64 << 20) + 1, "64.1 MiB"),
            (u64::MAX, "17592186044416.0 MiB"),
        ];
        for (bytes, shown) in cases {
            assert_eq!(mebibytes(bytes), shown, "{bytes}");
        }
    }
}
