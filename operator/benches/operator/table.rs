//! The figures: collected, printed as a table, written as JSON.

use std::path::Path;

use serde_json::{Value, json};

/// What a figure should be.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Bar {
    /// No more than this.
    AtMost(f64),
    /// Less than this.
    Below(f64),
    /// No less than this.
    AtLeast(f64),
}

/// One figure.
struct Figure {
    name: &'static str,
    value: f64,
    unit: &'static str,
    bar: Option<Bar>,
    how: String,
}

/// All figures of a run.
#[derive(Default)]
pub(crate) struct Table(Vec<Figure>);

impl Table {
    /// Adds a figure and shows it at once: a run takes minutes.
    pub(crate) fn add(
        &mut self,
        name: &'static str,
        value: f64,
        unit: &'static str,
        bar: impl Into<Option<Bar>>,
        how: impl Into<String>,
    ) {
        let (bar, how) = (bar.into(), how.into());
        let figure = Figure {
            name,
            value,
            unit,
            bar,
            how,
        };
        println!("{}", figure.row());
        self.0.push(figure);
    }

    /// Prints all of them.
    pub(crate) fn print(&self) {
        println!("\n| figure | value | unit | bar | | how |\n|---|---|---|---|---|---|");
        for figure in &self.0 {
            println!("{}", figure.row());
        }
        println!();
    }

    /// Writes one object per figure.
    pub(crate) fn write(&self, file: &Path) {
        let figures: Value = self.0.iter().map(Figure::json).collect();
        let text = serde_json::to_string_pretty(&figures).unwrap();
        std::fs::write(file, text + "\n").unwrap_or_else(|error| panic!("write {}: {error}", file.display()));
    }

    /// The names of the figures that miss their bars.
    pub(crate) fn missed(&self) -> Vec<&'static str> {
        let missed = self.0.iter().filter(|figure| figure.is_met() == Some(false));
        missed.map(|figure| figure.name).collect()
    }
}

impl Figure {
    fn is_met(&self) -> Option<bool> {
        Some(match self.bar? {
            Bar::AtMost(bar) => self.value <= bar,
            Bar::Below(bar) => self.value < bar,
            Bar::AtLeast(bar) => self.value >= bar,
        })
    }

    fn bar_in_words(&self) -> Option<String> {
        Some(match self.bar? {
            Bar::AtMost(bar) => format!("≤ {bar}"),
            Bar::Below(bar) => format!("< {bar}"),
            Bar::AtLeast(bar) => format!("≥ {bar}"),
        })
    }

    fn row(&self) -> String {
        let value = match self.value {
            value if value >= 100.0 => format!("{value:.0}"),
            value if value >= 10.0 => format!("{value:.1}"),
            value => format!("{value:.2}"),
        };
        let bar = self.bar_in_words().unwrap_or_else(|| "–".into());
        let verdict = match self.is_met() {
            Some(true) => "met",
            Some(false) => "**MISSED**",
            None => "",
        };
        format!(
            "| `{}` | {value} | {} | {bar} | {verdict} | {} |",
            self.name, self.unit, self.how
        )
    }

    fn json(&self) -> Value {
        json!({
            "name": self.name, "value": self.value, "unit": self.unit, "how": self.how,
            "bar": self.bar_in_words(), "isMet": self.is_met(),
        })
    }
}

/// A number of things as a figure.
pub(crate) fn count(of: usize) -> f64 {
    f64::from(u32::try_from(of).unwrap())
}
