//! The figures: collected, printed as a table, written as JSON.

use std::path::Path;

use serde_json::{Value, json};

/// One figure.
pub(crate) struct Figure {
    name: String,
    value: f64,
    unit: &'static str,
    how: String,
    bar: Option<Bar>,
}

/// What a figure should be.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Bar {
    /// No more than this.
    AtMost(f64),
    /// No less than this.
    AtLeast(f64),
}

impl Bar {
    fn is_met(self, value: f64) -> bool {
        match self {
            Self::AtMost(bar) => value <= bar,
            Self::AtLeast(bar) => value >= bar,
        }
    }

    fn text(self) -> String {
        match self {
            Self::AtMost(bar) => format!("≤ {bar}"),
            Self::AtLeast(bar) => format!("≥ {bar}"),
        }
    }
}

/// All figures of a run.
#[derive(Default)]
pub(crate) struct Report(Vec<Figure>);

impl Report {
    /// Adds a figure and shows it at once: a run takes minutes.
    pub(crate) fn add(
        &mut self,
        name: impl Into<String>,
        value: f64,
        unit: &'static str,
        bar: impl Into<Option<Bar>>,
        how: impl Into<String>,
    ) {
        let figure = Figure {
            name: name.into(),
            value,
            unit,
            how: how.into(),
            bar: bar.into(),
        };
        println!("{}", figure.row());
        self.0.push(figure);
    }

    /// Prints all of them as a table.
    pub(crate) fn print(&self) {
        println!("\n| figure | value | unit | bar | how |\n|---|---|---|---|---|");
        for figure in &self.0 {
            println!("{}", figure.row());
        }
    }

    /// One object per figure.
    pub(crate) fn json(&self) -> Value {
        let figures = self
            .0
            .iter()
            .map(|figure| json!({"name": figure.name, "value": figure.value, "unit": figure.unit, "how": figure.how}));
        figures.collect()
    }

    /// The names of the figures that miss their bars.
    pub(crate) fn missed(&self) -> Vec<&str> {
        let missed = self
            .0
            .iter()
            .filter(|figure| figure.bar.is_some_and(|bar| !bar.is_met(figure.value)));
        missed.map(|figure| figure.name.as_str()).collect()
    }
}

impl Figure {
    fn row(&self) -> String {
        let value = match self.value {
            value if value >= 100.0 => format!("{value:.0}"),
            value if value >= 10.0 => format!("{value:.1}"),
            value => format!("{value:.2}"),
        };
        let bar = self.bar.map_or("–".into(), |bar| {
            format!(
                "{}{}",
                bar.text(),
                if bar.is_met(self.value) { "" } else { " **missed**" }
            )
        });
        format!("| `{}` | {value} | {} | {bar} | {} |", self.name, self.unit, self.how)
    }
}

/// Writes JSON to a file, for people too.
pub(crate) fn write(path: &Path, json: &Value) {
    let text = serde_json::to_string_pretty(json).expect("numbers and texts");
    std::fs::write(path, text + "\n").unwrap_or_else(|error| panic!("write {}: {error}", path.display()));
}

/// The middle one of several measurements.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// The value below which so many percent lie.
pub(crate) fn percentile(values: &mut [f64], percent: usize) -> f64 {
    values.sort_by(f64::total_cmp);
    values[(values.len() * percent / 100).min(values.len() - 1)]
}
