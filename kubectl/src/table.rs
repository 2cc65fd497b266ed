//! (pure) Tables as kubectl has them: heads in upper case, columns three spaces apart.

use crate::{
    style::{Style, Tone},
    text,
};

/// Spaces between two columns, and how few they may be where the terminal is narrow.
const GAP: usize = 3;
const GAP_MIN: usize = 1;
/// A column is not cut below this: shorter, names look alike.
const COLUMN_MIN: usize = 12;

/// One cell.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cell {
    text: String,
    tone: Option<Tone>,
}

/// Rows below heads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    heads: Vec<&'static str>,
    rows: Vec<Vec<Cell>>,
    has_all_columns: bool,
    cut_first: Vec<&'static str>,
}

impl Cell {
    /// A text in the colour of its tone.
    #[must_use]
    pub fn toned(text: impl Into<String>, tone: Tone) -> Self {
        Self {
            tone: Some(tone),
            ..Self::from(text.into())
        }
    }

    /// What is shown of a value that may be unknown.
    #[must_use]
    pub fn maybe(value: Option<impl ToString>) -> Self {
        value.map_or_else(Self::default, |value| Self::from(value.to_string()))
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Self {
            text: text::plain(&text),
            tone: None,
        }
    }
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        Self::from(text.to_owned())
    }
}

