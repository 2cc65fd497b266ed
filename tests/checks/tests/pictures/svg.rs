//! A picture on a card of its own, which is readable on light and dark pages alike.

use std::fmt::{Display, Write as _};

use crate::text;

/// As wide as the text of the book, so that letters have their size.
pub(crate) const WIDTH: f64 = 750.0;
/// What is free inside the card.
pub(crate) const MARGIN: f64 = 24.0;
/// Of all text but titles of boxes.
pub(crate) const SIZE: f64 = 14.0;
/// From one line of text to the next.
pub(crate) const LINE: f64 = 19.0;

pub(crate) const INK: &str = "#1f2937";
pub(crate) const QUIET: &str = "#4b5563";
pub(crate) const FAINT: &str = "#e5e7eb";
pub(crate) const PRODUCT: &str = "#1d4ed8";
pub(crate) const FAULT: &str = "#b42318";

const CARD: &str = "#ffffff";
const EDGE: &str = "#d1d5db";
const FAMILY: &str = "Helvetica, Arial, 'Liberation Sans', 'DejaVu Sans', sans-serif";

/// Where text is, relative to its point.
#[derive(Clone, Copy)]
pub(crate) enum Anchor {
    Start,
    Middle,
    End,
}

/// Elements in the order in which they are drawn.
#[derive(Default)]
pub(crate) struct Svg {
    body: String,
}

impl Svg {
    /// A rectangle with round corners.
    pub(crate) fn card(&mut self, [x, y, width, height]: [f64; 4], fill: &str, stroke: &str) {
        self.element(format_args!(
            r#"<rect x="{x}" y="{y}" width="{width}" height="{height}" rx="8" fill="{fill}" stroke="{stroke}" stroke-width="1.5"/>"#
        ));
    }

    /// A line through points; `arrow` gives it a head.
    pub(crate) fn line(&mut self, points: &[[f64; 2]], stroke: &str, dashed: bool, arrow: bool) {
        let dashes = dashes(dashed);
        let head = if arrow {
            format!(r#" marker-end="url(#{})""#, head(stroke))
        } else {
            String::new()
        };
        let points = joined(points);
        self.element(format_args!(
            r#"<polyline points="{points}" fill="none" stroke="{stroke}" stroke-width="1.5"{dashes}{head}/>"#
        ));
    }

    /// What was measured, through its points.
    pub(crate) fn curve(&mut self, points: &[[f64; 2]], stroke: &str) {
        let points = joined(points);
        self.element(format_args!(
            r#"<polyline points="{points}" fill="none" stroke="{stroke}" stroke-width="2.5" stroke-linejoin="round"/>"#
        ));
    }

    /// A thin line that is only there to be measured by.
    pub(crate) fn rule(&mut self, [x1, y1]: [f64; 2], [x2, y2]: [f64; 2]) {
        self.element(format_args!(
            r#"<line x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}" stroke="{FAINT}" stroke-width="1"/>"#
        ));
    }

    /// A line of text whose baseline is at `y`.
    pub(crate) fn text(&mut self, [x, y]: [f64; 2], anchor: Anchor, style: Style, line: &str) {
        let Style { size, bold, fill } = style;
        let weight = if bold { r#" font-weight="bold""# } else { "" };
        let size = if size == SIZE {
            String::new()
        } else {
            format!(r#" font-size="{size}""#)
        };
        let anchor = match anchor {
            Anchor::Start => "",
            Anchor::Middle => r#" text-anchor="middle""#,
            Anchor::End => r#" text-anchor="end""#,
        };
        let line = escaped(line);
        self.element(format_args!(
            r#"<text x="{x}" y="{y}"{size}{weight}{anchor} fill="{fill}">{line}</text>"#
        ));
    }

    fn element(&mut self, element: impl Display) {
        writeln!(self.body, "{element}").expect("a string takes all");
    }

    /// The whole file, `height` pixels high.
    pub(crate) fn finish(self, height: f64, title: &str, desc: &str) -> String {
        let (title, desc) = (escaped(title), escaped(desc));
        let mut heads = String::new();
        for stroke in [QUIET, PRODUCT, FAULT] {
            if self.body.contains(&format!("url(#{})", head(stroke))) {
                writeln!(
                    heads,
                    r#"<marker id="{}" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="8" markerHeight="8" markerUnits="userSpaceOnUse" orient="auto"><path d="M0,0 L10,5 L0,10 z" fill="{stroke}"/></marker>"#,
                    head(stroke)
                )
                .expect("a string takes all");
            }
        }
        let (right, bottom) = (WIDTH - 1.0, height - 1.0);
        format!(
            r#"<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}" role="img" aria-labelledby="title desc" font-family="{FAMILY}" font-size="{SIZE}">
<title id="title">{title}</title>
<desc id="desc">{desc}</desc>
<defs>
{heads}</defs>
<rect x="0.5" y="0.5" width="{right}" height="{bottom}" rx="12" fill="{CARD}" stroke="{EDGE}"/>
{}</svg>
"#,
            self.body
        )
    }
}

/// How text looks.
#[derive(Clone, Copy)]
pub(crate) struct Style {
    pub(crate) size: f64,
    pub(crate) bold: bool,
    pub(crate) fill: &'static str,
}

impl Style {
    pub(crate) const fn of(fill: &'static str) -> Self {
        Self {
            size: SIZE,
            bold: false,
            fill,
        }
    }

    pub(crate) const fn bold(fill: &'static str) -> Self {
        Self {
            size: SIZE,
            bold: true,
            fill,
        }
    }

    pub(crate) fn width(self, line: &str) -> f64 {
        text::width(line, self.size, self.bold)
    }

    pub(crate) fn wrap(self, text: &str, pixels: f64) -> Vec<String> {
        text::wrap(text, self.size, self.bold, pixels)
    }
}

/// The name of an arrow's head in a colour.
fn head(stroke: &str) -> String {
    format!("head-{}", stroke.trim_start_matches('#'))
}

fn joined(points: &[[f64; 2]]) -> String {
    let points: Vec<String> = points.iter().map(|[x, y]| format!("{x},{y}")).collect();
    points.join(" ")
}

fn dashes(dashed: bool) -> &'static str {
    if dashed { r#" stroke-dasharray="5 4""# } else { "" }
}

fn escaped(text: &str) -> String {
    text.trim()
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}
