//! The one SVG chart writer, for pages, mail and Slack; the latter two see it as a PNG.
//!
//! It draws a line with a min/max envelope where points are denser than pixels, the expected
//! range as a band, gaps as gaps and a mark on the anomaly. The output is well-formed XML whatever
//! the input, the same for the same input, and complete in itself: no script, no outside
//! reference, no `id` that could clash when several charts share a page.
//!
//! Left out on purpose: several series in one chart, interaction, stacking. A chart here answers
//! one question, "was this worth a notice?".

mod band;
mod builder;
mod drawing;
mod line;
mod palette;
mod png;
mod points;
mod scale;
mod sparkline;

pub use builder::{Chart, ChartBand, ChartMark};
pub use palette::Theme;
pub use png::{png, png_of};
pub use sparkline::sparkline;

#[cfg(test)]
mod tests;
