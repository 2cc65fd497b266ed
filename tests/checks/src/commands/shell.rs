//! As much of a shell's language as finding commands needs.

/// Lines that continue others are joined with them.
pub(super) fn statements(lines: &[&str]) -> Vec<(usize, String)> {
    let mut statements: Vec<(usize, String)> = Vec::new();
    let mut continues = false;
    for (number, line) in lines.iter().enumerate() {
        let text = line.strip_suffix('\\').unwrap_or(line);
        match statements.last_mut().filter(|_| continues) {
            Some((_, statement)) => statement.push_str(text),
            None => statements.push((number, text.to_owned())),
        }
        continues = line.ends_with(['\\', '|']);
    }
    statements
}

/// The words of each part of a statement, without quotes and comment.
pub(super) fn parts(statement: &str) -> Vec<Vec<String>> {
    let mut parts = vec![Vec::new()];
    let mut word = String::new();
    let mut quote = None;
    for it in statement.chars().chain([' ']) {
        match (quote, it) {
            (Some(mark), it) if mark == it => quote = None,
            (None, '"' | '\'') => quote = Some(it),
            (None, '#') if word.is_empty() => break,
            (None, '|' | '&' | ';' | '(' | ')' | ' ' | '\t') => {
                let ended = std::mem::take(&mut word);
                let ends_part = ended == "--" || !matches!(it, ' ' | '\t');
                if !ended.is_empty() && ended != "--" {
                    parts.last_mut().into_iter().for_each(|part| part.push(ended.clone()));
                }
                if ends_part {
                    parts.push(Vec::new());
                }
            }
            (_, it) => word.push(it),
        }
    }
    parts
}
