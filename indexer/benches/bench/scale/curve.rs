//! Draws milliseconds a block over rows, and how the curve would continue.

use std::{error::Error, path::Path};

use plotters::prelude::*;

use super::{
    model::{Model, PREDICTED_ROWS, Prediction},
    windows::Window,
};

const PIXELS: (u32, u32) = (960, 540);
const ROWS: std::ops::Range<f64> = 1e6..2e10;
const MEASURED: RGBColor = RGBColor(31, 119, 180);
const PREDICTED: RGBColor = RGBColor(200, 80, 30);
/// Points of the model's curve for each factor of ten.
const POINTS: u32 = 20;

/// Writes it as SVG.
///
/// # Errors
/// When the file cannot be written.
pub(super) fn draw(file: &Path, windows: &[Window], model: &Model) -> Result<(), Box<dyn Error>> {
    let predictions = PREDICTED_ROWS.map(|rows| model.predict(rows));
    let all_ms = windows.iter().map(|window| window.ms);
    let top = all_ms
        .chain(predictions.iter().map(|prediction| prediction.ms))
        .fold(1.0, f64::max)
        * 1.3;
    let area = SVGBackend::new(file, PIXELS).into_drawing_area();
    area.fill(&WHITE)?;
    let mut chart = ChartBuilder::on(&area)
        .caption(
            "What a block of the guest wide takes, by the rows in the index",
            ("sans-serif", 18),
        )
        .margin(12)
        .x_label_area_size(42)
        .y_label_area_size(56)
        .build_cartesian_2d(ROWS.log_scale(), 0.0..top)?;
    chart
        .configure_mesh()
        .x_desc("rows")
        .y_desc("milliseconds a block")
        .x_label_formatter(&|rows| count(*rows))
        .y_label_formatter(&|ms| format!("{ms:.0}"))
        .max_light_lines(0)
        .bold_line_style(BLACK.mix(0.1))
        .draw()?;
    let measured = windows.iter().map(|window| (window.rows, window.ms));
    chart
        .draw_series(LineSeries::new(measured, MEASURED.stroke_width(2)))?
        .label("measured")
        .legend(|(x, y)| PathElement::new(vec![(x, y), (x + 20, y)], MEASURED.stroke_width(2)));
    chart
        .draw_series(DashedLineSeries::new(continued(model), 6, 4, PREDICTED.stroke_width(1)))?
        .label("prediction: a + b · log2(rows), fitted to what was measured")
        .legend(|(x, y)| PathElement::new(vec![(x, y), (x + 8, y)], PREDICTED.stroke_width(1)));
    for prediction in &predictions {
        let at = (prediction.rows, prediction.ms);
        let style = ("sans-serif", 12).into_font().color(&PREDICTED);
        let lines = in_words(prediction).into_iter().zip([-52, -38, -24]);
        let texts = lines.map(|(line, y)| EmptyElement::at(at) + Text::new(line, (-96, y), style.clone()));
        chart.draw_series(texts)?;
        chart.draw_series([Circle::new(at, 4, PREDICTED.stroke_width(1))])?;
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperLeft)
        .background_style(WHITE)
        .border_style(BLACK.mix(0.2))
        .draw()?;
    area.present()?;
    Ok(())
}

/// The model's curve over the whole width.
fn continued(model: &Model) -> impl Iterator<Item = (f64, f64)> + Clone {
    let model = *model;
    let points = 6 * POINTS..=10 * POINTS;
    points.map(move |point| {
        let rows = 10_f64.powf(f64::from(point) / f64::from(POINTS));
        (rows, model.ms(rows).max(0.0))
    })
}

fn in_words(prediction: &Prediction) -> [String; 3] {
    [
        format!("{} rows, predicted:", count(prediction.rows)),
        format!(
            "{:.0} ms, {:.0} GB of disk,",
            prediction.ms,
            prediction.disk_bytes / 1e9
        ),
        format!("{:.1} GB resident", prediction.resident_bytes / 1e9),
    ]
}

/// A number of rows, for people.
fn count(rows: f64) -> String {
    if rows >= 1e9 {
        format!("{:.0} billion", rows / 1e9)
    } else {
        format!("{:.0} million", rows / 1e6)
    }
}
