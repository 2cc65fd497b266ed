//! Paths in tokens that only a macro can parse, found by their look.

use proc_macro2::{Spacing, Span, TokenStream, TokenTree};

use super::names::Segments;

/// A path among tokens.
#[derive(Debug)]
pub(crate) struct Written {
    pub(crate) path: Segments,
    pub(crate) span: Span,
    pub(crate) is_macro: bool,
}

/// The paths among tokens; with `with_texts` also those that are the whole of a string, as derive macros take them.
pub(crate) fn written(tokens: TokenStream, with_texts: bool) -> Vec<Written> {
    let mut found = Vec::new();
    scan(&tokens.into_iter().collect::<Vec<_>>(), with_texts, &mut found);
    found
}

fn scan(tokens: &[TokenTree], with_texts: bool, found: &mut Vec<Written>) {
    let mut at = 0;
    while at < tokens.len() {
        match &tokens[at] {
            TokenTree::Group(group) => scan(&group.stream().into_iter().collect::<Vec<_>>(), with_texts, found),
            TokenTree::Literal(literal) if with_texts => found.extend(in_text(literal)),
            TokenTree::Ident(first) => {
                let (path, next) = path_at(tokens, at);
                if let Some(is_macro) = meaning(tokens, at, next, &path) {
                    let span = first.span();
                    found.push(Written { path, span, is_macro });
                }
                at = next;
                continue;
            }
            _ => {}
        }
        at += 1;
    }
}

/// The segments from here on, and where they end.
fn path_at(tokens: &[TokenTree], mut at: usize) -> (Segments, usize) {
    let mut path = Segments::new();
    while let Some(TokenTree::Ident(segment)) = tokens.get(at) {
        path.push(segment.to_string());
        at += 1;
        if !(is_colons(tokens, at) && matches!(tokens.get(at + 2), Some(TokenTree::Ident(_)))) {
            break;
        }
        at += 2;
    }
    (path, at)
}

/// Whether what stands in `tokens[at..next]` is a path that may name something of this crate, and if so, whether of a
/// macro. Fields, lifetimes, a macro's own variables and names of arguments are none.
fn meaning(tokens: &[TokenTree], at: usize, next: usize, path: &[String]) -> Option<bool> {
    let before = |distance| {
        at.checked_sub(distance)
            .and_then(|index: usize| punct(tokens.get(index)))
    };
    let after = |distance: usize| punct(tokens.get(next + distance));
    let of_macro = path[0] == "crate" && before(1) == Some('$');
    let is_range = before(1) == Some('.') && before(2) == Some('.');
    let is_global = at >= 2 && is_colons(tokens, at - 2);
    if matches!(before(1), Some('.' | '\'' | '$')) && !of_macro && !is_range || is_global {
        return None;
    }
    let is_macro = after(0) == Some('!') && after(1) != Some('=');
    if path.len() > 1 || is_macro {
        return Some(is_macro);
    }
    let is_argument = match after(0) {
        Some('=') => !matches!(after(1), Some('=' | '>')),
        Some(':') => !is_colons(tokens, next),
        _ => false,
    };
    let is_type = path[0].starts_with(char::is_uppercase);
    let is_call = matches!(tokens.get(next), Some(TokenTree::Group(_)));
    (!is_argument && (is_type || is_call)).then_some(false)
}

fn is_colons(tokens: &[TokenTree], at: usize) -> bool {
    let joint = matches!(tokens.get(at), Some(TokenTree::Punct(it)) if it.spacing() == Spacing::Joint);
    joint && punct(tokens.get(at)) == Some(':') && punct(tokens.get(at + 1)) == Some(':')
}

fn punct(token: Option<&TokenTree>) -> Option<char> {
    match token {
        Some(TokenTree::Punct(it)) => Some(it.as_char()),
        _ => None,
    }
}

/// A string that is a path, such as in `#[serde(default = "defaults::replicas")]`.
fn in_text(literal: &proc_macro2::Literal) -> Option<Written> {
    let text: syn::LitStr = syn::parse_str(&literal.to_string()).ok()?;
    let path: syn::Path = text.parse().ok()?;
    Some(Written {
        path: path.segments.iter().map(|it| it.ident.to_string()).collect(),
        span: literal.span(),
        is_macro: false,
    })
}

#[cfg(test)]
mod tests {
    use super::written;

    #[test]
    fn finds_paths_among_tokens() {
        let tokens = r#"
            "{}", a::B::new(x), c, d(1), E, f = g::h, I: 1, j.k(), ::l::m, $crate::n::O, $p, 0..q::R, s!(t::u!()), &'v w,
            X => y(), z == Z,
        "#;
        let found: Vec<String> = written(tokens.parse().unwrap(), false)
            .into_iter()
            .map(|it| format!("{}{}", it.path.join("::"), if it.is_macro { "!" } else { "" }))
            .collect();
        assert_eq!(
            found,
            [
                "a::B::new",
                "d",
                "E",
                "g::h",
                "crate::n::O",
                "q::R",
                "s!",
                "t::u!",
                "X",
                "y",
                "Z"
            ]
        );
    }

    #[test]
    fn finds_paths_in_texts_of_attributes() {
        let tokens = r#"default = "a::b", rename = "two words", with = "super::c""#;
        let found: Vec<String> = written(tokens.parse().unwrap(), true)
            .into_iter()
            .map(|it| it.path.join("::"))
            .collect();
        assert_eq!(found, ["a::b", "super::c"]);
    }
}
