//! Metrics of OTLP as points of the store.
//!
//! A gauge and a sum become what they say: a cumulative sum is a counter, which the analyzer judges by its rate; a sum of
//! differences is what happened in its interval. Of a histogram come `NAME.count` and `NAME.sum` as it counts them, and `NAME.p50`,
//! `.p95` and `.p99` of its interval; for one that is cumulative that is the time since the point before it. A summary brings
//! its own quantiles. Names are the sender's with their attributes as tags; of the resource, only what tells senders apart
//! becomes one.

use prost::Message as _;
use prost::bytes::Bytes;

use super::LONGEST_ELEMENT;
use super::quantiles::{CumulativeHistograms, QUANTILES, quantile};
use super::resource;
use crate::metric_name;
use crate::traces::idl::otlp::{
    HistogramPoint, NumberPoint, OtlpAttribute, OtlpMetric, OtlpResource, ResourceMetrics, ScopeMetrics,
    SummaryPoint, number_point, otlp_metric::Data,
};
use crate::traces::points::NamedPoint;

/// The temporality of what counts from its start on.
const CUMULATIVE: i32 = 2;
/// The flag of a point that says that there is no value.
const NO_VALUE: u32 = 1;

/// The points of a request.
pub(in crate::traces) struct MetricBatch<'h> {
    histograms: &'h mut CumulativeHistograms,
    /// Attributes of a resource that become tags of its metrics.
    labels: &'h [String],
    pub(in crate::traces) points: Vec<NamedPoint>,
    /// Points that cannot be taken, metrics that cannot be read among them.
    pub(in crate::traces) malformed: u64,
    /// Points of exponential histograms, which are not read.
    pub(in crate::traces) unsupported: u64,
}

impl<'h> MetricBatch<'h> {
    pub(in crate::traces) fn new(histograms: &'h mut CumulativeHistograms, labels: &'h [String]) -> Self {
        Self {
            histograms,
            labels,
            points: Vec::new(),
            malformed: 0,
            unsupported: 0,
        }
    }

    /// Adds all points of a request as protobuf.
    pub(in crate::traces) fn read(&mut self, resource_metrics: Vec<Bytes>) {
        for bytes in resource_metrics {
            let Ok(of_resource) = ResourceMetrics::decode(bytes) else {
                self.malformed += 1;
                continue;
            };
            let identity = self.identity(of_resource.resource.as_ref());
            for bytes in of_resource.scope_metrics {
                match ScopeMetrics::decode(bytes) {
                    Ok(of_scope) => of_scope.metrics.into_iter().for_each(|bytes| {
                        if bytes.len() > LONGEST_ELEMENT {
                            self.malformed += 1;
                        } else {
                            self.add(OtlpMetric::decode(bytes).ok(), &identity);
                        }
                    }),
                    Err(_) => self.malformed += 1,
                }
            }
        }
    }

    /// The labels that tell the metrics of a resource from those of others.
    pub(super) fn identity(&self, resource: Option<&OtlpResource>) -> Vec<(String, String)> {
        let attributes = resource.map(|resource| &*resource.attributes).unwrap_or_default();
        let known = attributes
            .iter()
            .filter(|attribute| self.labels.contains(&attribute.key));
        known
            .filter_map(|attribute| Some((attribute.key.clone(), resource::label(attribute)?)))
            .collect()
    }

    /// Adds the points of a metric; `None` is one that cannot be read.
    pub(super) fn add(&mut self, metric: Option<OtlpMetric>, identity: &[(String, String)]) {
        let Some(metric) = metric.filter(|metric| !metric.name.is_empty()) else {
            self.malformed += 1;
            return;
        };
        let series =
            |end: &str, attributes: &[OtlpAttribute]| series(&metric.name, end, attributes, identity);
        match metric.data {
            Some(Data::Gauge(gauge)) => gauge
                .data_points
                .iter()
                .for_each(|point| self.number(point, series)),
            Some(Data::Sum(sum)) => sum
                .data_points
                .iter()
                .for_each(|point| self.number(point, series)),
            Some(Data::Histogram(histogram)) => {
                let is_cumulative = histogram.aggregation_temporality == CUMULATIVE;
                let points = histogram.data_points.iter();
                points.for_each(|point| self.histogram(point, is_cumulative, series));
            }
            Some(Data::Summary(summary)) => {
                summary
                    .data_points
                    .iter()
                    .for_each(|point| self.summary(point, series));
            }
            Some(Data::ExponentialHistogram(points)) => self.unsupported += points.data_points.len() as u64,
            None => self.malformed += 1,
        }
    }

