//! The query interface of InfluxDB 1.x (`/query`), which 2.x and others serve for old clients, too.
//!
//! Series are listed first and fetched one by one, so that no answer is large and work that was broken off goes on where it
//! ended. A field of a series is a metric `measurement.field;tag=value`, and `measurement;tag=value` for the field `value`: the
//! names that Telegraf writes to a Graphite with tags. Points are asked for as they are stored, nothing is aggregated.

use std::collections::BTreeMap;

use clap::Args;
use serde::Deserialize;
use skywatch_algorithms::Series;

use super::http::{Answered, CONNECT_TIMEOUT, HttpOptions, RESPONSE_TIMEOUT, SourceHttp, SourceLogin};
use super::json::{List, Object, Text, Value, quoted};
use super::{CommonArguments, EachSeries, LeftOut, Source, SourceArguments, SourceError, Span};
use crate::metric_name;

/// Rows asked for at once. Servers up to 1.1 cut an answer there by themselves, and a row of many fields takes a kilobyte.
const MOST_ROWS: usize = 10_000;

/// `--influx` and what belongs to it.
#[derive(Debug, Args)]
pub(super) struct InfluxArguments {
    /// An InfluxDB with the interface of 1.x, as `http://host:8086`; user and password may be part of it
    #[arg(long, value_name = "URL", requires = "database")]
    influx: Option<String>,
    /// The database of the InfluxDB
    #[arg(long, value_name = "NAME")]
    database: Option<String>,
    /// A measurement of the InfluxDB, by default all; may be given again
    #[arg(long, value_name = "NAME")]
    measurement: Vec<String>,
}

impl SourceArguments for InfluxArguments {
    const FLAG: &'static str = "influx";
    const COMMON: &'static [&'static str] = &["ca_file", "bearer_token_file"];

    fn open(self, common: CommonArguments) -> Result<Box<dyn Source>, SourceError> {
        let http = HttpOptions {
            url: self.influx.unwrap_or_default(),
            login: common.bearer_token.map(SourceLogin::Bearer),
            connect_timeout: CONNECT_TIMEOUT,
            response_timeout: RESPONSE_TIMEOUT,
            ca_file: common.ca_file,
        };
        Ok(Box::new(Influx {
            http: SourceHttp::new("InfluxDB", http)?,
            database: self.database.unwrap_or_default(),
            measurements: self.measurement,
        }))
    }
}

/// An InfluxDB.
struct Influx {
    http: SourceHttp,
    database: String,
    /// None for all.
    measurements: Vec<String>,
}

/// An answer whose rows are made of `C`.
#[derive(Deserialize)]
#[serde(bound = "C: Deserialize<'de>")]
struct InfluxAnswer<C> {
    #[serde(default)]
    error: Text,
    #[serde(default)]
    results: List<Object<StatementResult<C>>>,
}

/// What came of a statement.
#[derive(Deserialize)]
#[serde(bound = "C: Deserialize<'de>")]
struct StatementResult<C> {
    #[serde(default)]
    error: Text,
    #[serde(default)]
    series: List<Object<InfluxRows<C>>>,
}

/// The rows of one series.
#[derive(Deserialize)]
#[serde(bound = "C: Deserialize<'de>")]
struct InfluxRows<C> {
    #[serde(default)]
    tags: Object<BTreeMap<String, Text>>,
    #[serde(default)]
    columns: List<Text>,
    #[serde(default)]
    values: List<List<C>>,
}

impl Influx {
    /// The series that a statement gives.
    fn ask<C: for<'de> Deserialize<'de>>(
        &self,
        part: &str,
        statement: &str,
    ) -> Result<Vec<InfluxRows<C>>, SourceError> {
        let query = [("db", self.database.as_str()), ("epoch", "ms"), ("q", statement)];
        let body = match self.http.get("/query", part, &query)? {
            Answered::Good(body) => body,
            Answered::NoSuchThing(reason) => return Err(self.http.refused(part, reason)),
        };
        let answer: InfluxAnswer<C> = serde_json::from_slice(&quoted(&body))
            .map_err(|error| self.http.unparsable(part, &body, &error))?;
        let mut all = Vec::new();
        let mut error = answer.error.0;
        for outcome in answer.results.0.into_iter().filter_map(|outcome| outcome.0) {
            error = error.or(outcome.error.0);
            all.extend(outcome.series.0.into_iter().filter_map(|rows| rows.0));
        }
        match error {
            Some(why) => Err(self.http.refused(part, why)),
            None => Ok(all),
        }
    }
}

