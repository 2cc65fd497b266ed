//! The pace of a sync in words, for people: coarse, so that it reads at a glance and rarely changes.

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// Blocks per second with two digits that count: `0.45`, `3.4`, `12`, `340`.
#[must_use]
pub fn speed_in_words(blocks_per_second: f64) -> String {
    match blocks_per_second {
        // The bounds are where rounding would add a digit.
        slow if slow < 0.995 => format!("{slow:.2}"),
        medium if medium < 9.95 => format!("{medium:.1}"),
        fast => {
            let tens = fast.log10().floor().max(1.0);
            let step = 10_f64.powf(tens - 1.0);
            format!("{:.0}", (fast / step).round() * step)
        }
    }
}

/// A time in its two largest units, rounded up: `7m`, `3h20m`, `2d5h`. Minutes of hours come in tens.
#[must_use]
pub fn time_left_in_words(seconds: u64) -> String {
    let step = match seconds {
        minutes if minutes < HOUR => MINUTE,
        hours if hours < DAY => 10 * MINUTE,
        _ => HOUR,
    };
    let rounded = seconds.max(1).div_ceil(step).saturating_mul(step);
    let (days, hours, minutes) = (rounded / DAY, rounded % DAY / HOUR, rounded % HOUR / MINUTE);
    [(days, 'd'), (hours, 'h'), (minutes, 'm')]
        .into_iter()
        .filter(|(number, _)| *number > 0)
        .map(|(number, unit)| format!("{number}{unit}"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_speed_has_two_digits_that_count() {
        let cases = [
            (0.0, "0.00"),
            (0.004, "0.00"),
            (0.449, "0.45"),
            (0.996, "1.0"),
            (3.44, "3.4"),
            (9.96, "10"),
            (12.4, "12"),
            (99.6, "100"),
            (344.0, "340"),
            (2_960.0, "3000"),
        ];
        for (speed, words) in cases {
            assert_eq!(speed_in_words(speed), words, "{speed}");
        }
    }

    #[test]
    fn a_time_is_never_shown_too_short() {
        let cases = [
            (0, "1m"),
            (61, "2m"),
            (HOUR, "1h"),
            (HOUR + 1, "1h10m"),
            (3 * HOUR + 20 * MINUTE, "3h20m"),
            (DAY - 1, "1d"),
            (2 * DAY + 4 * HOUR + 1, "2d5h"),
            (u64::MAX, "213503982334601d7h"),
        ];
        for (seconds, words) in cases {
            assert_eq!(time_left_in_words(seconds), words, "{seconds}");
        }
    }
}