impl Table {
    /// A table without rows, whose columns without a value are left out.
    #[must_use]
    pub fn new(heads: &[&'static str]) -> Self {
        Self {
            heads: heads.to_vec(),
            rows: Vec::new(),
            has_all_columns: false,
            cut_first: Vec::new(),
        }
    }

    /// The table, in which these columns are cut before others where it is too wide.
    #[must_use]
    pub fn cutting_first(self, heads: &[&'static str]) -> Self {
        Self {
            cut_first: heads.to_vec(),
            ..self
        }
    }

    /// A table without rows that has the same columns whatever is in them, for programs that take it apart: where there
    /// is no value, it has a dash.
    #[must_use]
    pub fn with_all_columns(heads: &[&'static str]) -> Self {
        Self {
            has_all_columns: true,
            ..Self::new(heads)
        }
    }

    /// Adds a row, with a cell for each head.
    pub fn row(&mut self, mut cells: Vec<Cell>) {
        if self.has_all_columns {
            let empty = cells.iter_mut().filter(|cell| cell.text.is_empty());
            empty.for_each(|cell| *cell = Cell::from("-"));
        }
        self.rows.push(cells);
    }

    /// Its lines. Where they would be too long columns move together, then the widest ones are cut. Nothing where there
    /// are no rows.
    #[must_use]
    pub fn render(&self, style: Style) -> String {
        let columns: Vec<usize> = (0..self.heads.len()).filter(|column| self.is_used(*column)).collect();
        if self.rows.is_empty() || columns.is_empty() {
            return String::new();
        }
        let widths: Vec<usize> = columns.iter().map(|column| self.width(*column)).collect();
        let is_first = |at: usize| columns.get(at).is_some_and(|column| self.is_cut_first(*column));
        let (widths, gap) = fitted(widths, style.width, is_first);
        let heads: Vec<Cell> = self.heads.iter().map(|head| Cell::from(*head)).collect();
        let lines = std::iter::once(&heads).chain(&self.rows);
        lines.map(|row| line(row, &columns, &widths, gap, style)).collect()
    }

    fn is_cut_first(&self, column: usize) -> bool {
        self.heads.get(column).is_some_and(|head| self.cut_first.contains(head))
    }

    fn is_used(&self, column: usize) -> bool {
        self.rows
            .iter()
            .any(|row| row.get(column).is_some_and(|cell| !cell.text.is_empty()))
    }

    fn width(&self, column: usize) -> usize {
        let cells = self.rows.iter().filter_map(|row| row.get(column));
        let widest = cells.map(|cell| text::width(&cell.text)).max();
        let head = self.heads.get(column).map_or(0, |head| text::width(head));
        widest.unwrap_or(0).max(head)
    }
}

/// The widths of columns and the gap between them with which they fit: first those columns are made smaller that may be
/// cut first, then the gap, then all columns.
fn fitted(widths: Vec<usize>, room: Option<usize>, is_first: impl Fn(usize) -> bool) -> (Vec<usize>, usize) {
    let Some(room) = room else { return (widths, GAP) };
    let beside_gaps = |gap: usize| room.saturating_sub(gap * widths.len().saturating_sub(1));
    let mut narrowest = widths.clone();
    for gap in (GAP_MIN..=GAP).rev() {
        narrowest.clone_from(&widths);
        cut(&mut narrowest, beside_gaps(gap), &is_first);
        if narrowest.iter().sum::<usize>() <= beside_gaps(gap) {
            return (narrowest, gap);
        }
    }
    cut(&mut narrowest, beside_gaps(GAP_MIN), |_| true);
    (narrowest, GAP_MIN)
}

/// Makes the widest of some columns smaller until all of them fit, or none of these can be made smaller.
fn cut(widths: &mut [usize], room: usize, may_cut: impl Fn(usize) -> bool) {
    while widths.iter().sum::<usize>() > room {
        let cuttable = widths.iter_mut().enumerate().filter(|(at, _)| may_cut(*at));
        match cuttable.map(|(_, width)| width).max() {
            // What is wider than the room is cut to it at once, and so the loop is short.
            Some(widest) if *widest > room.max(COLUMN_MIN) => *widest = room.max(COLUMN_MIN),
            Some(widest) if *widest > COLUMN_MIN => *widest -= 1,
            _ => break,
        }
    }
}

fn line(row: &[Cell], columns: &[usize], widths: &[usize], gap: usize, style: Style) -> String {
    let mut line = String::new();
    // Spaces are due before the next text, so that no line ends with any.
    let mut spaces = 0;
    for (column, width) in columns.iter().zip(widths) {
        let cell = row.get(*column).cloned().unwrap_or_default();
        let shown = text::cut(&cell.text, *width);
        let taken = text::width(&shown);
        if taken > 0 {
            line.push_str(&" ".repeat(spaces));
            line.push_str(&style.paint(&shown, cell.tone));
            spaces = 0;
        }
        spaces += width.saturating_sub(taken) + gap;
    }
    line.push('\n');
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let mut table = Table::new(&["NAME", "NONE", "MESSAGE"]);
        table.row(vec!["a".into(), "".into(), "stopped below height 150: abort".into()]);
        table.row(vec!["longer-name".into(), "".into(), "".into()]);
        table
    }

    #[test]
    fn columns_are_three_spaces_apart_and_empty_ones_are_left_out() {
        let expected = "NAME          MESSAGE\na             stopped below height 150: abort\nlonger-name\n";
        assert_eq!(table().render(Style::default()), expected);
        assert_eq!(Table::new(&["NAME"]).render(Style::default()), "");
    }

    #[test]
    fn columns_move_together_before_they_are_cut() {
        let style = |width| Style {
            width: Some(width),
            colour: false,
        };
        let first = |width, table: Table| table.render(style(width)).lines().nth(1).unwrap().to_owned();
        assert_eq!(first(45, table()), "a             stopped below height 150: abort");
        assert_eq!(first(44, table()), "a            stopped below height 150: abort");
        assert_eq!(first(43, table()), "a           stopped below height 150: abort");
        let named = table().cutting_first(&["MESSAGE"]);
        assert_eq!(first(30, named), "a             stopped below h…");
    }

    #[test]
    fn the_widest_column_is_cut_to_the_terminal() {
        let narrow = Style {
            width: Some(30),
            colour: false,
        };
        let text = table().render(narrow);
        assert_eq!(text.lines().nth(1), Some("a           stopped below hei…"));
        assert!(text.lines().all(|line| text::width(line) <= 30), "{text}");
    }

    #[test]
    fn colours_take_no_room() {
        let mut table = Table::new(&["A", "B"]);
        table.row(vec![Cell::toned("True", Tone::Good), "x".into()]);
        let coloured = Style {
            width: None,
            colour: true,
        };
        assert_eq!(table.render(coloured), "A      B\n\u{1b}[32mTrue\u{1b}[0m   x\n");
    }
}
