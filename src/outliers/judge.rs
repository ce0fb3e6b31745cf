//! Who judges a request, and what he says.

use std::sync::Arc;

use skywatch_algorithms::learned::{FittedSequence, Table};
use skywatch_algorithms::shallow::{ForestOptions, ScalesOptions, Scorer};
use skywatch_settings::{Outliers, ShallowDetector};

use super::answer::{Forecast, JudgedBy, OutlierAnswer, OutlierFeature, OutlierPoint};
use super::counters::{OutlierCounters, OutlierEvent};
use super::failure::{FailureReason, OutlierFailure};
use super::request::OutlierRequest;
use super::sensor_models::SensorModels;
use crate::models::{LiveVersion, model_of_sensor};
use crate::sources::druid::Timeseries;

/// The column that is judged without a model where it is there and no other is asked for: that of redBorder's monitors.
const MONITORS: &str = "monitors";
/// Points of which `scales` says anything: its usual distance is a median, and of fewer that is chance.
const FEWEST_FOR_SCALES: usize = 10;

/// Who judges.
#[derive(Debug, Clone)]
pub(super) struct Judge {
    judged_by: JudgedBy,
    how: JudgeBy,
}

#[derive(Debug, Clone)]
enum JudgeBy {
    Model(Arc<LiveVersion<FittedSequence>>),
    Detector(Scorer, usize),
}

impl Judge {
    /// By the sensor of the query's filter, else by name, else without a model; without one at once where the request says so.
    pub(super) fn choose(
        request: &OutlierRequest,
        settings: &Outliers,
        models: &SensorModels,
        counters: &OutlierCounters,
    ) -> Self {
        if request.detector.is_some() {
            return Self::detector(request, settings, "request", None);
        }
        let mut why = None;
        let sensor = request
            .query
            .as_ref()
            .and_then(|query| query.filtered(&settings.dimension));
        if let Some(sensor) = sensor {
            if let Some(version) = models.find(&model_of_sensor(sensor)) {
                return Self::model(version, "sensor");
            }
            counters.count(OutlierEvent::UnknownSensor, 1);
            why = Some(format!("there is no model of the sensor `{sensor}`"));
        }
        if let Some(name) = &request.model {
            if let Some(version) = models.find(name) {
                return Self::model(version, "name");
            }
            counters.count(OutlierEvent::UnknownModel, 1);
            why = Some(format!("there is no model `{name}`"));
        }
        Self::detector(request, settings, "default", why)
    }

    fn model(version: Arc<LiveVersion<FittedSequence>>, chosen_by: &'static str) -> Self {
        Self {
            judged_by: JudgedBy {
                name: version.card.model.clone(),
                kind: "sequence",
                version: Some(version.card.version.clone()),
                chosen_by,
                why: None,
            },
            how: JudgeBy::Model(version),
        }
    }

    fn detector(
        request: &OutlierRequest,
        settings: &Outliers,
        chosen_by: &'static str,
        why: Option<String>,
    ) -> Self {
        let which = request.detector.unwrap_or(settings.detector);
        let (scorer, fewest) = match which {
            ShallowDetector::Scales => (Scorer::Scales(ScalesOptions::default()), FEWEST_FOR_SCALES),
            ShallowDetector::Forest => {
                let options = ForestOptions {
                    sensitivity: request.sensitivity.unwrap_or(settings.sensitivity),
                    contamination: settings.contamination,
                    ..ForestOptions::default()
                };
                (Scorer::Forest(options), 1)
            }
        };
        Self {
            judged_by: JudgedBy {
                name: which.as_str().to_owned(),
                kind: "detector",
                version: None,
                chosen_by,
                why,
            },
            how: JudgeBy::Detector(scorer, fewest),
        }
    }

    /// Whether it is a model, whose columns only Druid can work out.
    pub(super) fn is_model(&self) -> bool {
        matches!(self.how, JudgeBy::Model(_))
    }

    /// Judges a table; the body of the answer. Takes a core for milliseconds a thousand points.
    pub(super) fn answer(
        self,
        request: &OutlierRequest,
        settings: &Outliers,
        table: &Timeseries,
        counters: &OutlierCounters,
    ) -> Result<Vec<u8>, OutlierFailure> {
        counters.left_out(&table.left_out);
        if table.is_empty() {
            let why = "there are no rows to judge: nothing was recorded then, or of this sensor";
            return Err(OutlierFailure::new(FailureReason::NoRows, why));
        }
        let answer = match &self.how {
            JudgeBy::Model(version) => by_model(self.judged_by, version, request, settings, table)?,
            JudgeBy::Detector(scorer, fewest) => {
                by_detector(self.judged_by, scorer, *fewest, request, table, counters)?
            }
        };
        let event = match &self.how {
            JudgeBy::Model(_) => OutlierEvent::ByModel,
            JudgeBy::Detector(..) => OutlierEvent::ByDetector,
        };
        counters.count(event, 1);
        counters.count(OutlierEvent::Point, answer.forecasts.len() as u64);
        counters.count(OutlierEvent::Outlier, answer.anomalies.len() as u64);
        answer
            .to_json()
            .map_err(|error| OutlierFailure::new(FailureReason::Internal, error.to_string()))
    }
}

fn unknown_metric(metric: &str, known: &[String]) -> OutlierFailure {
    let known = known.join("`, `");
    OutlierFailure::new(
        FailureReason::UnknownMetric,
        format!("there is no metric called `{metric}` among `{known}`"),
    )
}

