//! (pure) The screen of `views`.

use crds::pod::ViewList;

use crate::text;

/// A line for each view, and what there is to remark, which is none of them.
#[must_use]
pub fn views(name: &str, list: &ViewList) -> (String, Option<String>) {
    let lines = list.views.iter().map(|view| text::plain(view) + "\n").collect();
    let remark = match (list.views.len(), list.left_out) {
        (0, 0) => Some(format!("The module of {name} has no views.")),
        (_, 0) => None,
        (_, more) => Some(format!(
            "Left out: {more} more, whose names are too long or that are too many; `shrewd-indexer check MODULE` lists \
             all."
        )),
    };
    (lines, remark)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_view_is_a_remark() {
        let list = |views: &[&str], left_out| ViewList {
            views: views.iter().map(ToString::to_string).collect(),
            left_out,
        };
        let (lines, remark) = views("one", &list(&["tip", "a\u{1b}[2Jb"], 0));
        assert_eq!((lines.as_str(), remark), ("tip\na\\u{1b}[2Jb\n", None));
        let (lines, remark) = views("one", &list(&[], 0));
        assert_eq!(
            (lines.as_str(), remark.as_deref()),
            ("", Some("The module of one has no views."))
        );
        let (_, remark) = views("one", &list(&["tip"], 3));
        assert!(remark.is_some_and(|remark| remark.starts_with("Left out: 3 more")));
    }
}
