//! What a chart shows, and how large.

use super::palette::Theme;
use crate::anomaly::{Anomaly, Expected};

/// Smallest size that still holds axes and a line.
const SMALLEST: (u32, u32) = (160, 90);
/// Largest size, so that a size from a query string cannot ask for gigabytes.
const LARGEST: (u32, u32) = (4_000, 4_000);

/// A chart of one series, ready to be written as SVG.
#[derive(Debug, Clone)]
pub struct Chart<'a> {
    pub(super) title: &'a str,
    pub(super) times: &'a [f64],
    pub(super) values: &'a [f64],
    pub(super) rate: bool,
    pub(super) counts: Option<&'a str>,
    pub(super) expected: Option<Expected>,
    pub(super) band: Option<ChartBand<'a>>,
    pub(super) spans: &'a [(f64, f64)],
    pub(super) geometry: bool,
    pub(super) mark: Option<ChartMark>,
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) theme: Theme,
}

/// What was expected over time: slices of one length. Where a bound is not finite nothing was known.
#[derive(Debug, Clone, Copy)]
pub struct ChartBand<'a> {
    /// Unix seconds, rising.
    pub times: &'a [f64],
    /// The least value expected at each.
    pub low: &'a [f64],
    /// The largest.
    pub high: &'a [f64],
}

/// The anomaly's place in the chart.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ChartMark {
    /// Unix seconds.
    pub at: f64,
    /// The value that was judged.
    pub value: f64,
}

impl<'a> Chart<'a> {
    /// A chart of `values` over `times` (Unix seconds), 640 × 220 px, in the page's theme.
    ///
    /// Pairs in which either number is not finite are left out and show as a gap; what the longer
    /// of two unequal slices has too many is ignored.
    pub fn new(title: &'a str, times: &'a [f64], values: &'a [f64]) -> Self {
        Self {
            title,
            times,
            values,
            rate: false,
            counts: None,
            expected: None,
            band: None,
            spans: &[],
            geometry: false,
            mark: None,
            width: 640,
            height: 220,
            theme: Theme::default(),
        }
    }

    /// The chart of an anomaly: its evidence, its expected range, and the mark on the judged point.
    pub fn of(anomaly: &'a Anomaly) -> Self {
        let window = anomaly.window();
        Self {
            rate: window.rate,
            expected: anomaly.expected,
            mark: Some(ChartMark {
                at: anomaly.at,
                value: anomaly.observed,
            }),
            ..Self::new(anomaly.name(), &window.times, &window.values)
        }
    }

    /// Says that the values are per-step differences of a counter.
    pub fn rate(mut self, rate: bool) -> Self {
        self.rate = rate;
        self
    }

    /// Says that the times are no times but numbers that count something, such as `epoch`.
    pub fn counts(mut self, what: &'a str) -> Self {
        self.counts = Some(what);
        self
    }

    /// Draws the expected range as a band.
    pub fn expected(mut self, expected: Expected) -> Self {
        self.expected = Some(expected);
        self
    }

    /// Draws what was expected at each time as a band, instead of one range for all.
    pub fn band(mut self, band: ChartBand<'a>) -> Self {
        self.band = Some(band);
        self
    }

    /// Shades stretches of time, each from and until, Unix seconds.
    pub fn spans(mut self, spans: &'a [(f64, f64)]) -> Self {
        self.spans = spans;
        self
    }

    /// Says in attributes of the element which times and values lie where, for a script of the page.
    pub fn with_geometry(mut self) -> Self {
        self.geometry = true;
        self
    }

    /// Marks a point.
    pub fn mark(mut self, mark: ChartMark) -> Self {
        self.mark = Some(mark);
        self
    }

    /// Width and height in px, held between 160 × 90 and 4,000 × 4,000.
    pub fn size(mut self, width: u32, height: u32) -> Self {
        self.width = width.clamp(SMALLEST.0, LARGEST.0);
        self.height = height.clamp(SMALLEST.1, LARGEST.1);
        self
    }

    /// Colours.
    pub fn theme(mut self, theme: Theme) -> Self {
        self.theme = theme;
        self
    }
}
