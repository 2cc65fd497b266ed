//! The chart of a guest's memory, block by block, of what `scripts/pictures` recorded.

use std::collections::BTreeMap;

use crate::svg::{Anchor, FAULT, INK, LINE, MARGIN, PRODUCT, QUIET, Style, Svg, WIDTH};

const HEADER: &str = "run,height,guest_bytes,threshold_bytes,refreshes";
/// The run with refreshes, and the one whose threshold is out of reach.
const RUNS: [&str; 2] = ["refreshed", "never"];
const MIB: f64 = 1_048_576.0;

/// What is drawn in: right of the figures, above the heights.
const LEFT: f64 = 92.0;
const RIGHT: f64 = WIDTH - MARGIN - 8.0;
const HIGH: f64 = 300.0;
const MIB_EACH_RULE: f64 = 32.0;
const BLOCKS_EACH_RULE: u32 = 25;
/// From a line to the baseline of what is written on it.
const ABOVE: f64 = 8.0;

/// What an indexer said once a block was in the index.
#[derive(Clone, Copy)]
struct Sample {
    height: u32,
    guest_bytes: f64,
    threshold_bytes: f64,
    refreshes: u32,
}

/// Where a height and a number of MiB are.
struct Scale {
    top: f64,
    last: f64,
    most: f64,
}

impl Scale {
    fn x(&self, height: u32) -> f64 {
        tenths(LEFT + (RIGHT - LEFT) * f64::from(height) / self.last)
    }

    fn y(&self, mib: f64) -> f64 {
        tenths(self.top + HIGH * (1.0 - mib / self.most))
    }

    fn points(&self, samples: &[Sample]) -> Vec<[f64; 2]> {
        let point = |sample: &Sample| [self.x(sample.height), self.y(sample.guest_bytes / MIB)];
        samples.iter().map(point).collect()
    }
}

/// The picture of the recording.
pub(crate) fn draw(source: &str) -> Result<String, String> {
    let mut runs = read(source)?;
    let [refreshed, never] = RUNS.map(|run| runs.remove(run).unwrap_or_default());
    let (Some(last), Some(end)) = (refreshed.last(), never.last()) else {
        return Err("a run is missing".into());
    };
    let threshold = last.threshold_bytes / MIB;
    let most = refreshed.iter().chain(&never).map(|sample| sample.guest_bytes / MIB);
    let most = most.fold(threshold, f64::max);
    let before: Vec<u32> = refreshed
        .windows(2)
        .filter(|pair| pair[1].refreshes > pair[0].refreshes)
        .map(|pair| pair[1].height)
        .collect();
    let [first, .., _] = before[..] else {
        return Err("fewer than two refreshes are recorded".into());
    };
    let before = listed(&before);
    let text = format!(
        "It grows from block to block. Once it has reached the threshold, a fresh instance takes its place before \
         the next block, here before blocks {before}."
    );

    let mut svg = Svg::default();
    let mut baseline = MARGIN + LINE - 5.0;
    svg.text(
        [MARGIN, baseline],
        Anchor::Start,
        Style::bold(INK),
        "Memory of a guest that leaks, after each block",
    );
    for line in Style::of(QUIET).wrap(&text, WIDTH - 2.0 * MARGIN) {
        baseline += LINE;
        svg.text([MARGIN, baseline], Anchor::Start, Style::of(QUIET), &line);
    }
    let scale = Scale {
        top: baseline + 24.0,
        last: f64::from(last.height.max(end.height)),
        most: (most / MIB_EACH_RULE).ceil() * MIB_EACH_RULE,
    };
    axes(&mut svg, &scale);
    let y = scale.y(threshold);
    svg.line(&[[LEFT, y], [RIGHT, y]], FAULT, true, false);
    svg.text(
        [RIGHT, y - ABOVE],
        Anchor::End,
        Style::of(FAULT),
        &format!("memory.threshold, {threshold} MiB"),
    );
    svg.curve(&scale.points(&never), QUIET);
    let middle = never[never.len() * 2 / 3];
    let place = [scale.x(middle.height) - 12.0, scale.y(middle.guest_bytes / MIB)];
    svg.text(place, Anchor::End, Style::of(QUIET), "without a refresh");
    svg.curve(&scale.points(&refreshed), PRODUCT);
    let place = [scale.x(first) - 12.0, scale.y(0.0) - 12.0];
    svg.text(place, Anchor::End, Style::of(PRODUCT), "refreshed");
    let desc = format!(
        "A chart over heights from {} to {}. With memory.refresh OnThreshold the memory of the guest grows from block \
         to block up to the threshold of {threshold} MiB, falls to {} MiB with a refresh, before blocks {before}, \
         and grows again. Without a refresh it is {} MiB in the end.",
        refreshed[0].height,
        last.height,
        refreshed[0].guest_bytes / MIB,
        end.guest_bytes / MIB,
    );
    let bottom = scale.y(0.0) + 2.0 * LINE + MARGIN;
    Ok(svg.finish(bottom, "Memory of a guest that leaks", &desc))
}

/// The samples of each run, by its name.
fn read(source: &str) -> Result<BTreeMap<&str, Vec<Sample>>, String> {
    let mut lines = source.lines();
    if lines.next() != Some(HEADER) {
        return Err(format!("the first line is not {HEADER}"));
    }
    let mut runs: BTreeMap<&str, Vec<Sample>> = BTreeMap::new();
    for line in lines {
        let fields: Vec<&str> = line.split(',').collect();
        let sample = || {
            Some(Sample {
                height: fields.get(1)?.parse().ok()?,
                guest_bytes: fields.get(2)?.parse().ok()?,
                threshold_bytes: fields.get(3)?.parse().ok()?,
                refreshes: fields.get(4)?.parse().ok()?,
            })
        };
        let sample = sample().ok_or_else(|| format!("`{line}` is no sample"))?;
        runs.entry(fields[0]).or_default().push(sample);
    }
    Ok(runs)
}

/// Such as `1, 2 and 3`.
fn listed(heights: &[u32]) -> String {
    let words: Vec<String> = heights.iter().map(u32::to_string).collect();
    match words.as_slice() {
        [early @ .., latest] if !early.is_empty() => format!("{} and {latest}", early.join(", ")),
        words => words.concat(),
    }
}

fn axes(svg: &mut Svg, scale: &Scale) {
    let mut mib = 0.0;
    while mib <= scale.most {
        let y = scale.y(mib);
        svg.rule([LEFT, y], [RIGHT, y]);
        svg.text(
            [LEFT - ABOVE, y + 5.0],
            Anchor::End,
            Style::of(QUIET),
            &if mib > 0.0 { format!("{mib} MiB") } else { "0".into() },
        );
        mib += MIB_EACH_RULE;
    }
    let mut height = 0;
    while f64::from(height) <= scale.last {
        let place = [scale.x(height), scale.y(0.0) + LINE + 1.0];
        svg.text(place, Anchor::Middle, Style::of(QUIET), &height.to_string());
        height += BLOCKS_EACH_RULE;
    }
    let place = [f64::midpoint(LEFT, RIGHT), scale.y(0.0) + 2.0 * LINE + 5.0];
    svg.text(place, Anchor::Middle, Style::of(QUIET), "height");
}

fn tenths(pixels: f64) -> f64 {
    (pixels * 10.0).round() / 10.0
}
