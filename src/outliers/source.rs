//! Where the rows of a query come from: Druid, the store, or a file, by the name of its data source.

use std::path::PathBuf;

use skywatch_settings::Outliers;

use super::failure::{FailureReason, OutlierFailure};
use super::local::{self, FieldPoints};
use crate::sources::druid::{Druid, DruidQuery, Timeseries};
use crate::sources::{LeftOut, SourceError, WideCsv};
use crate::windows::Windows;

/// The data source that is the store, and what names of files begin with.
const STORE: &str = "store";
const CSV: &str = "csv:";

/// All places there are. Any number of threads may ask at once; calls block on the network, the store or the disk.
pub(super) struct OutlierSources {
    pub(super) druid: Option<Druid>,
    pub(super) store: Option<Windows>,
    pub(super) csv_folder: Option<PathBuf>,
    data_sources: Vec<String>,
    longest: f64,
    most: usize,
}

impl OutlierSources {
    pub(super) fn new(settings: &Outliers, druid: Option<Druid>, store: Option<Windows>) -> Self {
        Self {
            druid,
            store: store.filter(|_| settings.store_source),
            csv_folder: settings.csv_folder.clone(),
            data_sources: settings.data_sources.clone(),
            longest: settings.max_interval.as_secs_f64(),
            most: settings.max_points,
        }
    }

    /// Whether a query's rows come from Druid, which alone can work out a model's columns.
    pub(super) fn is_druids(&self, query: &DruidQuery) -> bool {
        let name = query.data_source();
        let is_stored = name == STORE && self.store.is_some();
        let is_of_files = name.starts_with(CSV) && self.csv_folder.is_some();
        !is_stored && !is_of_files
    }

    /// Refuses a query that may not be asked.
    pub(super) fn check(&self, query: &DruidQuery) -> Result<(), OutlierFailure> {
        let is_local = !self.is_druids(query);
        query.check(
            |name| is_local || self.data_sources.iter().any(|known| known == name),
            self.longest,
        )?;
        if self.is_druids(query) && self.druid.is_none() {
            let why = "there is no Druid to ask\nhint: `druid.url` in the settings names one; or send the rows as `data`";
            return Err(OutlierFailure::new(FailureReason::NoSource, why));
        }
        Ok(())
    }

    /// The rows of a query that was [checked](Self::check).
    pub(super) fn fetch(&self, query: &DruidQuery) -> Result<Timeseries, OutlierFailure> {
        if self.is_druids(query) {
            let Some(druid) = &self.druid else {
                return Err(OutlierFailure::new(
                    FailureReason::NoSource,
                    "there is no Druid to ask",
                ));
            };
            return Ok(druid.ask(query, self.most)?);
        }
        let (fields, left_out) = match query.data_source().strip_prefix(CSV) {
            Some(name) => self.of_file(name, query)?,
            None => (self.of_store(query)?, LeftOut::new()),
        };
        local::evaluate(query, &fields, left_out, self.most)
    }

    /// The metrics of the store that a query's fields name.
    fn of_store(&self, query: &DruidQuery) -> Result<Vec<FieldPoints>, OutlierFailure> {
        let mut names: Vec<&str> = query.aggregations().map(|one| one.field).collect();
        names.retain(|name| !name.is_empty());
        names.sort_unstable();
        names.dedup();
        let Some(store) = &self.store else {
            return Err(OutlierFailure::new(
                FailureReason::NoSource,
                "the store is no data source here",
            ));
        };
        let (windows, trouble) = store.read(&names);
        if let Some(why) = trouble {
            return Err(OutlierFailure::new(FailureReason::SourceDown, why));
        }
        let mut fields = Vec::new();
        for (name, window) in names.into_iter().zip(windows) {
            let Some(window) = window else {
                return Err(OutlierFailure::new(
                    FailureReason::UnknownMetric,
                    format!("the store has no metric `{name}`"),
                ));
            };
            fields.push(FieldPoints {
                name: name.to_owned(),
                times: window.times,
                values: window.values,
            });
        }
        Ok(fields)
    }

    /// The columns of a file, of the rows that the query's filter picks.
    fn of_file(&self, name: &str, query: &DruidQuery) -> Result<(Vec<FieldPoints>, LeftOut), OutlierFailure> {
        // A name and no path: no dot, no slash.
        let right = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        let folder = self
            .csv_folder
            .as_ref()
            .filter(|_| !name.is_empty() && name.chars().all(right));
        let Some(folder) = folder else {
            let why = format!("`{CSV}{name}` is no data source: a name has letters, digits, `-` and `_`");
            return Err(OutlierFailure::new(FailureReason::QueryRefused, why));
        };
        let table = WideCsv::read(&folder.join(format!("{name}.csv"))).map_err(|error| match error {
            SourceError::File { source, .. } if source.kind() == std::io::ErrorKind::NotFound => {
                OutlierFailure::new(FailureReason::NoRows, format!("there is no file `{name}.csv`"))
            }
            error => error.into(),
        })?;
        let mut left_out = LeftOut::new();
        if table.without_time > 0 {
            left_out.insert("malformed_row", table.without_time);
        }
        Ok((local::of_table(&table, query.filter())?, left_out))
    }
}
