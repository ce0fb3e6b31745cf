//! Fits the model of one sensor to what Druid knows of its traffic.
//!
//! One table for each granularity, whose rates are over that granularity's own seconds; windows never reach from one table into
//! the next. Each reaches as far back as the settings say, or as far as it takes for two windows to learn from and one to be
//! held back: eight hours a row are a week and a half. What serves is where learning goes on, as long as it knows the same columns; what came of
//! it takes its place only if it is no worse on what was held back. The former version stays, and `skywatch models rollback`
//! brings it back.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use skywatch_algorithms::learned::{FittedSequence, LearnedError, SequenceAutoencoder, Table, WINDOW};

use super::sequence::sequence_options;
use crate::clock::unix_now;
use crate::jobs::error::TrainingError;
use crate::jobs::kind::JobKind;
use crate::jobs::trainer::GoOn;
use crate::jobs::training::{Fit, SensorSource, Training, log_epoch};
use crate::models::{Holdout, Model as _, model_of_sensor};
use crate::sources::druid::{DruidQuery, Granularity, Timeseries};

/// The columns of a sensor's model: those of rb-aioutliers' `traffic`, which follow from what a query is made to ask.
const COLUMNS: [&str; 11] = [
    "bits_per_sec_per_client",
    "bps",
    "bytes",
    "bytes_per_client",
    "clients",
    "flows",
    "flows_per_client",
    "flows_per_sec_per_client",
    "fps",
    "pkts",
    "pps",
];
/// Rows of a table at least: two windows to learn from and one that is held back.
const FEWEST_ROWS: f64 = 3.0 * WINDOW as f64;
/// The share of a table's newest rows that is held back at least, in rows: one window.
const FEWEST_HELD: usize = WINDOW;

/// Fits the model of one sensor.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SensorJob {
    /// The sensor's name, as queries filter by it.
    pub sensor: String,
}

impl JobKind for SensorJob {
    const NAME: &'static str = "sensor";

    fn describe(&self) -> String {
        format!("sensor {}", self.sensor)
    }

    fn run(&self, training: &Training<'_>, go_on: &GoOn<'_>) -> Result<String, TrainingError> {
        let source = training.sensors.ok_or_else(|| {
            TrainingError::Nothing("there is no Druid to learn from: `druid.url` names none".to_owned())
        })?;
        let model = model_of_sensor(&self.sensor);
        let (mut learnt, mut held) = (Vec::new(), Vec::new());
        for period in &source.settings.granularities {
            if !go_on() {
                return Err(TrainingError::Stopped);
            }
            let table = self.table(source, period)?;
            tracing::info!("training :: {model} :: {} rows of {period}", table.times.len());
            let (older, newer) = split(table, training.options.holdout);
            learnt.extend(older);
            held.extend(newer);
        }
        if learnt.is_empty() {
            return Err(TrainingError::Nothing(format!(
                "Druid has no {FEWEST_ROWS} rows of the sensor `{}` at any granularity",
                self.sensor
            )));
        }
        if let Some(other) = training
            .kind_of(&model)?
            .filter(|kind| kind != FittedSequence::KIND)
        {
            return Err(TrainingError::Nothing(format!(
                "the name `{model}` belongs to a model of the kind `{other}`, which is not replaced"
            )));
        }
        let serving: Option<FittedSequence> = training.serving(&model)?;
        let serving = serving.filter(|serving| serving.columns() == COLUMNS);
        let columns = COLUMNS.map(str::to_owned).to_vec();
        let network = SequenceAutoencoder::new(columns, sequence_options(training.options));
        let mut progress = |epoch: &_| log_epoch(&model, epoch, go_on);
        let fit = match &serving {
            Some(serving) => network.fit_on(serving, &learnt, &mut progress),
            None => network.fit(&learnt, &mut progress),
        };
        let (network, report) = match fit {
            Err(LearnedError::Stopped { .. }) => return Err(TrainingError::Stopped),
            fit => fit?,
        };
        let first = |tables: &[Table]| {
            tables
                .iter()
                .map(|table| table.times[0])
                .fold(f64::INFINITY, f64::min)
        };
        let last = learnt.iter().filter_map(|table| table.times.last().copied());
        let fit = Fit {
            holdout: Holdout {
                error: network.mean_error(&held)?,
                previous: serving.map(|serving| serving.mean_error(&held)).transpose()?,
                from: first(&held),
            },
            model: network,
            reports: vec![report],
            trained: (first(&learnt), last.fold(f64::NEG_INFINITY, f64::max)),
        };
        training.publish(&model, fit, go_on)
    }
}

impl SensorJob {
    /// What Druid knows at one granularity, up to now.
    fn table(&self, source: SensorSource<'_>, period: &str) -> Result<Table, TrainingError> {
        let settings = source.settings;
        let wrong = |why: String| TrainingError::Nothing(why);
        let granularity = Granularity::parse(period).map_err(|error| wrong(error.to_string()))?;
        let seconds = granularity
            .seconds()
            .ok_or_else(|| wrong(format!("`{period}` has no length")))?;
        let span = settings.span.as_secs_f64().max(FEWEST_ROWS * seconds);
        // The bucket that is not over yet would look like a drop.
        let until = granularity.bucket(unix_now(), 0.0);
        let at = |time: f64| {
            let time = Timestamp::UNIX_EPOCH.checked_add(SignedDuration::from_secs_f64(time));
            time.map_err(|error| wrong(error.to_string()))
        };
        let span = (at(until - span)?, at(until)?);
        let query = DruidQuery::canonical(&settings.data_source, period, span, self.filter(source)?);
        let query = query.map_err(|error| wrong(error.to_string()))?;
        Ok(as_table(&source.druid.ask(&query, settings.max_numbers)?))
    }

    /// The sensor's rows, of those that the settings' own filter picks.
    fn filter(&self, source: SensorSource<'_>) -> Result<Value, TrainingError> {
        let own = json!({ "type": "selector", "dimension": source.dimension, "value": self.sensor });
        match source.settings.filter.as_str() {
            "" => Ok(own),
            text => {
                let further: Value = serde_json::from_str(text)?;
                Ok(json!({ "type": "and", "fields": [own, further] }))
            }
        }
    }
}

/// The model's columns of an answer, of rows in which all of them have a number; a column that is missing is 0 everywhere to
/// the model.
fn as_table(answer: &Timeseries) -> Table {
    let places: Vec<(usize, &str)> = COLUMNS
        .iter()
        .filter_map(|name| Some((answer.columns.iter().position(|own| own == name)?, *name)))
        .collect();
    let mut table = Table {
        columns: places.iter().map(|(_, name)| (*name).to_owned()).collect(),
        ..Table::default()
    };
    let rows = answer.values.chunks(answer.columns.len().max(1));
    for (time, row) in answer.times.iter().zip(rows) {
        let cells = || places.iter().map(|(place, _)| row[*place]);
        if cells().all(f64::is_finite) {
            table.times.push(*time);
            table.values.extend(cells());
        }
    }
    table
}

/// The older part of a table and the newest share of it; neither for one that is too short.
fn split(table: Table, share: f64) -> (Option<Table>, Option<Table>) {
    let (rows, width) = (table.times.len(), table.columns.len());
    let back = ((rows as f64 * share) as usize).max(FEWEST_HELD);
    if rows < back + WINDOW || width == 0 {
        return (None, None);
    }
    let part = |from: usize, to: usize| Table {
        columns: table.columns.clone(),
        times: table.times[from..to].to_vec(),
        values: table.values[from * width..to * width].to_vec(),
    };
    (Some(part(0, rows - back)), Some(part(rows - back, rows)))
}
