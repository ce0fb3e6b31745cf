//! A topology as a document: `{"edges": [["caller", "called"], …]}`; other keys are left alone.

use serde_json::Value;

use super::TopologyError;

/// The calls of a document.
///
/// # Errors
/// [`TopologyError::Malformed`] for one without `edges`, or with an edge that is no pair of names.
pub(super) fn calls(document: &Value, place: &str) -> Result<Vec<(String, String)>, TopologyError> {
    let malformed = |why: &str| TopologyError::Malformed {
        place: place.to_owned(),
        why: why.to_owned(),
    };
    let edges = document.get("edges").and_then(Value::as_array);
    let edges = edges.ok_or_else(|| malformed("`edges` is no list"))?;
    let pair = |edge: &Value| match edge.as_array().map(Vec::as_slice) {
        Some([Value::String(caller), Value::String(called)]) if !caller.is_empty() && !called.is_empty() => {
            Some((caller.clone(), called.clone()))
        }
        _ => None,
    };
    let pairs: Option<Vec<_>> = edges.iter().map(pair).collect();
    pairs.ok_or_else(|| malformed("an edge is no pair of caller and called"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn pairs_of_names_are_calls_and_all_else_is_refused() {
        let good = json!({"nodes": ["a", "b"], "edges": [["a", "b"], ["b", "c"]]});
        let of = |caller: &str, called: &str| (caller.to_owned(), called.to_owned());
        assert_eq!(calls(&good, "f").expect("calls"), [of("a", "b"), of("b", "c")]);
        for bad in [
            json!([]),
            json!({"edges": {}}),
            json!({"edges": [["a"]]}),
            json!({"edges": [["a", ""]]}),
        ] {
            assert!(
                matches!(calls(&bad, "f"), Err(TopologyError::Malformed { .. })),
                "{bad}"
            );
        }
    }
}
