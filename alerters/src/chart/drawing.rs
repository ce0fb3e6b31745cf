//! A chart written as SVG, part by part from back to front.

use std::fmt::Write as _;

use super::band;
use super::builder::{Chart, ChartMark};
use super::line::{self, LineRun, PixelColumns};
use super::palette::{ColourRole, Palette};
use super::points;
use super::scale::{TimeScale, ValueScale};
use crate::{text, units};

/// Average width of a letter at the label size of 11 px, in the widest of the usual fonts.
const LABEL_LETTER: f64 = 6.6;
/// The same for the title at 13 px, semibold.
const TITLE_LETTER: f64 = 8.9;
/// Narrowest chart with a legend beside its title, px.
const LEGEND_FROM: u32 = 480;
/// Widest name kept in the tooltip and the description.
const NAME_COLUMNS: usize = 300;

/// One chart being written: the text so far and where things go.
pub(super) struct Drawing<'a> {
    chart: &'a Chart<'a>,
    palette: Palette,
    svg: String,
    /// The mark, when it lies in the window or right beside it.
    marked: Option<ChartMark>,
    x: TimeScale,
    y: ValueScale,
    empty: bool,
}

impl Chart<'_> {
    /// The chart as one `<svg>` element. Linear in the number of points.
    pub fn svg(&self) -> String {
        let points = points::finite_points(self.times, self.values);
        Drawing::new(self, &points).finish(&points)
    }
}

impl<'a> Drawing<'a> {
    pub(super) fn new(chart: &'a Chart<'a>, points: &[(f64, f64)]) -> Self {
        let (width, height) = (f64::from(chart.width), f64::from(chart.height));
        let (first, last) = points::ends(points);
        let empty = points.is_empty();
        let marked = chart.mark.filter(|mark| {
            let reach = (last - first).max(60.0) * 0.1;
            !empty && mark.at >= first - reach && mark.at <= last + reach
        });
        let top = if chart.title.is_empty() { 10.0 } else { 32.0 };
        let y = ValueScale::new(
            points,
            chart.expected.or_else(|| chart.band.and_then(band::reach)),
            marked.map(|mark| mark.value),
            top,
            height - 22.0,
        );
        let widest = y
            .ticks()
            .iter()
            .map(|(_, label)| text_width(label))
            .fold(0.0, f64::max);
        let left = (widest + 10.0).clamp(32.0, width / 3.0);
        let (from, to) = match marked {
            Some(mark) => (first.min(mark.at), last.max(mark.at)),
            None => (first, last),
        };
        let x = TimeScale::new(from, to, left, width - 10.0);
        let palette = Palette::of(chart.theme);
        Self {
            chart,
            palette,
            svg: String::with_capacity(8 * 1024),
            marked,
            x,
            y,
            empty,
        }
    }

    /// Writes everything from back to front.
    pub(super) fn finish(mut self, points: &[(f64, f64)]) -> String {
        self.open();
        self.describe(points);
        self.title();
        self.spans();
        self.band();
        self.moving_band();
        self.axes();
        self.series(points);
        self.mark();
        self.svg.push_str("</svg>");
        self.svg
    }

    fn open(&mut self) {
        let Chart { width, height, .. } = self.chart;
        let geometry = match self.chart.geometry && !self.empty {
            true => self.geometry(),
            false => String::new(),
        };
        // `max-width` lets a chart shrink with a narrow page and never grow past its design size.
        _ = write!(
            self.svg,
            r#"<svg xmlns="http://www.w3.org/2000/svg" class="skywatch-chart" role="img"{geometry} width="{width}" height="{height}" viewBox="0 0 {width} {height}" style="max-width:100%;height:auto" font-family="system-ui,-apple-system,Segoe UI,Roboto,Helvetica,Arial,sans-serif" font-size="11">"#
        );
    }