impl Source for Influx {
    fn describe(&self) -> String {
        format!("{} database {}", self.http.place, self.database)
    }

    fn parts(&mut self) -> Result<Vec<String>, SourceError> {
        let statements: Vec<String> = match self.measurements.as_slice() {
            [] => vec!["SHOW SERIES".to_owned()],
            some => some
                .iter()
                .map(|name| format!("SHOW SERIES FROM {}", identifier(name)))
                .collect(),
        };
        let mut parts = Vec::new();
        for statement in statements {
            let found = self.ask::<Text>(&statement, &statement)?;
            let keys = found
                .into_iter()
                .flat_map(|rows| rows.values.0)
                .flat_map(|row| row.0);
            let before = parts.len();
            parts.extend(keys.filter_map(|key| key.0));
            if parts.len() == before {
                tracing::warn!("`{statement}` finds no series in {}", self.describe());
            }
        }
        parts.sort_unstable();
        parts.dedup();
        Ok(parts)
    }

    fn fetch(&mut self, part: &str, span: Span, each: &mut EachSeries<'_>) -> Result<LeftOut, SourceError> {
        let (measurement, tags) = SeriesKey::read(part)
            .ok_or_else(|| self.http.malformed(part, "it is no key of a series".to_owned()))
            .map(|key| (key.measurement, key.tags))?;
        let of_series: String = tags
            .iter()
            .map(|(key, value)| format!("{} = {} AND ", identifier(key), text(value)))
            .collect();
        // Milliseconds that a server takes for a time; its own are 64 bits of nanoseconds.
        let moment = |seconds: f64| (seconds * 1e3).clamp(0.0, 9e15) as i64;
        let (mut after, until) = (moment(span.after.floor()), moment(span.until));
        let mut fields: BTreeMap<String, Series> = BTreeMap::new();
        let mut left_out = LeftOut::new();
        loop {
            let statement = format!(
                "SELECT *::field FROM {} WHERE {of_series}time > {after}ms AND time <= {until}ms GROUP BY * LIMIT {MOST_ROWS}",
                identifier(&measurement)
            );
            let found = self.ask::<Value>(part, &statement)?;
            // Series with further tags are found beside it.
            let Some(rows) = found.into_iter().find(|rows| has_tags(rows, &tags)) else {
                break;
            };
            let count = rows.values.0.len();
            let last = take(rows, &mut fields, &mut left_out);
            match last {
                Some(last) if count >= MOST_ROWS && last as i64 > after => after = last as i64,
                _ => break,
            }
        }
        let mut name = String::new();
        for (field, mut series) in fields {
            let plain = match field.as_str() {
                "value" => measurement.clone(),
                _ => format!("{measurement}.{field}"),
            };
            let labels = [("__name__", plain.as_str())].into_iter();
            let tags = tags.iter().map(|(key, value)| (key.as_str(), value.as_str()));
            if metric_name::of_labels(labels.chain(tags), &mut name) {
                each(&name, &mut series);
            } else {
                *left_out.entry("unnamed_series").or_default() += 1;
            }
        }
        Ok(left_out)
    }
}

/// Whether rows are those of the series with exactly these tags; of others a server says that they are empty.
fn has_tags(rows: &InfluxRows<Value>, tags: &BTreeMap<String, String>) -> bool {
    let empty = BTreeMap::new();
    let own = rows.tags.0.as_ref().unwrap_or(&empty).iter();
    let own = own.filter_map(|(key, value)| Some((key.as_str(), value.0.as_deref()?)));
    own.filter(|(_, value)| !value.is_empty())
        .eq(tags.iter().map(|(key, value)| (key.as_str(), value.as_str())))
}

