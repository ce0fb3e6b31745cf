//! What a request asks: a form of either kind, or JSON, with texts in base64 as rb-aioutliers wants them.

use axum::body::Bytes;
use axum::extract::{Form, FromRequest as _, Json, Request};
use axum::http::{StatusCode, header};
use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde::Deserialize;
use serde_json::Value;
use skywatch_settings::ShallowDetector;

use super::failure::{FailureReason, OutlierFailure};
use crate::net::multipart::{self, MultipartError};
use crate::sources::druid::DruidQuery;

/// Base64 with its padding or without.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The fields as they come.
#[derive(Debug, Default, Deserialize)]
pub(super) struct OutlierFields {
    query: Option<Value>,
    data: Option<Value>,
    model: Option<String>,
    metric: Option<String>,
    detector: Option<String>,
    sensitivity: Option<Value>,
}

/// What is asked.
#[derive(Debug, Default)]
pub(super) struct OutlierRequest {
    /// What to ask the source for; also with rows, as its filter names the sensor.
    pub(super) query: Option<DruidQuery>,
    /// The rows themselves, JSON.
    pub(super) rows: Option<Vec<u8>>,
    /// The name of a model.
    pub(super) model: Option<String>,
    /// The column that is judged, or of a model whose expected values are told.
    pub(super) metric: Option<String>,
    /// Asks for a detector without a model.
    pub(super) detector: Option<ShallowDetector>,
    /// That of the detector `forest`.
    pub(super) sensitivity: Option<f64>,
}

/// The fields of a request, whichever way they come.
pub(super) async fn fields<T: for<'d> Deserialize<'d>>(request: Request) -> Result<T, OutlierFailure> {
    let kind = request.headers().get(header::CONTENT_TYPE);
    if let Some(boundary) = kind.and_then(|kind| multipart::boundary(kind.to_str().ok()?)) {
        let boundary = boundary.map(str::to_owned);
        return fields_of_parts(request, boundary).await;
    }
    let is_json = kind.is_some_and(|kind| {
        kind.as_bytes()
            .to_ascii_lowercase()
            .starts_with(b"application/json")
    });
    let (status, why) = if is_json {
        match Json::<T>::from_request(request, &()).await {
            Ok(Json(fields)) => return Ok(fields),
            Err(rejection) => (rejection.status(), rejection.body_text()),
        }
    } else {
        match Form::<T>::from_request(request, &()).await {
            Ok(Form(fields)) => return Ok(fields),
            Err(rejection) => (rejection.status(), rejection.body_text()),
        }
    };
    let reason = match status {
        StatusCode::PAYLOAD_TOO_LARGE => FailureReason::TooLarge,
        _ if is_json => FailureReason::NotJson,
        _ => FailureReason::BadRequest,
    };
    Err(OutlierFailure::new(reason, why))
}

/// The fields of a form in parts.
async fn fields_of_parts<T: for<'d> Deserialize<'d>>(
    request: Request,
    boundary: Result<String, MultipartError>,
) -> Result<T, OutlierFailure> {
    let malformed = |why: String| OutlierFailure::new(FailureReason::BadRequest, why);
    let body = match Bytes::from_request(request, &()).await {
        Ok(body) => body,
        Err(rejection) if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE => {
            return Err(OutlierFailure::new(
                FailureReason::TooLarge,
                rejection.body_text(),
            ));
        }
        Err(rejection) => return Err(malformed(rejection.body_text())),
    };
    let fields = boundary.and_then(|boundary| {
        let fields = multipart::fields(&body, &boundary)?.into_iter();
        let texts = fields.map(|(name, text)| (name.to_owned(), Value::String(text.to_owned())));
        Ok(Value::Object(texts.collect()))
    });
    let fields = fields.map_err(|error| malformed(error.to_string()))?;
    serde_json::from_value(fields).map_err(|error| malformed(error.to_string()))
}

