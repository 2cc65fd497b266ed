//! (pure) Secrets in a line of text: URLs, fields in any of the ways in which programs write them, flags, headers.
//!
//! Words of ordinary texts have to stay, so a name alone is none: `=`, `:` or, of a flag, a space has to follow.

use std::ops::Range;

use super::{names, removed::REMOVED, urls, values};

/// Values that say whether there is a secret.
const WHETHER: [&str; 5] = ["true", "false", "null", "none", "nil"];
/// What "bearer" stands before in a sentence.
const BORNE: [&str; 4] = ["auth", "authentication", "token", "tokens"];

/// The line without its secrets.
pub(super) fn words(line: &str) -> String {
    let mut scrubbed = String::with_capacity(line.len());
    let (mut rest, mut before) = (line, ' ');
    while let Some(first) = rest.chars().next() {
        if let Some(behind) = rest.strip_prefix("://") {
            let (url, after) = behind.split_at(urls::length(behind, before));
            scrubbed += "://";
            scrubbed += &urls::scrubbed(url);
            (rest, before) = (after, ' ');
            continue;
        }
        let (name, tail) = rest.split_at(name_length(rest));
        if name.is_empty() {
            scrubbed.push(first);
            (rest, before) = (rest.split_at(first.len_utf8()).1, first);
            continue;
        }
        scrubbed += name;
        rest = match secret(name, before, tail) {
            Some(Range { start, end }) => {
                scrubbed += tail.split_at(start).0;
                scrubbed += REMOVED;
                tail.split_at(end).1
            }
            None => tail,
        };
    }
    scrubbed
}

/// The length of the name, path or word that a text begins with.
fn name_length(text: &str) -> usize {
    let ends = |c: char| !(c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '/'));
    text.find(ends).unwrap_or(text.len())
}

/// Where a secret is in what follows a name.
fn secret(name: &str, before: char, tail: &str) -> Option<Range<usize>> {
    if !names::is_secret(name) {
        return borne(name, tail);
    }
    let begin = begin(name, before, tail)?;
    let (_, text) = tail.split_at(begin);
    let value = values::value(text)?;
    if is_none(name, text.get(value.clone())?) {
        return None;
    }
    Some(begin + value.start..begin + value.end)
}

/// Where the value of the secret of this name begins; none if what follows is none.
fn begin(name: &str, before: char, tail: &str) -> Option<usize> {
    let closing = values::quote(tail);
    let spaces = values::blank(tail.split_at(closing).1);
    let (_, sign) = tail.split_at(closing + spaces);
    let length = match sign.as_bytes() {
        // A path, a comparison, a URL.
        [b':', b':', ..] | [b'=', b'=', ..] | [b':', b'/', b'/', ..] => return None,
        [b'=', b'>', ..] | [b':', b'=', ..] => 2,
        [b'=' | b':', ..] => 1,
        _ => 0,
    };
    let (sign, behind) = sign.split_at(length);
    let gap = values::blank(behind);
    let (_, value) = behind.split_at(gap);
    let (is_quoted, is_spaced) = (values::quote(value) > 0, gap > 0);
    let is_value = match sign {
        "" => name.starts_with('-') && closing == 0 && spaces > 0 && !value.starts_with('-'),
        // What stands before a colon and a space may also be a file, a part of a program or a word.
        ":" if spaces > 0 => closing > 0 && is_quoted,
        ":" if !is_spaced || is_quoted => true,
        ":" if closing > 0 => !name.contains('/'),
        ":" => !name.contains('/') && before != ':' && !names::is_ambiguous(name),
        _ => true,
    };
    is_value.then_some(closing + spaces + length + gap)
}

/// Whether a value is no secret: that there is one, how many, or where a structure around it continues.
fn is_none(name: &str, value: &str) -> bool {
    let is_sign = |c: char| c.is_whitespace() || ",:{}[]()".contains(c);
    let is_number = || {
        let is_part = |c: char| c.is_ascii_digit() || is_sign(c) || matches!(c, '.' | '-' | '+');
        value.chars().all(is_part) && !names::is_secret_number(name)
    };
    value.chars().all(is_sign) || WHETHER.contains(&value.to_ascii_lowercase().as_str()) || is_number()
}

/// The token after a word that says of which kind it is, where no field is named.
fn borne(scheme: &str, tail: &str) -> Option<Range<usize>> {
    let gap = values::blank(tail);
    let (_, text) = tail.split_at(gap);
    let (word, _) = text.split_at(values::word(text));
    let is_token = match scheme.to_ascii_lowercase().as_str() {
        "bearer" => !BORNE.contains(&word),
        // "Basic" is an ordinary word.
        "basic" => is_base64(word),
        _ => false,
    };
    (is_token && gap > 0 && !word.is_empty()).then_some(gap..gap + word.len())
}

/// Whether it looks like Base64 rather than like a word: `dXNlcjpwYXNz`.
fn is_base64(word: &str) -> bool {
    let has = |is_one: fn(&char) -> bool| word.chars().skip(1).any(|c| is_one(&c));
    let is_mixed = has(char::is_ascii_lowercase) && has(char::is_ascii_uppercase);
    let is_any = word
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '=' | '-' | '_'));
    is_any && (is_mixed || has(char::is_ascii_digit) || word.ends_with('='))
}
