//! (pure) A bar: how much of a whole is taken, and where the mark is that matters.

/// `[####····|·······]`: of so many columns as many as the share that is taken, and a mark. A mark at 0 is none.
#[must_use]
pub fn bar(taken: u64, mark: Option<u64>, whole: u64, columns: usize) -> String {
    let at = |n: u64| share(n, whole, columns);
    let (filled, marked) = (at(taken), mark.map(at).filter(|column| *column > 0));
    let cell = |column: usize| match marked {
        Some(marked) if column + 1 == marked => '|',
        _ if column < filled => '#',
        _ => '·',
    };
    format!("[{}]", (0..columns).map(cell).collect::<String>())
}

/// The part of the columns that a number is of a whole. Something that is there shows, and only all of it fills them.
fn share(n: u64, whole: u64, columns: usize) -> usize {
    let all = u128::try_from(columns).unwrap_or(0);
    let part = (u128::from(n.min(whole)) * all)
        .checked_div(u128::from(whole))
        .unwrap_or(0);
    let part = usize::try_from(part).unwrap_or(columns);
    if n > 0 && whole > 0 { part.max(1) } else { part }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_shares_and_the_mark() {
        let cases = [
            (0, None, 100, "[··········]"),
            (1, None, 100, "[#·········]"),
            (50, Some(80), 100, "[#####··|··]"),
            (99, Some(80), 100, "[#######|#·]"),
            (200, None, 100, "[##########]"),
            (5, Some(0), 0, "[··········]"),
            (u64::MAX, None, u64::MAX, "[##########]"),
        ];
        for (taken, mark, whole, text) in cases {
            assert_eq!(bar(taken, mark, whole, 10), text, "{taken} of {whole}");
        }
    }
}
