//! What the checks of prose and of links both need of Markdown.

/// For each line whether it is outside of a block of code.
pub(crate) fn outside_fences(content: &str) -> Vec<bool> {
    let mut inside = false;
    content
        .lines()
        .map(|line| {
            let is_fence = line.trim_start().starts_with("```");
            inside ^= is_fence;
            !inside && !is_fence
        })
        .collect()
}
