//! A native timeseries query: read with suspicion, built for models and trainings.
//!
//! Of what others send, only timeseries over named tables are taken: a data source that is itself a query, a join or a lookup
//! would get around the list of allowed names, and JavaScript in an aggregation is code on the broker.

use serde_json::{Map, Value, json};

use super::granularity::{Granularity, GranularityError, period_seconds};
use crate::sources::row;

/// How deep a filter is looked into for a sensor's name: an `and` within an `and` is the most that clients build.
const DEEPEST: usize = 8;

/// A timeseries query, as JSON.
#[derive(Debug, Clone, PartialEq)]
pub struct DruidQuery {
    fields: Map<String, Value>,
    data_source: String,
}

/// Why a query is not asked.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum QueryRefusal {
    /// No JSON object.
    #[error("the query is no JSON object: {0}")]
    NotJson(String),
    /// Another type of query.
    #[error("a query of the type `{0}` is not asked: expected `timeseries`")]
    Type(String),
    /// No table by name.
    #[error("the query's `dataSource` is no name of a table")]
    DataSource,
    /// A table that is not on the list.
    #[error("the data source `{0}` is not allowed here: `outliers.data_sources` does not name it")]
    NotAllowed(String),
    /// Code for the broker.
    #[error("the query holds JavaScript, which is not handed on")]
    Script,
    /// No stretch of time.
    #[error("the query's `intervals` are no list of `BEGIN/END`")]
    Intervals,
    /// Too long a stretch.
    #[error("the query is about {days:.1} days, more than the {most:.1} of `outliers.max_interval`")]
    TooLong {
        /// What is asked for.
        days: f64,
        /// What may be.
        most: f64,
    },
    /// What is no granularity, or has no length where one is needed.
    #[error(transparent)]
    Granularity(#[from] GranularityError),
    /// Buckets without a length have no rate.
    #[error("a model needs buckets of one length, not `{0}`")]
    NoLength(String),
}

/// A stretch of time, Unix seconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct QuerySpan {
    /// From here …
    pub from: f64,
    /// … up to here, which is not part of it.
    pub to: f64,
}

/// One sum, count or extreme that a query asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueryAggregation<'q> {
    /// `longSum` and so on.
    pub kind: &'q str,
    /// The column of the answer.
    pub name: &'q str,
    /// The field it is made of; empty for `count`.
    pub field: &'q str,
}

impl DruidQuery {
    /// Reads what somebody sent.
    ///
    /// # Errors
    /// [`QueryRefusal`] for anything but a timeseries over a table.
    pub fn read(json: &[u8]) -> Result<Self, QueryRefusal> {
        let fields =
            serde_json::from_slice(json).map_err(|error| QueryRefusal::NotJson(error.to_string()))?;
        Self::of(fields)
    }

