//! One look at one window: what the detectors share while they examine it.

use std::ops::Bound;

use crate::statistics::student::GrubbsLimits;
use crate::statistics::{self, Ewm, EwmWeights, Extent, LeastSquaresLine, Moments, adf};
use crate::window::Window;

/// Memory that outlives a look: buffers and tables that would be costly to build for every series. One per thread;
/// once warm, no series allocates.
#[derive(Debug, Clone, Default)]
pub struct Scratch {
    weights: EwmWeights,
    limits: GrubbsLimits,
    pub(crate) first: Vec<f64>,
    pub(crate) second: Vec<f64>,
    pub(crate) regression: adf::Buffers,
}

impl Scratch {
    /// Empty; fills as it is used.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
}

/// One window under examination. Every statistic is computed when the first detector asks for it, and at most once.
#[derive(Debug)]
pub struct WindowStats<'a> {
    window: Window<'a>,
    now: f64,
    full_duration: f64,
    scratch: &'a mut Scratch,
    tail: f64,
    sorted: Option<bool>,
    extent: Option<Extent>,
    head: Option<Moments>,
    median: Option<f64>,
    ewm: Option<Ewm>,
    line: Option<LeastSquaresLine>,
}

impl<'a> WindowStats<'a> {
    /// Looks at `window` as of `now` (Unix seconds). `full_duration` is the length of a whole window, in seconds.
    pub fn new(window: Window<'a>, now: f64, full_duration: f64, scratch: &'a mut Scratch) -> Self {
        Self {
            window,
            now,
            full_duration,
            scratch,
            tail: window.tail_mean(),
            sorted: None,
            extent: None,
            head: window.head_moments(),
            median: None,
            ewm: None,
            line: None,
        }
    }

    /// The window itself.
    #[must_use]
    pub fn window(&self) -> Window<'a> {
        self.window
    }

    /// The values of the window, oldest first.
    #[must_use]
    pub fn values(&self) -> &'a [f64] {
        self.window.values()
    }

    /// The newest `count` values, see [`Window::newest`].
    #[must_use]
    pub fn newest(&self, count: usize) -> &'a [f64] {
        self.window.newest(count)
    }

    /// The clock, Unix seconds.
    #[must_use]
    pub fn now(&self) -> f64 {
        self.now
    }

    /// The length of a whole window, seconds.
    #[must_use]
    pub fn full_duration(&self) -> f64 {
        self.full_duration
    }

    /// Mean of the last three values, see [`Window::tail_mean`].
    #[must_use]
    pub fn tail_mean(&self) -> f64 {
        self.tail
    }

    /// The newest value; NaN for an empty window.
    #[must_use]
    pub fn last(&self) -> f64 {
        self.window.last().map_or(f64::NAN, |(_, value)| value)
    }

    /// Smallest and largest value.
    pub fn extent(&mut self) -> Extent {
        let window = self.window;
        *self
            .extent
            .get_or_insert_with(|| statistics::extent(window.values()))
    }

    /// Moments of all values but the newest.
    pub fn head_moments(&mut self) -> Moments {
        let window = self.window;
        *self.head.get_or_insert_with(|| match window.values() {
            [head @ .., _] => Moments::of(head),
            [] => Moments::of(&[]),
        })
    }

    /// Moments of all values.
    pub fn moments(&mut self) -> Moments {
        let head = self.head_moments();
        match self.window.last() {
            Some((_, last)) => head.with(last),
            None => head,
        }
    }

    /// The median.
    pub fn median(&mut self) -> f64 {
        let window = self.window;
        let buffer = &mut self.scratch.first;
        *self
            .median
            .get_or_insert_with(|| statistics::median(window.values(), buffer))
    }

    /// Where the newest value stands in its exponentially weighted past.
    pub fn ewm(&mut self) -> Ewm {
        let window = self.window;
        let weights = &mut self.scratch.weights;
        *self
            .ewm
            .get_or_insert_with(|| Ewm::of(weights.of(window.len()), window.values()))
    }

    /// The same, term by term.
    pub fn plain_ewm(&mut self) -> Ewm {
        let values = self.values();
        Ewm::plain(self.scratch.weights.of(values.len()), values)
    }

    /// The least-squares line.
    pub fn line(&mut self) -> LeastSquaresLine {
        let moments = self.moments();
        let window = self.window;
        *self
            .line
            .get_or_insert_with(|| LeastSquaresLine::of(window, &moments))
    }

    /// Grubbs' limit for as many points as the window has.
    pub fn grubbs_limit(&mut self) -> f64 {
        let n = self.window.len();
        self.scratch.limits.of(n)
    }

    /// The buffers, for detectors that sort or regress.
    pub(crate) fn scratch(&mut self) -> &mut Scratch {
        self.scratch
    }

    /// The values whose times lie within the bounds. O(log n) on a window sorted by time; a window that is not is
    /// searched from end to end, into `buffer`.
    pub(crate) fn between<'b>(
        &mut self,
        from: Bound<f64>,
        to: Bound<f64>,
        buffer: &'b mut Vec<f64>,
    ) -> &'b [f64]
    where
        'a: 'b,
    {
        let window = self.window;
        let times = window.times();
        let too_early = |time: f64| match from {
            Bound::Included(from) => time < from,
            Bound::Excluded(from) => time <= from,
            Bound::Unbounded => false,
        };
        let early_enough = |time: f64| match to {
            Bound::Included(to) => time <= to,
            Bound::Excluded(to) => time < to,
            Bound::Unbounded => true,
        };
        if *self.sorted.get_or_insert_with(|| window.is_sorted()) {
            let start = times.partition_point(|&time| too_early(time));
            let length = times[start..].partition_point(|&time| early_enough(time));
            return window.at(start..start + length, buffer);
        }
        buffer.clear();
        let points = times.iter().zip(window.values());
        buffer.extend(
            points
                .filter(|&(&t, _)| !too_early(t) && early_enough(t))
                .map(|(_, &v)| v),
        );
        buffer
    }
}
