//! The interface described for programs, as OpenAPI 3.1.

use std::sync::Arc;

use axum::http::Method;
use axum::response::Json;
use axum::routing::get;
use serde_json::{Map, Value, json};

use super::calls::{ApiCall, ApiParameter};
use super::routes::HttpRoute;

/// Serves the document.
pub(crate) fn route(document: Value) -> HttpRoute {
    let document = Arc::new(document);
    HttpRoute::login(
        "/api/v1/openapi.json",
        get(move || async move { Json(Value::clone(&document)) }),
    )
}

/// The document of these calls.
pub(crate) fn document(calls: &[ApiCall]) -> Value {
    let mut paths = Map::new();
    for call in calls {
        let path = paths.entry(call.path).or_insert_with(|| json!({}));
        path[call.method.as_str().to_ascii_lowercase()] = operation(call);
    }
    json!({
        "openapi": "3.1.0",
        "info": { "title": "Skywatch", "version": env!("CARGO_PKG_VERSION") },
        "components": { "securitySchemes": { "token": { "type": "http", "scheme": "bearer" } } },
        "security": [{ "token": [] }],
        "paths": paths,
    })
}

/// The same where each body may be a form, too.
pub(crate) fn document_with_forms(calls: &[ApiCall]) -> Value {
    let mut document = document(calls);
    for call in calls {
        let operation = &mut document["paths"][call.path][call.method.as_str().to_ascii_lowercase()];
        if let Some(content) = operation.pointer_mut("/requestBody/content") {
            for form in ["application/x-www-form-urlencoded", "multipart/form-data"] {
                content[form] = content["application/json"].clone();
            }
        }
    }
    document
}

fn operation(call: &ApiCall) -> Value {
    let in_path = call
        .path
        .split('/')
        .filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    // Incidents and silences are numbered; what else is named in a path has a name of its own.
    let is_numbered = call.path.contains("/incidents/") || call.path.contains("/silences/");
    let of_path = match is_numbered {
        true => json!({ "type": "integer", "minimum": 0 }),
        false => json!({ "type": "string" }),
    };
    let in_path =
        in_path.map(|name| json!({ "name": name, "in": "path", "required": true, "schema": of_path }));
    let in_query = call.query.iter().map(|parameter| {
        json!({
            "name": parameter.name,
            "in": "query",
            "required": parameter.is_required,
            "description": parameter.about,
            "schema": schema(parameter),
        })
    });
    let good = match call.method {
        Method::DELETE => "204",
        _ if call.answer.starts_with("201") => "201",
        _ => "200",
    };
    let problem = json!({ "description": "What is wrong, as RFC 9457 has it", "content": { "application/problem+json": {} } });
    let content = match good {
        "204" => json!({}),
        _ => json!({ "application/json": {} }),
    };
    let unchanged = json!({ "description": "What `If-None-Match` named is still what there is" });
    let mut operation = json!({
        "summary": call.summary,
        "parameters": in_path.chain(in_query).collect::<Vec<_>>(),
        "responses": {
            good: { "description": call.answer, "content": content },
            "default": problem,
        },
    });
    if call.method == Method::GET {
        operation["responses"]["304"] = unchanged;
    }
    if !call.body.is_empty() {
        let required: Vec<&str> = call
            .body
            .iter()
            .filter(|p| p.is_required)
            .map(|p| p.name)
            .collect();
        let properties: Map<String, Value> = call
            .body
            .iter()
            .map(|parameter| {
                let mut schema = schema(parameter);
                schema["description"] = parameter.about.into();
                (parameter.name.to_owned(), schema)
            })
            .collect();
        operation["requestBody"] = json!({
            "required": true,
            "content": { "application/json": { "schema": {
                "type": "object", "required": required, "properties": properties
            } } },
        });
    }
    operation
}

fn schema(parameter: &ApiParameter) -> Value {
    match parameter.kind {
        "array" => json!({ "type": "array", "items": { "type": "string" } }),
        kind => json!({ "type": kind }),
    }
}
