//! Which addresses caused an outlier: `POST /api/v1/ip_identifier`.

use serde::Deserialize;
use serde_json::{Map, Value, json};
use skywatch_algorithms::Series;
use skywatch_algorithms::causes::{Contribution, contributions};

use super::failure::{FailureReason, OutlierFailure};
use crate::sources::row;

/// The number of an address's rows that counts.
const BYTES: &str = "bytes";
/// Addresses of one outlier that are ranked in the answer.
const RANKED: usize = 20;

/// The fields as they come: JSON within a form, or the payload itself as JSON.
#[derive(Debug, Default, Deserialize)]
pub(super) struct AddressFields {
    payload: Option<Value>,
    outliers: Option<Value>,
    all_ips_data: Option<Value>,
    /// `string`: the answer as a text, as rb-aioutliers gives it.
    compat: Option<String>,
}

/// What is asked.
#[derive(Debug)]
pub(super) struct AddressRequest {
    outliers: Vec<Value>,
    rows: Map<String, Value>,
    /// Whether the answer is to be a text that holds JSON.
    pub(super) as_text: bool,
}

fn wrong(why: impl Into<String>) -> OutlierFailure {
    OutlierFailure::new(FailureReason::BadRequest, why)
}

impl AddressFields {
    /// Reads the fields.
    pub(super) fn read(self) -> Result<AddressRequest, OutlierFailure> {
        let (outliers, rows) = match self.payload {
            None => (self.outliers, self.all_ips_data),
            Some(payload) => {
                let payload = match payload {
                    Value::String(text) => serde_json::from_str(&text).map_err(|error| {
                        OutlierFailure::new(FailureReason::NotJson, format!("`payload` is not JSON: {error}"))
                    })?,
                    payload => payload,
                };
                let Value::Object(mut payload) = payload else {
                    return Err(wrong("`payload` is no JSON object"));
                };
                (payload.remove("outliers"), payload.remove("all_ips_data"))
            }
        };
        match (outliers, rows) {
            (Some(Value::Array(outliers)), Some(Value::Object(rows))) => Ok(AddressRequest {
                outliers,
                rows,
                as_text: self.compat.as_deref() == Some("string"),
            }),
            _ => Err(wrong(
                "Invalid data format: `outliers` is a list, `all_ips_data` an object of lists of rows",
            )),
        }
    }
}

impl AddressRequest {
    /// For each outlier, in order, who caused it and how much each address had to do with it. At most `most` rows are looked
    /// at, times outliers.
    pub(super) fn answer(self, most: usize) -> Result<Value, OutlierFailure> {
        let count: usize = self
            .rows
            .values()
            .map(|rows| rows.as_array().map_or(0, Vec::len))
            .sum();
        if count.max(self.rows.len().saturating_mul(self.outliers.len())) > most {
            let why = format!("there are more than {most} rows, the most of `outliers.max_points`");
            return Err(OutlierFailure::new(FailureReason::TooManyPoints, why));
        }
        if count == 0 {
            return Err(OutlierFailure::new(
                FailureReason::NoRows,
                "`all_ips_data` holds no rows",
            ));
        }
        let (names, series): (Vec<String>, Vec<Series>) = self
            .rows
            .iter()
            .map(|(address, rows)| Ok((address.clone(), series(address, rows)?)))
            .collect::<Result<Vec<_>, OutlierFailure>>()?
            .into_iter()
            .unzip();
        let windows: Vec<_> = series.iter().map(Series::sorted_window).collect();
        let of_one = |outlier: &Value| {
            let timestamp = outlier.get("timestamp").cloned().unwrap_or(Value::Null);
            let time = time_of(&timestamp).ok_or_else(|| wrong("an outlier has no `timestamp`"))?;
            Ok(described(&names, timestamp, &contributions(&windows, time)))
        };
        let ips: Result<Vec<Value>, OutlierFailure> = self.outliers.iter().map(of_one).collect();
        Ok(json!({ "ips": ips? }))
    }
}