impl OutlierFields {
    /// Decodes the fields: milliseconds a megabyte.
    pub(super) fn read(self) -> Result<OutlierRequest, OutlierFailure> {
        let query = match self.query {
            None | Some(Value::Null) => None,
            Some(Value::Object(fields)) => Some(DruidQuery::of(fields)?),
            Some(Value::String(text)) if text.is_empty() => None,
            Some(Value::String(text)) => Some(DruidQuery::read(&decoded("query", &text)?)?),
            Some(_) => return Err(misshapen("query", "base64 of a query, or a query")),
        };
        let rows = match self.data {
            None | Some(Value::Null) => None,
            Some(rows @ Value::Array(_)) => Some(rows.to_string().into_bytes()),
            Some(Value::String(text)) if text.is_empty() => None,
            Some(Value::String(text)) => Some(decoded("data", &text)?),
            Some(_) => return Err(misshapen("data", "base64 of rows, or a list of rows")),
        };
        if query.is_none() && rows.is_none() {
            let why = "neither `query` nor `data` is there; both are base64 of JSON, as a form or in JSON";
            return Err(OutlierFailure::new(FailureReason::NoData, why));
        }
        let model = self.model.filter(|model| !model.is_empty()).map(|text| {
            String::from_utf8(decoded("model", &text)?).map_err(|_| misshapen("model", "base64 of a name"))
        });
        let detector = match self.detector.as_deref() {
            None | Some("") => None,
            Some("scales") => Some(ShallowDetector::Scales),
            Some("forest") => Some(ShallowDetector::Forest),
            Some(_) => return Err(misshapen("detector", "`scales` or `forest`")),
        };
        let sensitivity = match &self.sensitivity {
            None | Some(Value::Null) => None,
            Some(Value::Number(number)) => number.as_f64(),
            Some(Value::String(text)) => text.parse().ok(),
            Some(_) => Some(f64::NAN),
        };
        if sensitivity.is_some_and(|share| !(0.0..=1.0).contains(&share))
            || (sensitivity.is_none()
                && matches!(&self.sensitivity, Some(Value::String(text)) if !text.is_empty()))
        {
            return Err(misshapen("sensitivity", "a number from 0 to 1"));
        }
        Ok(OutlierRequest {
            query,
            rows,
            model: model.transpose()?,
            metric: self.metric.filter(|metric| !metric.is_empty()),
            detector,
            sensitivity,
        })
    }
}

fn misshapen(field: &str, expected: &str) -> OutlierFailure {
    OutlierFailure::new(
        FailureReason::BadRequest,
        format!("`{field}` cannot be read: expected {expected}"),
    )
}

/// The bytes of a text in base64, also where a form has made its `+` into blanks, or where it is of the kind for addresses.
fn decoded(field: &str, text: &str) -> Result<Vec<u8>, OutlierFailure> {
    let usual: Vec<u8> = text
        .bytes()
        .filter(|byte| !matches!(byte, b'\r' | b'\n'))
        .map(|byte| match byte {
            b' ' | b'-' => b'+',
            b'_' => b'/',
            byte => byte,
        })
        .collect();
    BASE64.decode(usual).map_err(|error| {
        OutlierFailure::new(
            FailureReason::NotBase64,
            format!("`{field}` is not base64: {error}"),
        )
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(fields: Value) -> Result<OutlierRequest, OutlierFailure> {
        serde_json::from_value::<OutlierFields>(fields).unwrap().read()
    }

    fn reason(fields: Value) -> FailureReason {
        read(fields).expect_err("it cannot be read").reason
    }

    #[test]
    fn texts_come_in_base64_however_they_were_carried() {
        // `[{"a":">>>?"}]` has both of the letters that the two alphabets differ in.
        for text in [
            "W3siYSI6Ij4+Pj8ifV0=",
            "W3siYSI6Ij4 Pj8ifV0",
            "W3siYSI6Ij4-Pj8ifV0=",
            "W3siYSI6\r\nIj4+Pj8ifV0=",
        ] {
            let request = read(json!({"data": text, "model": "dHJhZmZpYw=="})).unwrap();
            assert_eq!(request.rows.as_deref(), Some(&br#"[{"a":">>>?"}]"#[..]), "{text}");
            assert_eq!(request.model.as_deref(), Some("traffic"));
        }
        let plain = read(json!({"data": [1], "sensitivity": "0.5", "detector": "forest"})).unwrap();
        assert_eq!(
            (plain.rows, plain.sensitivity),
            (Some(b"[1]".to_vec()), Some(0.5))
        );
    }

    #[test]
    fn what_is_wrong_has_its_reason() {
        assert_eq!(reason(json!({})), FailureReason::NoData);
        assert_eq!(reason(json!({"data": ""})), FailureReason::NoData);
        assert_eq!(reason(json!({"data": "§"})), FailureReason::NotBase64);
        assert_eq!(
            reason(json!({"data": [], "model": "***"})),
            FailureReason::NotBase64
        );
        assert_eq!(reason(json!({"query": "e30="})), FailureReason::QueryRefused);
        assert_eq!(reason(json!({"query": "ew=="})), FailureReason::NotJson);
        assert_eq!(reason(json!({"data": 7})), FailureReason::BadRequest);
        assert_eq!(
            reason(json!({"data": [], "detector": "best"})),
            FailureReason::BadRequest
        );
        for wrong in [json!(2), json!("much"), json!([])] {
            assert_eq!(
                reason(json!({"data": [], "sensitivity": wrong})),
                FailureReason::BadRequest
            );
        }
    }
}
