//! Boxes in a grid, frames around them, and straight arrows between them, as a file of YAML names them.
//!
//! Widths of columns and what is between rows and columns are in the file; heights follow from the text. What does not
//! fit is an error, so a picture that is drawn has no text that is cut.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::svg::{Anchor, FAULT, INK, LINE, MARGIN, PRODUCT, QUIET, SIZE, Style, Svg, WIDTH};

/// Between the edge of a box and its text.
const PADDING: f64 = 12.0;
/// Between the edge of a frame and its boxes.
const FRAME: f64 = 16.0;
/// From the middle of a line of text to its baseline.
const BASELINE: f64 = 5.0;
/// Between an arrow and what it says.
const BESIDE: f64 = 8.0;
const TITLE: Style = Style::bold(INK);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Diagram {
    title: String,
    desc: String,
    columns: Vec<f64>,
    between_columns: Vec<f64>,
    between_rows: Vec<f64>,
    #[serde(default)]
    frames: Vec<Frame>,
    boxes: Vec<Item>,
    #[serde(default)]
    arrows: Vec<Arrow>,
}

/// Drawn around boxes; arrows may lead to it as to a box.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Frame {
    name: String,
    title: String,
    around: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Item {
    name: String,
    /// Column and row.
    at: [usize; 2],
    /// How many columns and rows.
    #[serde(default = "one")]
    span: [usize; 2],
    title: String,
    #[serde(default)]
    text: String,
    /// The word that a status has for it.
    #[serde(default)]
    word: String,
    #[serde(default)]
    kind: Kind,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Arrow {
    from: String,
    to: String,
    #[serde(default)]
    says: String,
    /// How far aside, so that two do not meet.
    #[serde(default)]
    shift: f64,
    /// What it says is below the arrow, or left of it.
    #[serde(default)]
    before: bool,
    #[serde(default)]
    kind: Kind,
    #[serde(default)]
    dashed: bool,
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    /// What is around the product.
    #[default]
    Plain,
    Product,
    Fault,
}

impl Kind {
    fn stroke(self) -> &'static str {
        match self {
            Self::Plain => QUIET,
            Self::Product => PRODUCT,
            Self::Fault => FAULT,
        }
    }

    fn fill(self) -> &'static str {
        match self {
            Self::Plain => "#f9fafb",
            Self::Product => "#eff6ff",
            Self::Fault => "#fef3f2",
        }
    }
}

fn one() -> [usize; 2] {
    [1, 1]
}

#[derive(Clone, Copy)]
struct Area {
    left: f64,
    top: f64,
    right: f64,
    bottom: f64,
}

impl Area {
    fn corners(self) -> [f64; 4] {
        [self.left, self.top, self.right - self.left, self.bottom - self.top]
    }
}

/// The picture that a file describes.
pub(crate) fn draw(source: &str) -> Result<String, String> {
    let diagram: Diagram = serde_yaml::from_str(source).map_err(|error| error.to_string())?;
    let areas = diagram.areas()?;
    let mut svg = Svg::default();
    for frame in &diagram.frames {
        let area = areas[frame.name.as_str()];
        svg.card(area.corners(), "#ffffff", Kind::Product.stroke());
        let place = [area.left + FRAME, area.top + FRAME + BASELINE];
        svg.text(place, Anchor::Start, Style::bold(Kind::Product.stroke()), &frame.title);
    }
    for item in &diagram.boxes {
        item.draw(&mut svg, areas[item.name.as_str()]);
    }
    for arrow in &diagram.arrows {
        arrow.draw(&mut svg, &areas)?;
    }
    let bottom = areas.values().map(|area| area.bottom).fold(0.0, f64::max);
    Ok(svg.finish(bottom + MARGIN, &diagram.title, &diagram.desc))
}

impl Diagram {
    /// Where each box and each frame is.
    fn areas(&self) -> Result<BTreeMap<&str, Area>, String> {
        let lefts = starts(MARGIN, &self.columns, &self.between_columns);
        let heights = self.heights(&lefts)?;
        let above = if self.frames.is_empty() {
            0.0
        } else {
            self.above_first_row()
        };
        let tops = starts(MARGIN + above, &heights, &self.between_rows);
        let mut areas = BTreeMap::new();
        for item in &self.boxes {
            let ([column, row], [columns, rows]) = (item.at, item.span);
            let (last_column, last_row) = (column + columns - 1, row + rows - 1);
            let area = Area {
                left: lefts[column],
                top: tops[row],
                right: lefts[last_column] + self.columns[last_column],
                bottom: tops[last_row] + heights[last_row],
            };
            if item.height(area.right - area.left) > area.bottom - area.top {
                return Err(format!("the text of box {} is higher than its rows", item.name));
            }
            areas.insert(item.name.as_str(), area);
        }
        for frame in &self.frames {
            let mut inside = frame.around.iter().map(|name| find(&areas, name));
            let mut area = inside.next().ok_or("a frame is around nothing")??;
            for other in inside {
                let other = other?;
                area.left = area.left.min(other.left);
                area.top = area.top.min(other.top);
                area.right = area.right.max(other.right);
                area.bottom = area.bottom.max(other.bottom);
            }
            area.left -= FRAME;
            area.top -= FRAME + LINE + BASELINE;
            area.right += FRAME;
            area.bottom += FRAME;
            areas.insert(frame.name.as_str(), area);
        }
        match areas.iter().find(|(_, area)| area.right > WIDTH - MARGIN) {
            Some((name, _)) => Err(format!("{name} is beyond the edge")),
            None => Ok(areas),
        }
    }

