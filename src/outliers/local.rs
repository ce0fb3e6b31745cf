//! A timeseries query worked out over points at hand: of the store, or of a file.
//!
//! What Druid does with rows is done with points: those of each interval are put into buckets of the granularity, and each
//! aggregation is taken over a bucket. A bucket without a point has no row. What only Druid can do (filters beyond equality,
//! results of results, sketches) is refused, not passed over.

use std::collections::BTreeMap;

use serde_json::Value;

use super::failure::{FailureReason, OutlierFailure};
use crate::sources::druid::{DruidQuery, QueryAggregation, Timeseries};
use crate::sources::{LeftOut, WideCsv};

/// The points of one field, in any order.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct FieldPoints {
    pub(super) name: String,
    pub(super) times: Vec<f64>,
    pub(super) values: Vec<f64>,
}

fn refused(why: String) -> OutlierFailure {
    OutlierFailure::new(FailureReason::QueryRefused, why)
}

/// What becomes of the points of a bucket.
#[derive(Debug, Clone, Copy)]
enum Fold {
    Count,
    Sum,
    Min,
    Max,
    First,
    Last,
}

impl Fold {
    /// Druid's word without the type of number that it begins with.
    fn of(aggregation: &QueryAggregation<'_>) -> Option<Self> {
        let kind = aggregation.kind;
        let bare = ["long", "double", "float"]
            .iter()
            .find_map(|number| kind.strip_prefix(number));
        Some(match bare.unwrap_or(kind) {
            "count" => Self::Count,
            "Sum" => Self::Sum,
            "Min" => Self::Min,
            "Max" => Self::Max,
            "First" => Self::First,
            "Last" => Self::Last,
            _ => return None,
        })
    }

    /// With one point more; points come in the order of their times.
    fn add(self, so_far: Option<f64>, value: f64) -> f64 {
        match (self, so_far) {
            (Self::Count, so_far) => so_far.unwrap_or(0.0) + 1.0,
            (_, None) | (Self::Last, _) => value,
            (Self::Sum, Some(sum)) => sum + value,
            (Self::Min, Some(least)) => least.min(value),
            (Self::Max, Some(most)) => most.max(value),
            (Self::First, Some(first)) => first,
        }
    }
}

/// The answer to a query over these fields, at most `most` numbers.
pub(super) fn evaluate(
    query: &DruidQuery,
    fields: &[FieldPoints],
    left_out: LeftOut,
    most: usize,
) -> Result<Timeseries, OutlierFailure> {
    if query.has_post_aggregations() {
        return Err(refused(
            "`postAggregations` can be worked out by Druid only".to_owned(),
        ));
    }
    let (granularity, spans) = (query.granularity(), query.spans()?);
    let from = spans.iter().map(|span| span.from).fold(f64::INFINITY, f64::min);
    let aggregations: Vec<QueryAggregation<'_>> = query.aggregations().collect();
    let mut buckets: BTreeMap<i64, Vec<Option<f64>>> = BTreeMap::new();
    for (column, aggregation) in aggregations.iter().enumerate() {
        let fold = Fold::of(aggregation)
            .ok_or_else(|| refused(format!("`{}` can be worked out by Druid only", aggregation.kind)))?;
        let is_of = |field: &&FieldPoints| matches!(fold, Fold::Count) || field.name == aggregation.field;
        let field = fields.iter().find(is_of).ok_or_else(|| {
            OutlierFailure::new(
                FailureReason::UnknownMetric,
                format!("there is no field `{}`", aggregation.field),
            )
        })?;
        let mut order: Vec<usize> = (0..field.times.len()).collect();
        order.sort_by(|a, b| field.times[*a].total_cmp(&field.times[*b]));
        for at in order {
            let (time, value) = (field.times[at], field.values[at]);
            let is_inside = spans.iter().any(|span| span.from <= time && time < span.to);
            if !is_inside || !value.is_finite() {
                continue;
            }
            // Milliseconds, as Druid's own times are.
            let bucket = (granularity.bucket(time, from) * 1e3).round() as i64;
            let row = buckets
                .entry(bucket)
                .or_insert_with(|| vec![None; aggregations.len()]);
            row[column] = Some(fold.add(row[column], value));
        }
        if buckets.len() * aggregations.len() > most {
            return Err(OutlierFailure::new(
                FailureReason::TooManyPoints,
                format!("the answer has more than {most} numbers, the most of `outliers.max_points`"),
            ));
        }
    }
    let times: Vec<f64> = buckets.keys().map(|bucket| *bucket as f64 / 1e3).collect();
    let timestamps = buckets.keys().map(|bucket| iso(*bucket)).collect();
    let columns = aggregations.iter().map(|one| one.name.to_owned()).collect();
    let values = buckets
        .into_values()
        .flatten()
        .map(|cell| cell.unwrap_or(f64::NAN));
    Ok(Timeseries::of_rows(
        timestamps,
        times,
        columns,
        values.collect(),
        left_out,
    ))
}

/// Milliseconds since 1970 as Druid writes them.
fn iso(milliseconds: i64) -> String {
    jiff::Timestamp::from_millisecond(milliseconds).map_or_else(
        |_| milliseconds.to_string(),
        |time| time.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string(),
    )
}