    fn number(&mut self, point: &NumberPoint, series: impl Fn(&str, &[OtlpAttribute]) -> String) {
        let value = match point.value {
            _ if point.flags & NO_VALUE != 0 => return,
            Some(number_point::Value::AsDouble(value)) => value,
            Some(number_point::Value::AsInt(value)) => value as f64,
            None => {
                self.malformed += 1;
                return;
            }
        };
        self.point(
            series("", &point.attributes),
            seconds(point.time_unix_nano),
            value,
        );
    }

    fn histogram(
        &mut self,
        point: &HistogramPoint,
        is_cumulative: bool,
        series: impl Fn(&str, &[OtlpAttribute]) -> String,
    ) {
        if point.flags & NO_VALUE != 0 {
            return;
        }
        let time = seconds(point.time_unix_nano);
        let count = series(".count", &point.attributes);
        let counts = if is_cumulative {
            let start = point.start_time_unix_nano;
            self.histograms.since(&count, start, time, &point.bucket_counts)
        } else {
            Some(point.bucket_counts.clone())
        };
        self.point(count, time, point.count as f64);
        if let Some(sum) = point.sum {
            self.point(series(".sum", &point.attributes), time, sum);
        }
        for (q, end) in QUANTILES {
            let value = counts
                .as_ref()
                .and_then(|counts| quantile(&point.explicit_bounds, counts, q));
            if let Some(value) = value {
                self.point(series(&format!(".{end}"), &point.attributes), time, value);
            }
        }
    }

    fn summary(&mut self, point: &SummaryPoint, series: impl Fn(&str, &[OtlpAttribute]) -> String) {
        if point.flags & NO_VALUE != 0 {
            return;
        }
        let time = seconds(point.time_unix_nano);
        self.point(series(".count", &point.attributes), time, point.count as f64);
        self.point(series(".sum", &point.attributes), time, point.sum);
        for value in &point.quantile_values {
            // 0.999 is p99.9.
            let end = format!(".p{}", (value.quantile * 1e5).round() / 1e3);
            if (0.0..=1.0).contains(&value.quantile) && value.value.is_finite() {
                self.point(series(&end, &point.attributes), time, value.value);
            }
        }
    }

    fn point(&mut self, metric: String, time: f64, value: f64) {
        self.points.push(NamedPoint { metric, time, value });
    }
}

/// Unix seconds.
fn seconds(nanoseconds: u64) -> f64 {
    nanoseconds as f64 / 1e9
}

/// The name of a series, its labels as tags.
fn series(name: &str, end: &str, attributes: &[OtlpAttribute], identity: &[(String, String)]) -> String {
    let own: Vec<(&str, String)> = attributes
        .iter()
        .filter_map(|attribute| Some((&*attribute.key, resource::label(attribute)?)))
        .collect();
    let name = format!("{name}{end}");
    // What a point says of itself goes before what its resource says.
    let inherited = identity
        .iter()
        .filter(|(key, _)| own.iter().all(|(known, _)| known != key));
    let labels = inherited
        .map(|(key, value)| (&**key, &**value))
        .chain(own.iter().map(|(key, value)| (*key, &**value)))
        .filter(|(key, _)| *key != "__name__")
        .chain([("__name__", &*name)]);
    let mut whole = String::new();
    metric_name::of_labels(labels, &mut whole);
    whole
}