    /// What a frame around boxes of the first row needs.
    fn above_first_row(&self) -> f64 {
        let framed = |item: &Item| self.frames.iter().any(|frame| frame.around.contains(&item.name));
        let any = self.boxes.iter().any(|item| item.at[1] == 0 && framed(item));
        if any { FRAME + LINE + BASELINE } else { 0.0 }
    }

    /// Of each row: that of its highest box.
    fn heights(&self, lefts: &[f64]) -> Result<Vec<f64>, String> {
        let mut heights = vec![0.0_f64; self.between_rows.len() + 1];
        for item in &self.boxes {
            let ([column, row], [columns, rows]) = (item.at, item.span);
            let last = column + columns - 1;
            if last >= lefts.len() || last >= self.columns.len() || row + rows > heights.len() {
                return Err(format!("box {} is outside the grid", item.name));
            }
            let width = lefts[last] + self.columns[last] - lefts[column];
            if let Some(line) = item
                .lines(width)
                .find(|(style, line)| style.width(line) > width - PADDING)
            {
                return Err(format!("`{}` is wider than box {}", line.1, item.name));
            }
            if rows == 1 {
                heights[row] = heights[row].max(item.height(width));
            }
        }
        Ok(heights)
    }
}

impl Item {
    /// What is written in a box of that width.
    fn lines(&self, width: f64) -> impl Iterator<Item = (Style, String)> {
        let pixels = width - 2.0 * PADDING;
        let styles = [
            (TITLE, &self.title),
            (Style::of(INK), &self.text),
            (Style::of(self.kind.stroke()), &self.word),
        ];
        styles
            .into_iter()
            .flat_map(move |(style, text)| style.wrap(text, pixels).into_iter().map(move |line| (style, line)))
    }

    fn height(&self, width: f64) -> f64 {
        let mut height = 2.0 * PADDING;
        for _ in self.lines(width) {
            height += LINE;
        }
        height
    }

    fn draw(&self, svg: &mut Svg, area: Area) {
        svg.card(area.corners(), self.kind.fill(), self.kind.stroke());
        let middle = f64::midpoint(area.left, area.right);
        let height = self.height(area.right - area.left) - 2.0 * PADDING;
        let mut baseline = f64::midpoint(area.top, area.bottom) - height / 2.0 + LINE / 2.0 + BASELINE;
        for (style, line) in self.lines(area.right - area.left) {
            svg.text([middle, baseline], Anchor::Middle, style, &line);
            baseline += LINE;
        }
    }
}

impl Arrow {
    fn draw(&self, svg: &mut Svg, areas: &BTreeMap<&str, Area>) -> Result<(), String> {
        let (from, to) = (find(areas, &self.from)?, find(areas, &self.to)?);
        let rows = overlap((from.top, from.bottom), (to.top, to.bottom));
        let columns = overlap((from.left, from.right), (to.left, to.right));
        let stroke = self.kind.stroke();
        let lines: Vec<&str> = self.says.split('\n').filter(|line| !line.is_empty()).collect();
        let style = Style::of(if matches!(self.kind, Kind::Plain) {
            QUIET
        } else {
            stroke
        });
        if let Some(y) = rows {
            let y = y + self.shift;
            let (start, end) = ends((from.left, from.right), (to.left, to.right));
            svg.line(&[[start, y], [end, y]], stroke, self.dashed, true);
            if let Some(line) = lines.iter().find(|line| style.width(line) > (end - start).abs()) {
                return Err(format!(
                    "`{line}` is longer than the arrow from {} to {}",
                    self.from, self.to
                ));
            }
            let above = LINE * f64::from(u16::try_from(lines.len()).unwrap_or(u16::MAX) - u16::from(!lines.is_empty()));
            let mut baseline = if self.before {
                y + BESIDE + SIZE - 3.0
            } else {
                y - BESIDE - above
            };
            for line in lines {
                svg.text([f64::midpoint(start, end), baseline], Anchor::Middle, style, line);
                baseline += LINE;
            }
            Ok(())
        } else if let Some(x) = columns {
            let x = x + self.shift;
            let (start, end) = ends((from.top, from.bottom), (to.top, to.bottom));
            svg.line(&[[x, start], [x, end]], stroke, self.dashed, true);
            let (anchor, x) = if self.before {
                (Anchor::End, x - BESIDE)
            } else {
                (Anchor::Start, x + BESIDE)
            };
            let height = LINE * f64::from(u16::try_from(lines.len()).unwrap_or(u16::MAX));
            let mut baseline = f64::midpoint(start, end) - height / 2.0 + LINE / 2.0 + BASELINE;
            for line in lines {
                svg.text([x, baseline], anchor, style, line);
                baseline += LINE;
            }
            Ok(())
        } else {
            Err(format!("no straight arrow leads from {} to {}", self.from, self.to))
        }
    }
}

fn find(areas: &BTreeMap<&str, Area>, name: &str) -> Result<Area, String> {
    areas
        .get(name)
        .copied()
        .ok_or_else(|| format!("there is no box {name}"))
}

/// Where each of several sizes begins, one after the other.
fn starts(first: f64, sizes: &[f64], between: &[f64]) -> Vec<f64> {
    let mut start = first;
    let mut starts = Vec::new();
    for (index, size) in sizes.iter().enumerate() {
        starts.push(start);
        start += size + between.get(index).unwrap_or(&0.0);
    }
    starts
}

/// The middle of what two ranges share.
fn overlap(one: (f64, f64), other: (f64, f64)) -> Option<f64> {
    let (low, high) = (one.0.max(other.0), one.1.min(other.1));
    (low < high).then_some(f64::midpoint(low, high))
}

/// Where an arrow between two ranges begins and ends.
fn ends(from: (f64, f64), to: (f64, f64)) -> (f64, f64) {
    if from.1 <= to.0 { (from.1, to.0) } else { (from.0, to.1) }
}