/// One column, without a model.
fn by_detector<'t>(
    judged_by: JudgedBy,
    scorer: &Scorer,
    fewest: usize,
    request: &OutlierRequest,
    table: &'t Timeseries,
    counters: &OutlierCounters,
) -> Result<OutlierAnswer<'t>, OutlierFailure> {
    let place = |name: &str| table.columns.iter().position(|column| column == name);
    let column = match &request.metric {
        Some(metric) => place(metric).ok_or_else(|| unknown_metric(metric, &table.columns))?,
        None => place(MONITORS).unwrap_or(0),
    };
    let values: Vec<f64> = table.column(column).collect();
    let findings = scorer.judge(&table.times, &values);
    let metric = table.columns[column].as_str();
    if findings.is_empty() {
        let why = format!("`{metric}` has no number in any of {} rows", values.len());
        return Err(OutlierFailure::new(FailureReason::NoRows, why));
    }
    if findings.len() < fewest {
        let given = findings.len();
        let why = format!(
            "too few points: `{}` needs at least {fewest}, and there are {given}",
            judged_by.name
        );
        return Err(OutlierFailure::new(FailureReason::TooFew, why));
    }
    let mut left_out = table.left_out.clone();
    let without = values.len() - findings.len();
    if without > 0 {
        counters.left_out(&[("without_number", without as u64)].into());
        left_out.insert("without_number", without as u64);
    }
    let outliers = findings.iter().filter(|finding| finding.is_outlier);
    let anomalies = outliers.map(|finding| OutlierPoint {
        timestamp: &table.timestamps[finding.row],
        expected: finding.expected,
        observed: Some(values[finding.row]),
        score: finding.score,
        features: Vec::new(),
    });
    let forecasts = findings.iter().map(|finding| Forecast {
        timestamp: &table.timestamps[finding.row],
        forecast: finding.expected,
        score: finding.score,
    });
    Ok(OutlierAnswer {
        judged_by,
        metric,
        anomalies: anomalies.collect(),
        forecasts: forecasts.collect(),
        missing: Vec::new(),
        left_out,
    })
}

/// All columns of a model. A row is listed once, with the columns that are beyond their limits; a column that was not sent is
/// not judged.
fn by_model<'t>(
    judged_by: JudgedBy,
    version: &'t LiveVersion<FittedSequence>,
    request: &OutlierRequest,
    settings: &Outliers,
    table: &'t Timeseries,
) -> Result<OutlierAnswer<'t>, OutlierFailure> {
    let model = &version.model;
    let columns = model.columns();
    let there: Vec<Option<usize>> = columns
        .iter()
        .map(|name| table.columns.iter().position(|own| own == name))
        .collect();
    let metric = metric_of(request, settings, columns, &there)?;
    let asked: Vec<usize> = there.iter().flatten().copied().collect();
    let part = Table {
        times: table.times.clone(),
        columns: asked.iter().map(|place| table.columns[*place].clone()).collect(),
        values: table
            .values
            .chunks(table.columns.len())
            .flat_map(|row| asked.iter().map(|place| row[*place]))
            .collect(),
    };
    let said = model.reconstruct(&part)?;
    let width = columns.len();
    let sent = (0..width).filter(|column| there[*column].is_some());
    let mut anomalies = Vec::new();
    let mut forecasts = Vec::with_capacity(said.rows.len());
    for (at, &row) in said.rows.iter().enumerate() {
        let cell = |column: usize| at * width + column;
        let observed = |column: usize| Some(table.values[row * table.columns.len() + there[column]?]);
        forecasts.push(Forecast {
            timestamp: &table.timestamps[row],
            forecast: said.expected[cell(metric)],
            score: sent
                .clone()
                .map(|column| said.scores[cell(column)])
                .fold(0.0, f64::max),
        });
        let beyond = (0..width).filter(|column| said.scores[cell(*column)] > 1.0);
        let mut features: Vec<OutlierFeature<'t>> = beyond
            .filter_map(|column| {
                Some(OutlierFeature {
                    name: &columns[column],
                    expected: said.expected[cell(column)],
                    observed: observed(column)?,
                    score: said.scores[cell(column)],
                })
            })
            .collect();
        features.sort_by(|a, b| b.score.total_cmp(&a.score));
        if let Some(worst) = features.first() {
            anomalies.push(OutlierPoint {
                timestamp: &table.timestamps[row],
                expected: said.expected[cell(metric)],
                observed: observed(metric),
                score: worst.score,
                features,
            });
        }
    }
    let missing = columns.iter().zip(&there).filter(|(_, there)| there.is_none());
    let mut left_out = table.left_out.clone();
    let without = table.times.len() - said.rows.len();
    if without > 0 {
        left_out.insert("without_number", without as u64);
    }
    Ok(OutlierAnswer {
        judged_by,
        metric: &columns[metric],
        anomalies,
        forecasts,
        missing: missing.map(|(name, _)| name.as_str()).collect(),
        left_out,
    })
}

/// The column whose expected values are told: the one that is asked for, else that of the settings, else the first that was
/// sent.
fn metric_of(
    request: &OutlierRequest,
    settings: &Outliers,
    columns: &[String],
    there: &[Option<usize>],
) -> Result<usize, OutlierFailure> {
    let place = |name: &str| {
        let known = columns.iter().zip(there);
        known
            .enumerate()
            .find(|(_, (column, there))| *column == name && there.is_some())
    };
    if let Some(metric) = &request.metric {
        let found = place(metric).map(|(at, _)| at);
        return found.ok_or_else(|| unknown_metric(metric, columns));
    }
    let first = there.iter().position(Option::is_some);
    let found = place(&settings.metric).map(|(at, _)| at).or(first);
    found.ok_or_else(|| {
        let columns = columns.join("`, `");
        OutlierFailure::new(
            FailureReason::UnknownMetric,
            format!("none of the model's columns was sent: it knows `{columns}`"),
        )
    })
}