fn described(names: &[String], timestamp: Value, all: &[Contribution]) -> Value {
    let causes = all.iter().filter(|one| one.is_cause).map(|one| &names[one.part]);
    let ranked = all.iter().take(RANKED).map(|one| {
        json!({
            "ip": names[one.part],
            "share": one.share,
            "observed": one.observed,
            "expected": one.usual,
        })
    });
    json!({
        "timestamp": timestamp,
        "caused_by": causes.collect::<Vec<_>>(),
        "ranking": ranked.collect::<Vec<_>>(),
    })
}

fn time_of(timestamp: &Value) -> Option<f64> {
    match timestamp {
        Value::String(text) => row::time(text),
        Value::Number(number) => row::time(&number.to_string()),
        _ => None,
    }
}

/// The bytes of one address over time; a row without bytes has none.
fn series(address: &str, rows: &Value) -> Result<Series, OutlierFailure> {
    let rows = rows.as_array().ok_or_else(|| {
        wrong(format!(
            "Invalid data format: the rows of `{address}` are no list"
        ))
    })?;
    let mut series = Series::default();
    for one in rows {
        let time = one.get("timestamp").and_then(time_of);
        let time = time.ok_or_else(|| wrong(format!("a row of `{address}` has no `timestamp`")))?;
        let bytes = one.get("result").and_then(|result| result.get(BYTES));
        series.push(time, bytes.and_then(Value::as_f64).unwrap_or(0.0));
    }
    series.canonicalise(f64::INFINITY);
    Ok(series)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(bytes: &[u64]) -> Value {
        let row = |(minute, bytes): (usize, &u64)| json!({"timestamp": format!("2023-09-28T07:{minute:02}:00Z"), "result": {"bytes": bytes}});
        bytes.iter().enumerate().map(row).collect()
    }

    #[test]
    fn the_address_that_brought_more_is_named() {
        let mut loud = [100; 30];
        loud[20] = 9_000;
        let payload = json!({
            "outliers": [{"timestamp": "2023-09-28T07:20:00.000Z", "expected": 1.0}, {"timestamp": "2023-09-28T07:10:00Z"}],
            "all_ips_data": {"10.0.0.1": rows(&[500; 30]), "10.0.0.2": rows(&loud), "10.0.0.3": []},
        });
        let fields = json!({"payload": payload.to_string(), "compat": "string"});
        let request = serde_json::from_value::<AddressFields>(fields)
            .unwrap()
            .read()
            .unwrap();
        assert!(request.as_text);
        let answer = request.answer(100).unwrap();
        assert_eq!(answer["ips"][0]["caused_by"], json!(["10.0.0.2"]));
        assert_eq!(answer["ips"][0]["ranking"][0]["expected"], 100.0);
        assert_eq!(answer["ips"][1]["caused_by"], json!([]));
    }

    #[test]
    fn what_is_no_payload_has_its_reason() {
        let reason = |fields: Value| {
            let read = serde_json::from_value::<AddressFields>(fields).unwrap().read();
            read.and_then(|request| request.answer(10))
                .expect_err("no answer")
                .reason
        };
        assert_eq!(reason(json!({})), FailureReason::BadRequest);
        assert_eq!(reason(json!({"payload": "{"})), FailureReason::NotJson);
        assert_eq!(
            reason(json!({"outliers": {}, "all_ips_data": {}})),
            FailureReason::BadRequest
        );
        assert_eq!(
            reason(json!({"outliers": [], "all_ips_data": {}})),
            FailureReason::NoRows
        );
        assert_eq!(
            reason(json!({"outliers": [], "all_ips_data": {"a": rows(&[1; 11])}})),
            FailureReason::TooManyPoints
        );
        assert_eq!(
            reason(json!({"outliers": [7], "all_ips_data": {"a": rows(&[1])}})),
            FailureReason::BadRequest
        );
    }
}