    /// The same of what is parsed already.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn of(fields: Map<String, Value>) -> Result<Self, QueryRefusal> {
        match fields.get("queryType") {
            Some(Value::String(kind)) if kind == "timeseries" => {}
            Some(Value::String(kind)) => return Err(QueryRefusal::Type(kind.clone())),
            other => {
                let shown = other.map_or_else(|| "none".to_owned(), Value::to_string);
                return Err(QueryRefusal::Type(shown));
            }
        }
        let data_source = match fields.get("dataSource") {
            Some(Value::String(name)) => name.clone(),
            Some(Value::Object(table)) if table.get("type").is_some_and(|kind| kind == "table") => table
                .get("name")
                .and_then(Value::as_str)
                .ok_or(QueryRefusal::DataSource)?
                .to_owned(),
            _ => return Err(QueryRefusal::DataSource),
        };
        if fields.values().any(has_script) {
            return Err(QueryRefusal::Script);
        }
        Granularity::read(fields.get("granularity"))?;
        Ok(Self { fields, data_source })
    }

    /// A query for a training: the canonical columns of a table over one stretch of time.
    ///
    /// # Errors
    /// [`QueryRefusal::Granularity`] for what is no period.
    pub fn canonical(
        data_source: &str,
        period: &str,
        (from, to): (jiff::Timestamp, jiff::Timestamp),
        filter: Value,
    ) -> Result<Self, QueryRefusal> {
        let (from, to) = (iso(from), iso(to));
        let query = json!({
            "queryType": "timeseries",
            "dataSource": data_source,
            "granularity": { "type": "period", "period": period, "origin": from },
            "intervals": [format!("{from}/{to}")],
            "filter": filter,
            "context": { "skipEmptyBuckets": "true" },
        });
        let Value::Object(fields) = query else {
            unreachable!("an object was written")
        };
        Self::of(fields)?.with_canonical_columns()
    }

    /// Refuses what is not on the list, or is too long (seconds).
    ///
    /// # Errors
    /// [`QueryRefusal::NotAllowed`], [`QueryRefusal::Intervals`], [`QueryRefusal::TooLong`].
    pub fn check(&self, is_allowed: impl Fn(&str) -> bool, longest: f64) -> Result<(), QueryRefusal> {
        if !is_allowed(&self.data_source) {
            return Err(QueryRefusal::NotAllowed(self.data_source.clone()));
        }
        let length: f64 = self.spans()?.iter().map(|span| span.to - span.from).sum();
        if length > longest {
            return Err(QueryRefusal::TooLong {
                days: length / 86_400.0,
                most: longest / 86_400.0,
            });
        }
        Ok(())
    }

    /// The table.
    #[must_use]
    pub fn data_source(&self) -> &str {
        &self.data_source
    }

    /// The value that the filter wants of a dimension: a selector by itself, or one of those of an `and`.
    #[must_use]
    pub fn filtered(&self, dimension: &str) -> Option<&str> {
        wanted(self.fields.get("filter")?, dimension, DEEPEST)
    }

    /// The filter.
    #[must_use]
    pub fn filter(&self) -> Option<&Value> {
        self.fields.get("filter").filter(|filter| !filter.is_null())
    }

    /// How long buckets are.
    #[must_use]
    pub fn granularity(&self) -> Granularity {
        // It was read once already.
        Granularity::read(self.fields.get("granularity")).unwrap_or(Granularity::None)
    }

    /// The stretches of time it is about.
    ///
    /// # Errors
    /// [`QueryRefusal::Intervals`].
    pub fn spans(&self) -> Result<Vec<QuerySpan>, QueryRefusal> {
        let written = match self.fields.get("intervals") {
            Some(Value::Object(spec)) => spec.get("intervals"),
            other => other,
        };
        let all = match written {
            Some(Value::String(one)) => vec![span(one)],
            Some(Value::Array(all)) => all.iter().map(|one| span(one.as_str()?)).collect(),
            _ => return Err(QueryRefusal::Intervals),
        };
        let all: Option<Vec<QuerySpan>> = all.into_iter().collect();
        all.filter(|all| !all.is_empty()).ok_or(QueryRefusal::Intervals)
    }

    /// What it asks for, as far as a name goes with it.
    pub fn aggregations(&self) -> impl Iterator<Item = QueryAggregation<'_>> {
        let all = self.fields.get("aggregations").and_then(Value::as_array);
        all.into_iter().flatten().filter_map(|one| {
            let text = |field: &str| one.get(field).and_then(Value::as_str);
            Some(QueryAggregation {
                kind: text("type")?,
                name: text("name")?,
                field: text("fieldName").unwrap_or_default(),
            })
        })
    }

    /// Whether results are worked out of other results, which only Druid can.
    #[must_use]
    pub fn has_post_aggregations(&self) -> bool {
        let all = self.fields.get("postAggregations").and_then(Value::as_array);
        all.is_some_and(|all| !all.is_empty())
    }

    /// The same with the columns that models know: sums of bytes, packets and flows, the number of clients, and what follows
    /// from them in a second and for a client.
    ///
    /// # Errors
    /// [`QueryRefusal::NoLength`] where buckets have no length.
    pub fn with_canonical_columns(mut self) -> Result<Self, QueryRefusal> {
        let seconds = self.granularity().seconds().ok_or_else(|| {
            QueryRefusal::NoLength(
                self.fields
                    .get("granularity")
                    .map(Value::to_string)
                    .unwrap_or_default(),
            )
        })?;
        self.fields
            .insert("aggregations".to_owned(), canonical_aggregations());
        self.fields.insert(
            "postAggregations".to_owned(),
            canonical_post_aggregations(seconds),
        );
        Ok(self)
    }

    /// As it is sent.
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        Value::Object(self.fields.clone()).to_string().into_bytes()
    }
}

