//! Metrics of OTLP as JSON, read into the messages of protobuf one at a time.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::LONGEST_ELEMENT;
use super::json::{AttributeJson, Named, ResourceJson};
use super::metrics::MetricBatch;
use crate::traces::idl::otlp::{
    HistogramPoint, NumberPoint, OtlpAttribute, OtlpGauge, OtlpHistogram, OtlpMetric, OtlpResource, OtlpSum,
    OtlpSummary, OtlpUnsupported, SummaryPoint, SummaryQuantile, number_point, otlp_metric::Data,
};
use crate::traces::numbers::{Float, Signed, Unsigned};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct MetricsJson<'j> {
    #[serde(borrow, default)]
    resource_metrics: Vec<&'j RawValue>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ResourceMetricsJson<'j> {
    #[serde(default)]
    resource: Option<ResourceJson>,
    #[serde(borrow, default)]
    scope_metrics: Vec<&'j RawValue>,
}

#[derive(Deserialize)]
struct ScopeMetricsJson<'j> {
    #[serde(borrow, default)]
    metrics: Vec<&'j RawValue>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct MetricJson {
    #[serde(default)]
    name: String,
    gauge: Option<PointsJson<NumberJson>>,
    sum: Option<PointsJson<NumberJson>>,
    histogram: Option<PointsJson<HistogramJson>>,
    summary: Option<PointsJson<SummaryJson>>,
    exponential_histogram: Option<PointsJson<serde::de::IgnoredAny>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PointsJson<P> {
    #[serde(default = "Vec::new")]
    data_points: Vec<P>,
    #[serde(default)]
    aggregation_temporality: Named,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[derive(Default)]
struct NumberJson {
    time_unix_nano: Unsigned,
    as_double: Option<Float>,
    as_int: Option<Signed>,
    attributes: Vec<AttributeJson>,
    flags: u32,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct HistogramJson {
    start_time_unix_nano: Unsigned,
    time_unix_nano: Unsigned,
    count: Unsigned,
    sum: Option<Float>,
    bucket_counts: Vec<Unsigned>,
    explicit_bounds: Vec<Float>,
    attributes: Vec<AttributeJson>,
    flags: u32,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct SummaryJson {
    time_unix_nano: Unsigned,
    count: Unsigned,
    sum: Float,
    quantile_values: Vec<QuantileJson>,
    attributes: Vec<AttributeJson>,
    flags: u32,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct QuantileJson {
    quantile: Float,
    value: Float,
}

impl MetricBatch<'_> {
    /// Adds all points of a request as JSON.
    ///
    /// # Errors
    /// It is no such request.
    pub(in crate::traces) fn read_json(&mut self, bytes: &[u8]) -> Result<(), serde_json::Error> {
        let request: MetricsJson<'_> = serde_json::from_slice(bytes)?;
        for of_resource in request.resource_metrics {
            let Ok(of_resource) = serde_json::from_str::<ResourceMetricsJson<'_>>(of_resource.get()) else {
                self.malformed += 1;
                continue;
            };
            let attributes = of_resource
                .resource
                .map_or_else(Vec::new, |resource| resource.attributes);
            let attributes = attributes_of(attributes);
            let identity = self.identity(Some(&OtlpResource { attributes }));
            for of_scope in of_resource.scope_metrics {
                match serde_json::from_str::<ScopeMetricsJson<'_>>(of_scope.get()) {
                    Ok(of_scope) => of_scope
                        .metrics
                        .into_iter()
                        .for_each(|raw| self.add(metric(raw), &identity)),
                    Err(_) => self.malformed += 1,
                }
            }
        }
        Ok(())
    }
}

fn attributes_of(attributes: Vec<AttributeJson>) -> Vec<OtlpAttribute> {
    attributes.into_iter().map(OtlpAttribute::from).collect()
}

fn metric(raw: &RawValue) -> Option<OtlpMetric> {
    if raw.get().len() > LONGEST_ELEMENT {
        return None;
    }
    let read: MetricJson = serde_json::from_str(raw.get()).ok()?;
    let numbers =
        |points: PointsJson<NumberJson>| points.data_points.into_iter().map(NumberPoint::from).collect();
    let data = if let Some(gauge) = read.gauge {
        Data::Gauge(OtlpGauge {
            data_points: numbers(gauge),
        })
    } else if let Some(sum) = read.sum {
        Data::Sum(OtlpSum {
            data_points: numbers(sum),
        })
    } else if let Some(histogram) = read.histogram {
        let is_cumulative = histogram
            .aggregation_temporality
            .is(2, "AGGREGATION_TEMPORALITY_CUMULATIVE");
        Data::Histogram(OtlpHistogram {
            data_points: histogram
                .data_points
                .into_iter()
                .map(HistogramPoint::from)
                .collect(),
            aggregation_temporality: if is_cumulative { 2 } else { 1 },
        })
    } else if let Some(summary) = read.summary {
        let data_points = summary.data_points.into_iter().map(SummaryPoint::from).collect();
        Data::Summary(OtlpSummary { data_points })
    } else {
        let points = read.exponential_histogram?.data_points.len();
        let data_points = vec![prost::bytes::Bytes::new(); points];
        Data::ExponentialHistogram(OtlpUnsupported { data_points })
    };
    Some(OtlpMetric {
        name: read.name,
        data: Some(data),
    })
}

impl From<NumberJson> for NumberPoint {
    fn from(point: NumberJson) -> Self {
        let double = point
            .as_double
            .map(|value| number_point::Value::AsDouble(value.0));
        Self {
            time_unix_nano: point.time_unix_nano.0,
            attributes: attributes_of(point.attributes),
            flags: point.flags,
            value: double.or(point.as_int.map(|value| number_point::Value::AsInt(value.0))),
        }
    }
}

impl From<HistogramJson> for HistogramPoint {
    fn from(point: HistogramJson) -> Self {
        Self {
            start_time_unix_nano: point.start_time_unix_nano.0,
            time_unix_nano: point.time_unix_nano.0,
            count: point.count.0,
            sum: point.sum.map(|sum| sum.0),
            bucket_counts: point.bucket_counts.iter().map(|count| count.0).collect(),
            explicit_bounds: point.explicit_bounds.iter().map(|bound| bound.0).collect(),
            attributes: attributes_of(point.attributes),
            flags: point.flags,
        }
    }
}

impl From<SummaryJson> for SummaryPoint {
    fn from(point: SummaryJson) -> Self {
        let quantiles = point.quantile_values.iter().map(|value| SummaryQuantile {
            quantile: value.quantile.0,
            value: value.value.0,
        });
        Self {
            time_unix_nano: point.time_unix_nano.0,
            count: point.count.0,
            sum: point.sum.0,
            quantile_values: quantiles.collect(),
            attributes: attributes_of(point.attributes),
            flags: point.flags,
        }
    }
}
