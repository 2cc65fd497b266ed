//! Byte counts, as people read them.

/// Mebibytes with one decimal, rounded up, so that something is never shown as nothing: `0.1 MiB` for one byte.
#[must_use]
pub fn mebibytes(bytes: u64) -> String {
    let tenths = (u128::from(bytes) * 10).div_ceil(1 << 20);
    format!("{}.{} MiB", tenths / 10, tenths % 10)
}

#[cfg(test)]
mod tests {
    use super::*;

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