/// A time as Druid's queries have it.
fn iso(time: jiff::Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

fn has_script(value: &Value) -> bool {
    match value {
        Value::Object(fields) => {
            let is_script = |kind: &Value| {
                kind.as_str()
                    .is_some_and(|kind| kind.eq_ignore_ascii_case("javascript"))
            };
            fields.get("type").is_some_and(is_script) || fields.values().any(has_script)
        }
        Value::Array(all) => all.iter().any(has_script),
        _ => false,
    }
}

fn wanted<'v>(filter: &'v Value, dimension: &str, depth: usize) -> Option<&'v str> {
    let text = |field: &str| filter.get(field).and_then(Value::as_str);
    let is_about = |field: &str| text(field) == Some(dimension);
    match text("type")? {
        "selector" if is_about("dimension") => text("value"),
        "equals" if is_about("column") => text("matchValue"),
        "in" if is_about("dimension") => match filter.get("values")?.as_array()?.as_slice() {
            [only] => only.as_str(),
            _ => None,
        },
        "and" if depth > 0 => {
            let mut all = filter.get("fields")?.as_array()?.iter();
            all.find_map(|one| wanted(one, dimension, depth - 1))
        }
        _ => None,
    }
}

/// `BEGIN/END`, either of which may be a period.
fn span(text: &str) -> Option<QuerySpan> {
    let (first, second) = text.split_once('/')?;
    let (from, to) = match (row::time(first), row::time(second)) {
        (Some(from), Some(to)) => (from, to),
        (Some(from), None) => (from, from + period_seconds(second)?),
        (None, Some(to)) => (to - period_seconds(first)?, to),
        (None, None) => return None,
    };
    (from < to).then_some(QuerySpan { from, to })
}

fn canonical_aggregations() -> Value {
    json!([
        { "type": "longSum", "name": "bytes", "fieldName": "sum_bytes" },
        { "type": "longSum", "name": "pkts", "fieldName": "sum_pkts" },
        { "type": "hyperUnique", "name": "clients", "fieldName": "clients" },
        { "type": "longSum", "name": "flows", "fieldName": "events" },
    ])
}