    /// Times and values at the edges of the plot, and where those are, px.
    fn geometry(&self) -> String {
        let ((from, to), (left, right)) = (self.x.times(), self.x.pixels());
        let ((low, high), (top, bottom)) = (self.y.values(), self.y.pixels());
        let numbers = [from, to, left, right, low, high, top, bottom].map(|number| number.to_string());
        format!(r#" data-plot="{}""#, numbers.join(" "))
    }

    fn spans(&mut self) {
        let (left, right) = self.x.pixels();
        let (top, bottom) = self.y.pixels();
        let colour = self.palette.colour(ColourRole::Anomaly);
        for &(from, until) in self.chart.spans {
            let (begin, end) = (self.x.pixel(from), self.x.pixel(until));
            if begin >= right || end <= left {
                continue;
            }
            _ = write!(
                self.svg,
                r#"<rect x="{}" y="{}" width="{}" height="{}" fill="{colour}" fill-opacity=".2"/>"#,
                px(begin),
                px(top),
                px((end - begin).max(2.0)),
                px(bottom - top),
            );
        }
    }

    fn moving_band(&mut self) {
        let Some(band) = self.chart.band else { return };
        let path = band::path(band, &self.x, &self.y);
        if !path.is_empty() {
            let colour = self.palette.colour(ColourRole::Band);
            _ = write!(
                self.svg,
                r#"<path d="{path}" fill="{colour}" fill-opacity=".16" stroke="{colour}" stroke-opacity=".4" stroke-width=".6"/>"#
            );
        }
    }

    fn describe(&mut self, points: &[(f64, f64)]) {
        self.svg.push_str("<title>");
        text::push_escaped(&mut self.svg, &text::shorten(self.chart.title, NAME_COLUMNS));
        self.svg.push_str("</title><desc>");
        let description = self.description(points);
        text::push_escaped(&mut self.svg, &description);
        self.svg.push_str("</desc>");
        self.svg.push_str(self.palette.style());
        if let Some(background) = self.palette.background() {
            _ = write!(
                self.svg,
                r#"<rect width="100%" height="100%" fill="{background}"/>"#
            );
        }
    }

    /// The chart in words, for those who do not see it.
    fn description(&self, points: &[(f64, f64)]) -> String {
        let Some((low, high)) = points::extremes(points) else {
            return "no points".into();
        };
        let (first, last) = points::ends(points);
        let mut words = format!(
            "{} {} from {} to {}; lowest {}, highest {}",
            points.len(),
            match (self.chart.rate, points.len()) {
                (true, 1) => "change per step of a counter",
                (true, _) => "changes per step of a counter",
                (false, 1) => "point",
                (false, _) => "points",
            },
            self.moment(first),
            self.moment(last),
            units::number(low),
            units::number(high),
        );
        if let Some(expected) = self.chart.expected {
            _ = write!(words, "; expected {expected}");
        }
        if let Some(mark) = self.marked {
            let marked = if self.chart.counts.is_some() {
                "marked"
            } else {
                "anomaly"
            };
            _ = write!(
                words,
                "; {marked} {} at {}",
                units::number(mark.value),
                self.moment(mark.at)
            );
        }
        words
    }

    /// A place of the horizontal axis in words.
    fn moment(&self, at: f64) -> String {
        match self.chart.counts {
            Some(what) => format!("{what} {at}"),
            None => units::time(at),
        }
    }

    fn title(&mut self) {
        if self.chart.title.is_empty() {
            return;
        }
        let right = f64::from(self.chart.width) - 10.0;
        let (note, swatch) = self.legend();
        let note_width = text_width(&note) + if swatch { 16.0 } else { 0.0 };
        let columns = ((right - 10.0 - note_width - 12.0) / TITLE_LETTER) as usize;
        let title = text::shorten(self.chart.title, columns).into_owned();
        let strong = self.palette.colour(ColourRole::Strong);
        _ = write!(
            self.svg,
            r#"<text x="10" y="18" font-size="13" font-weight="600" fill="{strong}">"#
        );
        text::push_escaped(&mut self.svg, &title);
        self.svg.push_str("</text>");
        if !swatch {
            self.label(right, 18.0, "end", &note);
        } else {
            self.label(right - note_width + 15.0, 18.0, "start", &note);
            let band = self.palette.colour(ColourRole::Band);
            _ = write!(
                self.svg,
                r#"<rect x="{}" y="9" width="10" height="10" rx="2" fill="{band}" fill-opacity=".4"/>"#,
                px(right - note_width),
            );
        }
    }

    /// What the values and the band are, and whether the band's colour is to be shown beside it.
    fn legend(&self) -> (String, bool) {
        let rate = if self.chart.rate { "per step" } else { "" };
        match self.chart.expected {
            Some(expected) if self.chart.width >= LEGEND_FROM => {
                let separator = if rate.is_empty() { "" } else { ", " };
                (format!("expected {expected}{separator}{rate}"), true)
            }
            _ => (rate.into(), false),
        }
    }

    fn band(&mut self) {
        let Some(expected) = self.chart.expected else {
            return;
        };
        let (left, right) = self.x.pixels();
        let (top, bottom) = self.y.pixels();
        let edge = |bound: f64, unbounded: f64| {
            if bound.is_finite() {
                self.y.pixel(bound).clamp(top, bottom)
            } else {
                unbounded
            }
        };
        let (high, low) = (edge(expected.high, top), edge(expected.low, bottom));
        // A band thinner than a line would be invisible: two pixels at least.
        let (y, height) = if low - high < 2.0 {
            ((low + high) / 2.0 - 1.0, 2.0)
        } else {
            (high, low - high)
        };
        let colour = self.palette.colour(ColourRole::Band);
        _ = write!(
            self.svg,
            r#"<rect x="{}" y="{}" width="{}" height="{}" fill="{colour}" fill-opacity=".16"/>"#,
            px(left),
            px(y),
            px(right - left),
            px(height),
        );
        if expected.centre.is_finite() {
            let y = self.y.pixel(expected.centre);
            if (top..=bottom).contains(&y) {
                _ = write!(
                    self.svg,
                    r#"<path d="M{} {}H{}" stroke="{colour}" stroke-opacity=".7" stroke-dasharray="2 4"/>"#,
                    px(left),
                    px(y),
                    px(right),
                );
            }
        }
    }

    fn axes(&mut self) {
        if self.empty {
            return;
        }
        let (left, right) = self.x.pixels();
        let (_, bottom) = self.y.pixels();
        let grid = self.palette.colour(ColourRole::Grid);
        let mut lines = String::new();
        for (value, label) in self.y.ticks().to_vec() {
            let y = self.y.pixel(value);
            _ = write!(lines, "M{} {}H{}", px(left), px(y.round() + 0.5), px(right));
            self.label(left - 6.0, y + 3.5, "end", &label);
        }
        _ = write!(self.svg, r#"<path d="{lines}" stroke="{grid}"/>"#);
        let unit = self.chart.counts.unwrap_or("UTC");
        self.label(8.0, bottom + 16.0, "start", unit);
        let mut taken = 8.0 + text_width(unit) + 6.0;
        let mut lines = String::new();
        let ticks = match self.chart.counts {
            Some(_) => self.x.count_ticks(),
            None => self.x.ticks(),
        };
        for (time, label) in ticks {
            let x = self.x.pixel(time);
            _ = write!(lines, "M{} {}v4", px(x.round() + 0.5), px(bottom));
            // A label moves aside by at most half its width to stay clear of the edges and of its
            // neighbour; beyond that it is left out and its tick stays.
            let half = text_width(&label) / 2.0;
            let beside = x.min(right + 8.0 - half).max(taken + half);
            if (beside - x).abs() <= half {
                let x = beside;
                self.label(x, bottom + 16.0, "middle", &label);
                taken = x + half + 4.0;
            }
        }
        if !lines.is_empty() {
            _ = write!(self.svg, r#"<path d="{lines}" stroke="{grid}"/>"#);
        }
    }

    fn label(&mut self, x: f64, y: f64, anchor: &str, label: &str) {
        if label.is_empty() {
            return;
        }
        let colour = self.palette.colour(ColourRole::Label);
        _ = write!(
            self.svg,
            r#"<text x="{}" y="{}" text-anchor="{anchor}" fill="{colour}">"#,
            px(x),
            px(y),
        );
        text::push_escaped(&mut self.svg, label);
        self.svg.push_str("</text>");
    }

    fn series(&mut self, points: &[(f64, f64)]) {
        let (left, right) = self.x.pixels();
        if self.empty {
            let (top, bottom) = self.y.pixels();
            self.label(
                (left + right) / 2.0,
                (top + bottom) / 2.0 + 4.0,
                "middle",
                "no points",
            );
            return;
        }
        let columns = PixelColumns {
            left,
            count: (right - left).floor().max(1.0),
        };
        let runs = line::runs(points, &self.x, columns);
        let colour = self.palette.colour(ColourRole::Line);
        let mut line = String::new();
        let mut envelope = String::new();
        for run in &runs {
            self.trace_line(run, &mut line);
            self.trace_envelope(run, &mut envelope);
        }
        if !envelope.is_empty() {
            _ = write!(
                self.svg,
                r#"<path d="{envelope}" fill="{colour}" fill-opacity=".3" stroke="{colour}" stroke-opacity=".55" stroke-width=".6" stroke-linejoin="round"/>"#
            );
        }
        _ = write!(
            self.svg,
            r#"<path d="{line}" fill="none" stroke="{colour}" stroke-width="1.4" stroke-linejoin="round" stroke-linecap="round"/>"#
        );
    }

    /// The line of means. A lone point becomes a stroke of no length, which round caps make a dot.
    fn trace_line(&self, run: &LineRun, path: &mut String) {
        for (i, column) in run.columns.iter().enumerate() {
            let command = if i == 0 { 'M' } else { 'L' };
            _ = write!(
                path,
                "{command}{} {}",
                px(column.x),
                px(self.y.pixel(column.mean))
            );
        }
        if run.columns.len() == 1 {
            path.push_str("h0");
        }
    }

    /// Along the highest values and back along the lowest.
    fn trace_envelope(&self, run: &LineRun, path: &mut String) {
        if run.columns.iter().all(|column| column.low == column.high) {
            return;
        }
        for (i, column) in run.columns.iter().enumerate() {
            let command = if i == 0 { 'M' } else { 'L' };
            _ = write!(
                path,
                "{command}{} {}",
                px(column.x),
                px(self.y.pixel(column.high))
            );
        }
        for column in run.columns.iter().rev() {
            _ = write!(path, "L{} {}", px(column.x), px(self.y.pixel(column.low)));
        }
        path.push('Z');
    }

    fn mark(&mut self) {
        let Some(mark) = self.marked else { return };
        let (left, right) = self.x.pixels();
        let (top, bottom) = self.y.pixels();
        let x = self.x.pixel(mark.at);
        let colour = self.palette.colour(ColourRole::Anomaly);
        let halo = self.palette.colour(ColourRole::Halo);
        _ = write!(
            self.svg,
            r#"<path d="M{} {}V{}" stroke="{colour}" stroke-opacity=".6" stroke-dasharray="3 3"/>"#,
            px(x),
            px(top),
            px(bottom),
        );
        if !mark.value.is_finite() {
            return;
        }
        let y = self.y.pixel(mark.value);
        let label = units::number(mark.value);
        let (label_x, anchor) = if x > (left + right) / 2.0 {
            (x - 9.0, "end")
        } else {
            (x + 9.0, "start")
        };
        _ = write!(
            self.svg,
            r#"<circle cx="{}" cy="{}" r="4.5" fill="{colour}" stroke="{halo}" stroke-width="1.5"/><text x="{}" y="{}" text-anchor="{anchor}" font-size="12" font-weight="600" fill="{colour}" stroke="{halo}" stroke-width="3" stroke-linejoin="round" paint-order="stroke">{label}</text>"#,
            px(x),
            px(y),
            px(label_x),
            px((y + 4.0).clamp(top + 10.0, bottom - 4.0)),
        );
    }
}

/// Width of a label, px. An estimate: the reader's fonts are not ours to know.
fn text_width(label: &str) -> f64 {
    label.chars().count() as f64 * LABEL_LETTER
}

/// A coordinate to a tenth of a pixel, without a useless `.0`.
pub(super) fn px(value: f64) -> String {
    let tenths = (value * 10.0).round() / 10.0;
    // Adding zero turns −0 into 0.
    (tenths + 0.0).to_string()
}
