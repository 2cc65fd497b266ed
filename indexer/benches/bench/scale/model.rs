//! What the measured part of the curve says of larger indexes.

use serde::Serialize;
use serde_json::{Value, json};

use super::windows::Window;

/// The first rows are not like those that follow: everything is in memory.
const ROWS_MIN: f64 = 1e6;
/// Indexes too large to wait for here.
pub(super) const PREDICTED_ROWS: [f64; 2] = [1e9, 1e10];

/// `at_0 + slope · x`.
#[derive(Clone, Copy, Debug, Serialize)]
struct Line {
    at_0: f64,
    slope: f64,
}

/// Milliseconds a block grow with the logarithm of the rows, as the height of a tree or the number of its levels does;
/// memory and disk with the rows.
#[derive(Clone, Copy, Debug)]
pub(super) struct Model {
    /// Over the binary logarithm of the rows.
    ms: Line,
    /// Resident bytes, over the rows.
    resident: Line,
    disk_bytes_per_row: f64,
}

/// What an index of so many rows would need if it kept to the model.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Prediction {
    pub(super) rows: f64,
    /// Milliseconds a block.
    pub(super) ms: f64,
    pub(super) disk_bytes: f64,
    /// Resident; the page cache comes on top.
    pub(super) resident_bytes: f64,
}

impl Line {
    /// Through points, with the least squares of what it misses them by. Level where they fall or there are fewer than
    /// two: nothing takes less as an index grows, but a process that was restarted begins with little memory.
    fn through(points: &[(f64, f64)]) -> Self {
        let count = (points.len() as f64).max(1.0);
        let mean_x = points.iter().map(|(x, _)| x).sum::<f64>() / count;
        let mean_y = points.iter().map(|(_, y)| y).sum::<f64>() / count;
        let xy: f64 = points.iter().map(|(x, y)| (x - mean_x) * (y - mean_y)).sum();
        let xx: f64 = points.iter().map(|(x, _)| (x - mean_x).powi(2)).sum();
        let slope = if xx > 0.0 { (xy / xx).max(0.0) } else { 0.0 };
        Self {
            at_0: mean_y - slope * mean_x,
            slope,
        }
    }

    fn at(self, x: f64) -> f64 {
        self.at_0 + self.slope * x
    }
}

impl Model {
    /// That fits these best.
    pub(super) fn of(windows: &[Window], disk_bytes_per_row: f64) -> Self {
        let grown = || windows.iter().filter(|window| window.rows >= ROWS_MIN);
        let ms: Vec<_> = grown().map(|window| (window.rows.log2(), window.ms)).collect();
        let resident: Vec<_> = grown().map(|window| (window.rows, window.resident_bytes)).collect();
        Self {
            ms: Line::through(&ms),
            resident: Line::through(&resident),
            disk_bytes_per_row,
        }
    }

    /// Milliseconds a block at so many rows.
    pub(super) fn ms(&self, rows: f64) -> f64 {
        self.ms.at(rows.log2())
    }

    pub(super) fn predict(&self, rows: f64) -> Prediction {
        Prediction {
            rows,
            ms: self.ms(rows),
            disk_bytes: self.disk_bytes_per_row * rows,
            resident_bytes: self.resident.at(rows),
        }
    }

    pub(super) fn json(&self) -> Value {
        json!({
            "ms_over_log2_of_rows": self.ms,
            "resident_bytes_over_rows": self.resident,
            "disk_bytes_per_row": self.disk_bytes_per_row,
            "predictions": PREDICTED_ROWS.map(|rows| self.predict(rows)),
        })
    }
}