/// Arithmetic over the sums of a bucket of so many seconds.
fn canonical_post_aggregations(seconds: f64) -> Value {
    let field = |name: &str| json!({ "type": "fieldAccess", "name": name, "fieldName": name });
    let number = |name: &str, value: f64| json!({ "type": "constant", "name": name, "value": value });
    let clients = || json!({ "type": "hyperUniqueCardinality", "name": "clients", "fieldName": "clients" });
    let arithmetic = |name: &str, function: &str, fields: Value| json!({ "type": "arithmetic", "name": name, "fn": function, "fields": fields });
    let bits = || arithmetic("bits", "*", json!([field("bytes"), number("bits_per_byte", 8.0)]));
    let rate = |name: &str, of: Value| arithmetic(name, "/", json!([of, number("seconds", seconds)]));
    let per_client = |name: &str, of: Value| arithmetic(name, "/", json!([of, clients()]));
    json!([
        rate("bps", bits()),
        rate("pps", field("pkts")),
        rate("fps", field("flows")),
        per_client("bytes_per_client", field("bytes")),
        per_client("bits_per_sec_per_client", rate("bits_per_sec", bits())),
        per_client("flows_per_client", field("flows")),
        per_client("flows_per_sec_per_client", rate("flows_per_sec", field("flows"))),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(change: impl FnOnce(&mut Value)) -> Result<DruidQuery, QueryRefusal> {
        let mut query = json!({
            "queryType": "timeseries", "dataSource": "rb_flow", "granularity": {"type": "period", "period": "pt5m"},
            "intervals": ["2023-09-21T09:00:00+00:00/2023-09-21T10:00:00+00:00"],
            "filter": {"type": "and", "fields": [
                {"type": "selector", "dimension": "proto", "value": "tcp"},
                {"type": "selector", "dimension": "sensor_name", "value": "FlowSensor"},
            ]},
            "aggregations": [{"type": "longSum", "name": "bytes", "fieldName": "sum_bytes"}],
        });
        change(&mut query);
        DruidQuery::read(query.to_string().as_bytes())
    }

    #[test]
    fn what_a_query_is_about_is_read() {
        let query = query(|_| ()).unwrap();
        assert_eq!(query.filtered("sensor_name"), Some("FlowSensor"));
        assert_eq!(query.filtered("sensor"), None);
        assert_eq!(
            query.spans().unwrap(),
            [QuerySpan {
                from: 1_695_286_800.0,
                to: 1_695_290_400.0
            }]
        );
        let names: Vec<_> = query.aggregations().map(|one| one.name).collect();
        assert_eq!(names, ["bytes"]);
        let long = query.check(|name| name == "rb_flow", 60.0);
        assert!(matches!(long, Err(QueryRefusal::TooLong { .. })), "{long:?}");
        let other = query.check(|_| false, 1e9);
        assert_eq!(other, Err(QueryRefusal::NotAllowed("rb_flow".to_owned())));
    }

    #[test]
    fn intervals_may_hold_periods() {
        let spans = |text: &str| query(|query| query["intervals"] = json!(text)).unwrap().spans();
        let hour = QuerySpan {
            from: 1_695_286_800.0,
            to: 1_695_290_400.0,
        };
        assert_eq!(spans("2023-09-21T09:00:00Z/PT1H").unwrap(), [hour]);
        assert_eq!(spans("PT1H/2023-09-21T10:00:00Z").unwrap(), [hour]);
        for wrong in ["", "2023-09-21", "2023-09-22/2023-09-21", "PT1H/PT1H"] {
            assert_eq!(spans(wrong), Err(QueryRefusal::Intervals), "{wrong}");
        }
    }

    #[test]
    fn what_gets_around_the_list_is_refused() {
        assert_eq!(
            query(|query| query["queryType"] = json!("scan")),
            Err(QueryRefusal::Type("scan".to_owned()))
        );
        let inner = json!({"type": "query", "query": {"queryType": "scan", "dataSource": "secret"}});
        assert_eq!(
            query(|query| query["dataSource"] = inner),
            Err(QueryRefusal::DataSource)
        );
        let script = json!([{"type": "javascript", "name": "x", "fnCombine": "…"}]);
        assert_eq!(
            query(|query| query["aggregations"] = script),
            Err(QueryRefusal::Script)
        );
        let table = json!({"type": "table", "name": "rb_flow"});
        assert_eq!(
            query(|query| query["dataSource"] = table).unwrap().data_source(),
            "rb_flow"
        );
    }

    #[test]
    fn canonical_columns_are_of_the_buckets_own_length() {
        let sent = |period: &str| -> Value {
            let query = query(|query| query["granularity"]["period"] = json!(period)).unwrap();
            serde_json::from_slice(&query.with_canonical_columns().unwrap().to_json()).unwrap()
        };
        for (period, seconds) in [("pt5m", 300.0), ("PT1H30M", 5_400.0), ("P1D", 86_400.0)] {
            let sent = sent(period);
            let bps = &sent["postAggregations"][0];
            assert_eq!(bps["name"], "bps");
            assert_eq!(bps["fields"][0]["fields"][1]["value"], 8.0);
            assert_eq!(bps["fields"][1]["value"], seconds, "{period}");
            assert_eq!(
                sent["postAggregations"][4]["fields"][0]["fields"][1]["value"],
                seconds
            );
        }
        let all = query(|query| query["granularity"] = json!("all")).unwrap();
        assert!(matches!(
            all.with_canonical_columns(),
            Err(QueryRefusal::NoLength(_))
        ));
    }
}
