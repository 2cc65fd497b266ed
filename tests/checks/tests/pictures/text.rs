//! How wide text is, without a font: in that of the common ones whose letters are widest, so that it fits in any.

/// Pixels of a line. Bold letters are an eighth wider.
pub(crate) fn width(line: &str, size: f64, bold: bool) -> f64 {
    let ems: f64 = line.chars().map(ems).sum();
    ems * size * if bold { 1.125 } else { 1.0 }
}

/// A letter of the widest of them, `DejaVu Sans`, by groups.
fn ems(letter: char) -> f64 {
    match letter {
        'i' | 'j' | 'l' | '\'' => 0.28,
        ' ' | '.' | ',' | '|' | '/' | ':' | ';' | 'I' => 0.34,
        'f' | 't' | 'r' | '(' | ')' | '-' => 0.40,
        'c' | 'k' | 's' | 'v' | 'x' | 'y' | 'z' => 0.57,
        'w' => 0.82,
        'm' | 'M' | 'W' | '…' | '→' => 1.0,
        'A'..='Z' => 0.73,
        _ => 0.64,
    }
}

/// The text in lines of at most so many pixels; a word that is longer is a line of its own.
pub(crate) fn wrap(text: &str, size: f64, bold: bool, pixels: f64) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if width(&format!("{line} {word}"), size, bold) <= pixels => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

#[test]
fn lines_are_as_long_as_they_may_be() {
    let lines = wrap("one two three four", 10.0, false, 60.0);
    assert_eq!(lines, ["one two", "three four"]);
    assert!(lines.iter().all(|line| width(line, 10.0, false) <= 60.0));
    assert_eq!(wrap("incomprehensibilities", 10.0, false, 60.0).len(), 1);
}
