//! The values of a Helm chart as a table: what `values.yaml` says about each, for the chart's README.
//!
//! It reads the file as people do, comments and all, which parsers of YAML drop. It relies on how our files are written:
//! two spaces a level, a comment above what it is about, a short one beside it, and no block texts.

/// Spaces of one level.
const LEVEL: usize = 2;

/// The table, in Markdown. Of a group that has words of its own there is a row too.
#[must_use]
pub fn table(values: &str) -> String {
    let mut rows = String::from("| value | default | what it is |\n|---|---|---|\n");
    let mut comment: Vec<&str> = Vec::new();
    let mut path: Vec<&str> = Vec::new();
    for line in values.lines() {
        let text = line.trim_start();
        if let Some(words) = text.strip_prefix('#') {
            comment.push(words.trim());
            continue;
        }
        let Some((key, value)) = text.split_once(':') else {
            comment.clear();
            continue;
        };
        path.truncate((line.len() - text.len()) / LEVEL);
        path.push(key);
        let (value, beside) = split_comment(value.trim());
        comment.extend(beside);
        let words = comment.join(" ").replace('|', "\\|");
        let name = path.join(".");
        if !value.is_empty() {
            rows.push_str(&format!("| `{name}` | `{}` | {words} |\n", value.replace('|', "\\|")));
        } else if !words.is_empty() {
            rows.push_str(&format!("| `{name}` | | {words} |\n"));
        }
        comment.clear();
    }
    rows
}

/// A value, and the comment beside it.
fn split_comment(text: &str) -> (&str, Option<&str>) {
    match text.split_once(" #") {
        Some((value, comment)) => (value.trim(), Some(comment.trim())),
        None => (text, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_go_with_what_stands_below_or_beside_them() {
        let values = "# What is\n# all there is.\nname: \"\"\n\nimage:\n  tag: a | b # or none\n  # Of pods.\n  pull:\n    \
                      secrets: []\nlast: {}\n";
        let expected = "| value | default | what it is |\n|---|---|---|\n\
                        | `name` | `\"\"` | What is all there is. |\n\
                        | `image.tag` | `a \\| b` | or none |\n\
                        | `image.pull` | | Of pods. |\n\
                        | `image.pull.secrets` | `[]` |  |\n\
                        | `last` | `{}` |  |\n";
        assert_eq!(table(values), expected);
    }
}