/// The columns of a file as fields, of the rows that a filter picks. What is no number is no point.
pub(super) fn of_table(table: &WideCsv, filter: Option<&Value>) -> Result<Vec<FieldPoints>, OutlierFailure> {
    let rows: Vec<usize> = match filter {
        None => (0..table.times.len()).collect(),
        Some(filter) => {
            let mut rows = Vec::new();
            for row in 0..table.times.len() {
                if picks(filter, table, table.row(row))? {
                    rows.push(row);
                }
            }
            rows
        }
    };
    let field = |(column, name): (usize, &String)| {
        let value = |row: &usize| table.row(*row)[column].trim().parse().unwrap_or(f64::NAN);
        FieldPoints {
            name: name.clone(),
            times: rows.iter().map(|row| table.times[*row]).collect(),
            values: rows.iter().map(value).collect(),
        }
    };
    Ok(table.columns.iter().enumerate().map(field).collect())
}

/// Whether a filter picks a row. `and`, `or`, `not` and equality; their depth is bounded by that of the JSON they came in.
fn picks(filter: &Value, table: &WideCsv, row: &[String]) -> Result<bool, OutlierFailure> {
    let text = |field: &str| filter.get(field).and_then(Value::as_str);
    let fields = || {
        filter
            .get("fields")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
    };
    let equals = |dimension: Option<&str>, value: Option<&str>| {
        let column = table
            .columns
            .iter()
            .position(|column| Some(column.as_str()) == dimension);
        match column {
            Some(column) => Ok(Some(row[column].as_str()) == value),
            None => Err(refused(format!(
                "the file has no column `{}` to filter by",
                dimension.unwrap_or_default()
            ))),
        }
    };
    match text("type") {
        Some("selector") => equals(text("dimension"), text("value")),
        Some("equals") => equals(text("column"), text("matchValue")),
        Some("and") => fields().try_fold(true, |all, one| Ok(all && picks(one, table, row)?)),
        Some("or") => fields().try_fold(false, |any, one| Ok(any || picks(one, table, row)?)),
        Some("not") => Ok(!picks(filter.get("field").unwrap_or(&Value::Null), table, row)?),
        other => Err(refused(format!(
            "a filter of the type `{}` is understood by Druid only",
            other.unwrap_or_default()
        ))),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn query(change: Value) -> DruidQuery {
        let mut query = json!({
            "queryType": "timeseries", "dataSource": "store", "granularity": "minute",
            "intervals": "2023-09-28T07:00:00Z/PT10M",
            "aggregations": [
                {"type": "longSum", "name": "bytes", "fieldName": "b"}, {"type": "count", "name": "n"},
                {"type": "doubleMax", "name": "top", "fieldName": "b"}, {"type": "doubleLast", "name": "last", "fieldName": "b"},
            ],
        });
        for (name, value) in change.as_object().unwrap() {
            query[name] = value.clone();
        }
        DruidQuery::read(query.to_string().as_bytes()).unwrap()
    }

    const SEVEN: f64 = 1_695_884_400.0;

    #[test]
    fn points_are_put_into_buckets() {
        let field = FieldPoints {
            name: "b".to_owned(),
            // One before the interval, one at its end, which is not part of it, in disorder.
            times: vec![
                SEVEN + 50.0,
                SEVEN - 1.0,
                SEVEN + 10.0,
                SEVEN + 130.0,
                SEVEN + 600.0,
            ],
            values: vec![4.0, 100.0, 9.0, 1.5, 100.0],
        };
        let table = evaluate(&query(json!({})), &[field], LeftOut::new(), 100).unwrap();
        assert_eq!(table.columns, ["bytes", "n", "top", "last"]);
        assert_eq!(
            table.timestamps,
            ["2023-09-28T07:00:00.000Z", "2023-09-28T07:02:00.000Z"]
        );
        assert_eq!(table.values, [13.0, 2.0, 9.0, 4.0, 1.5, 1.0, 1.5, 1.5]);
    }

    #[test]
    fn what_only_druid_can_do_is_refused() {
        let reason = |change: Value| {
            evaluate(&query(change), &[], LeftOut::new(), 100)
                .expect_err("no answer")
                .reason
        };
        assert_eq!(
            reason(json!({"postAggregations": [{}]})),
            FailureReason::QueryRefused
        );
        let unique = json!([{"type": "hyperUnique", "name": "c", "fieldName": "c"}]);
        assert_eq!(
            reason(json!({"aggregations": unique})),
            FailureReason::QueryRefused
        );
        assert_eq!(reason(json!({})), FailureReason::UnknownMetric);
    }

    #[test]
    fn a_filter_picks_rows_of_a_file() {
        let table = WideCsv {
            columns: vec!["sensor".to_owned(), "b".to_owned()],
            times: vec![1.0, 2.0, 3.0],
            cells: ["A", "1", "B", "2", "A", "x"].map(str::to_owned).to_vec(),
            without_time: 0,
        };
        let selector = json!({"type": "selector", "dimension": "sensor", "value": "A"});
        let fields = of_table(&table, Some(&json!({"type": "and", "fields": [selector]}))).unwrap();
        assert_eq!(fields[1].times, [1.0, 3.0]);
        assert!(fields[1].values[0] == 1.0 && fields[1].values[1].is_nan());
        let fields = of_table(&table, Some(&json!({"type": "not", "field": selector}))).unwrap();
        assert_eq!(fields[1].values, [2.0]);
        assert!(of_table(&table, Some(&json!({"type": "regex"}))).is_err());
    }
}
