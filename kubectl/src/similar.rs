//! (pure) Names that may have been meant.

/// From this on, of 1, two names differ by a slip or two.
const SIMILARITY_MIN: f64 = 0.85;
/// More names than these are no help.
const NAMES_MAX: usize = 3;

/// Those of these names that are most similar to one, the most similar first.
#[must_use]
pub fn similar(name: &str, names: &[String]) -> Vec<String> {
    let score = |other: &String| strsim::jaro_winkler(name, other);
    let mut similar: Vec<(f64, &String)> = names
        .iter()
        .map(|other| (score(other), other))
        .filter(|(score, _)| *score >= SIMILARITY_MIN)
        .collect();
    similar.sort_by(|(a, _), (b, _)| b.total_cmp(a));
    similar
        .into_iter()
        .take(NAMES_MAX)
        .map(|(_, name)| name.clone())
        .collect()
}

/// The namespaces, of pairs of name and namespace, that have this name.
#[must_use]
pub fn namespaces_with(name: &str, all: &[(String, String)]) -> Vec<String> {
    let same = all.iter().filter(|(other, _)| other == name);
    same.take(NAMES_MAX).map(|(_, namespace)| namespace.clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_recognised_and_another_name_is_not() {
        let names = ["outpoints", "outpoints-2", "balances"].map(str::to_owned);
        assert_eq!(similar("outpoint", &names), ["outpoints", "outpoints-2"]);
        assert!(similar("runes", &names).is_empty());
    }
}
