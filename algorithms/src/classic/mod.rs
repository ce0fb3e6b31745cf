//! Detectors that look at one window and keep nothing: the nine tests of Skyline, a file each, in the two flavours that
//! exist, and further ones that are asked only where somebody names them.
//!
//! *etsy* is the original (2013–2015), *earthgecko* the fork that is still kept. Where they differ it is an accident of
//! libraries more often than a decision, and both are followed to the letter: parity is the purpose here. What each
//! test should do instead is another detector's business.
//!
//! In the formulas n is the number of points, y their values oldest first, *tail* the mean of the last three values
//! (the last alone when n < 3), SD₁ the sample standard deviation (divisor n − 1, NaN for fewer than two values) and
//! SD₀ that of the population. Every comparison is strict, and one with NaN is false. A gap is simply points that are
//! not there. NaN among the values: the answer means nothing.

mod first_hour_average;
mod grubbs;
mod histogram_bins;
mod iqr;
mod ks_test;
mod least_squares;
mod mean_subtraction_cumulation;
mod median_absolute_deviation;
mod stddev_from_average;
mod stddev_from_moving_average;

pub use first_hour_average::FirstHourAverage;
pub use grubbs::Grubbs;
pub use histogram_bins::HistogramBins;
pub use iqr::Iqr;
pub use ks_test::KsTest;
pub use least_squares::LeastSquares;
pub use mean_subtraction_cumulation::MeanSubtractionCumulation;
pub use median_absolute_deviation::MedianAbsoluteDeviation;
pub use stddev_from_average::StddevFromAverage;
pub use stddev_from_moving_average::StddevFromMovingAverage;

/// Newest values of which the tail is the mean.
const TAIL: usize = 3;
/// How many standard deviations are too many, in every test that counts them.
const SIGMAS: f64 = 3.0;
