//! (pure) URLs without what lets others in: user info, and the query, which may hold a key.

use super::removed::REMOVED;

/// What ends a sentence or a list rather than a URL.
const ENDS: [char; 6] = [',', ';', '.', ':', ')', '}'];

/// How far a URL goes that has this before it, from behind its `://` on.
pub(super) fn length(behind: &str, before: char) -> usize {
    let ends = |c: char| c.is_whitespace() || matches!(c, '"' | '<' | '>' | '`' | '\\') || c == '\'' && before == '\'';
    behind.find(ends).unwrap_or(behind.len())
}

/// What is behind `://`, without user info, query and fragment.
pub(super) fn scrubbed(behind: &str) -> String {
    let url = user_info_removed(behind);
    let Some(at) = url.find(['?', '#']) else {
        return url;
    };
    let (place, query) = url.split_at(at);
    let (sign, hidden) = query.split_at(1);
    let (hidden, end) = hidden.split_at(hidden.trim_end_matches(ENDS).len());
    match hidden {
        "" => url,
        _ => format!("{place}{sign}{REMOVED}{end}"),
    }
}

/// What is behind `://`, with `[removed]` for what is before the last `@` of the authority. Other URLs may be part of it.
fn user_info_removed(behind: &str) -> String {
    let mut scrubbed = String::with_capacity(behind.len());
    let mut rest = behind;
    loop {
        if let Some(from) = user_info_length(rest) {
            scrubbed += REMOVED;
            rest = rest.split_at(from).1;
        }
        let Some(at) = rest.find("://") else {
            return scrubbed + rest;
        };
        let (before, after) = rest.split_at(at + "://".len());
        scrubbed += before;
        rest = after;
    }
}

fn user_info_length(behind: &str) -> Option<usize> {
    let length = behind.find(['/', '?', '#', '\'', ',']).unwrap_or(behind.len());
    let (authority, _) = behind.split_at(length);
    let port = authority.rsplit_once(':').map_or("", |(_, port)| port);
    let is_cut = !authority.starts_with('[') && !port.chars().all(|c| c.is_ascii_digit());
    match authority.rfind('@') {
        // That is no port: a password may have what ends an authority, though it should be encoded.
        None if is_cut => behind.rfind('@'),
        at => at,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_keep_where_they_lead_and_nothing_that_lets_others_in() {
        let cases = [
            ("user:hunter2@node:8332/rest", "[removed]@node:8332/rest"),
            ("a@b@c/x", "[removed]@c/x"),
            ("user:hun/ter#2@node/x", "[removed]@node/x"),
            ("node:8332,http://u:hunter2@b", "node:8332,http://[removed]@b"),
            ("[::1]:8332/path@1", "[::1]:8332/path@1"),
            ("host/path@1?x=1", "host/path@1?[removed]"),
            ("acct.blob/m.wasm?sv=2022&sig=hunter2%3D", "acct.blob/m.wasm?[removed]"),
            ("host/x#hunter2", "host/x#[removed]"),
            ("host/x?a=hunter2):", "host/x?[removed]):"),
            ("host/x?", "host/x?"),
            ("indexes/outpoints/902000", "indexes/outpoints/902000"),
        ];
        for (given, expected) in cases {
            assert_eq!(scrubbed(given), expected, "{given}");
            assert_eq!(scrubbed(expected), expected, "again");
        }
    }

    #[test]
    fn a_url_ends_where_its_quotes_do() {
        for (text, before, expected) in [
            ("a/b c", ' ', 3),
            ("a/b\",\"c", '"', 3),
            ("a/b'c", ' ', 5),
            ("a/b'c", '\'', 3),
            ("a/b", ' ', 3),
        ] {
            assert_eq!(length(text, before), expected, "{text}");
        }
    }
}