/// Adds the values of rows to the series of their fields; the newest time, milliseconds.
fn take(
    rows: InfluxRows<Value>,
    fields: &mut BTreeMap<String, Series>,
    left_out: &mut LeftOut,
) -> Option<f64> {
    let names: Vec<String> = rows
        .columns
        .0
        .into_iter()
        .map(|name| name.0.unwrap_or_default())
        .collect();
    let mut last = None;
    for List(row) in rows.values.0 {
        let mut cells = row.into_iter().zip(&names);
        let Some(Ok(time)) = cells.next().map(|(time, _)| time.number()) else {
            *left_out.entry("malformed").or_default() += 1;
            continue;
        };
        last = Some(time);
        for (value, field) in cells {
            match value.number() {
                Ok(value) => match fields.get_mut(field) {
                    Some(series) => series.push(time / 1e3, value),
                    None => fields.entry(field.clone()).or_default().push(time / 1e3, value),
                },
                // A field that this point does not have: nothing is left out.
                Err("null") => {}
                Err(reason) => *left_out.entry(reason).or_default() += 1,
            }
        }
    }
    last
}

/// A series as `SHOW SERIES` names it, in line protocol: `cpu,host=a,zone=x\ y`.
#[derive(Debug, PartialEq)]
struct SeriesKey {
    measurement: String,
    tags: BTreeMap<String, String>,
}

impl SeriesKey {
    fn read(key: &str) -> Option<Self> {
        let mut pieces = split(key, ',').into_iter();
        let measurement = plain(pieces.next().filter(|name| !name.is_empty())?);
        let tags = pieces.map(|tag| match split(tag, '=').as_slice() {
            [key, value @ ..] if !value.is_empty() => Some((plain(key), plain(&value.join("=")))),
            _ => None,
        });
        Some(Self {
            measurement,
            tags: tags.collect::<Option<_>>()?,
        })
    }
}

/// The pieces between separators that no backslash stands before.
fn split(text: &str, separator: char) -> Vec<&str> {
    let (mut pieces, mut from, mut is_escaped) = (Vec::new(), 0, false);
    for (at, c) in text.char_indices() {
        if c == separator && !is_escaped {
            pieces.push(&text[from..at]);
            from = at + c.len_utf8();
        }
        is_escaped = c == '\\' && !is_escaped;
    }
    pieces.push(&text[from..]);
    pieces
}

/// The text without the backslashes of line protocol, which stand before `,`, `=` and blanks only.
fn plain(escaped: &str) -> String {
    let mut text = String::with_capacity(escaped.len());
    let mut rest = escaped.chars().peekable();
    while let Some(c) = rest.next() {
        match rest.peek() {
            Some(',' | '=' | ' ') if c == '\\' => {}
            _ => text.push(c),
        }
    }
    text
}

/// A name in InfluxQL.
fn identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('\\', "\\\\").replace('"', "\\\""))
}

/// A text in InfluxQL.
fn text(value: &str) -> String {
    format!("'{}'", value.replace('\\', "\\\\").replace('\'', "\\'"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_of_line_protocol_is_read_and_written_in_influxql() {
        let key = SeriesKey::read("disk\\ io,host=a\\,b,path=C:\\dir,q=x\\=y\\ z").expect("a key");
        assert_eq!(key.measurement, "disk io");
        let tags = [("host", "a,b"), ("path", "C:\\dir"), ("q", "x=y z")];
        let tags = tags.map(|(key, value)| (key.to_owned(), value.to_owned()));
        assert_eq!(key.tags, BTreeMap::from(tags));
        assert_eq!(identifier("a\"b\\"), "\"a\\\"b\\\\\"");
        assert_eq!(text("it's"), "'it\\'s'");
        for bad in ["", ",a=b", "cpu,host", "cpu,"] {
            assert_eq!(SeriesKey::read(bad), None, "{bad}");
        }
    }
}
