//! An answer as rb-aioutliers gives it, with more beside: which model said so, how odd each outlier is, what was left out.

use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};

use crate::sources::LeftOut;

/// One point that is an outlier.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct OutlierPoint<'t> {
    /// As it was written in the request.
    pub(super) timestamp: &'t str,
    /// What the metric should have been.
    pub(super) expected: f64,
    /// What it was; none if the model was not given that column.
    pub(super) observed: Option<f64>,
    /// How odd it is. Of a model: error over its limit, 1 at the limit. Of a detector: comparable within one request.
    pub(super) score: f64,
    /// Of a model with several columns: those beyond their limits, the worst first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) features: Vec<OutlierFeature<'t>>,
}

/// A column beyond its limit.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct OutlierFeature<'t> {
    pub(super) name: &'t str,
    pub(super) expected: f64,
    pub(super) observed: f64,
    pub(super) score: f64,
}

/// What a point should have been.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Forecast<'t> {
    pub(super) timestamp: &'t str,
    pub(super) forecast: f64,
    /// As that of an outlier; of a model the worst of the columns that were sent.
    pub(super) score: f64,
}

/// Who judged, and why this one.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub(super) struct JudgedBy {
    /// The model's name, or the detector's.
    pub(super) name: String,
    /// `sequence` for a model, `detector` for one that needs none.
    pub(super) kind: &'static str,
    /// Of a model.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) version: Option<String>,
    /// `sensor`, `name`, `request` or `default`.
    pub(super) chosen_by: &'static str,
    /// Why it was not another one, where one was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) why: Option<String>,
}

/// What was found.
#[derive(Debug)]
pub(super) struct OutlierAnswer<'t> {
    pub(super) judged_by: JudgedBy,
    pub(super) metric: &'t str,
    pub(super) anomalies: Vec<OutlierPoint<'t>>,
    pub(super) forecasts: Vec<Forecast<'t>>,
    /// Columns the model knows that were not there: taken as 0, as rb-aioutliers has it, and not judged.
    pub(super) missing: Vec<&'t str>,
    pub(super) left_out: LeftOut,
}

#[derive(Serialize)]
struct OutlierBody<'a> {
    status: &'static str,
    anomalies: &'a [OutlierPoint<'a>],
    /// As the code of rb-aioutliers calls it.
    predicted: &'a RawValue,
    /// As its documentation does.
    prediction: &'a RawValue,
    metric: &'a str,
    model: &'a JudgedBy,
    #[serde(skip_serializing_if = "<[&str]>::is_empty")]
    missing_columns: &'a [&'a str],
    left_out: &'a LeftOut,
}

impl OutlierAnswer<'_> {
    /// The body of the answer. A number that is not finite is `null`.
    ///
    /// # Errors
    /// The encoder's, which writes to memory and has no reason to fail.
    pub(super) fn to_json(&self) -> serde_json::Result<Vec<u8>> {
        let forecasts = to_raw_value(&self.forecasts)?;
        serde_json::to_vec(&OutlierBody {
            status: "success",
            anomalies: &self.anomalies,
            predicted: &forecasts,
            prediction: &forecasts,
            metric: self.metric,
            model: &self.judged_by,
            missing_columns: &self.missing,
            left_out: &self.left_out,
        })
    }
}
