//! The topology that gala-ops' spider keeps in an ArangoDB, over its HTTP interface.
//!
//! The collection `Timestamps` has a document a moment, whose key is that moment in Unix seconds; the edges of the collection `connect` have
//! the moment they are of. The newest moment's edges are read, by AQL with bound variables, in batches. A vertex is called by what
//! stands behind its last `_pod_`, or else behind the slash of its id.

use serde_json::{Value, json};

use super::client::TopologyClient;
use super::{MOST_CALLS, TopologyError};

/// Edges of one answer.
const BATCH: usize = 10_000;
/// The newest moment up to one.
const NEWEST: &str = "FOR moment IN @@moments LET at = TO_NUMBER(moment._key) FILTER at <= @now SORT at DESC LIMIT 1 RETURN at";
/// The edges of a moment.
const EDGES: &str =
    "FOR edge IN @@edges FILTER TO_NUMBER(edge.timestamp) == @at RETURN [edge._from, edge._to]";

/// The calls of the newest moment that is not after `now`, Unix seconds.
///
/// # Errors
/// No answer, or one that is not the database's.
pub(super) fn calls(
    client: &TopologyClient,
    database: &str,
    now: f64,
) -> Result<Vec<(String, String)>, TopologyError> {
    let malformed = |why: String| TopologyError::Malformed {
        place: client.place(),
        why,
    };
    let moments = json!({"@moments": "Timestamps", "now": now.floor() as i64});
    let moments = query(client, database, NEWEST, &moments)?;
    let Some(at) = moments.first().and_then(Value::as_f64) else {
        return Err(malformed("there is no moment in `Timestamps`".to_owned()));
    };
    let edges = query(client, database, EDGES, &json!({"@edges": "connect", "at": at}))?;
    let call = |edge: &Value| {
        let ends = edge.as_array().map(Vec::as_slice);
        match ends {
            Some([Value::String(from), Value::String(to)]) => Ok((vertex(from), vertex(to))),
            _ => Err(malformed(format!("an edge of `connect` has no ends: {edge}"))),
        }
    };
    edges.iter().map(call).collect()
}

/// All results of a query, batch by batch.
fn query(
    client: &TopologyClient,
    database: &str,
    aql: &str,
    bound: &Value,
) -> Result<Vec<Value>, TopologyError> {
    let cursor = format!(
        "/_db/{}/_api/cursor",
        skywatch_alerters::text::percent_encode(database)
    );
    let mut answer = client.post(
        &cursor,
        &json!({"query": aql, "bindVars": bound, "batchSize": BATCH}),
    )?;
    let mut results = Vec::new();
    loop {
        let Some(Value::Array(batch)) = answer.get_mut("result").map(Value::take) else {
            return Err(TopologyError::Malformed {
                place: client.place(),
                why: "an answer has no `result`".to_owned(),
            });
        };
        let is_empty = batch.is_empty();
        results.extend(batch);
        let has_more = answer.get("hasMore").and_then(Value::as_bool).unwrap_or(false);
        let id = answer.get("id").and_then(Value::as_str);
        match id {
            // A server that promises more and gives nothing is not asked for ever.
            Some(id) if has_more && !is_empty && results.len() <= MOST_CALLS => {
                let next = format!("{cursor}/{}", skywatch_alerters::text::percent_encode(id));
                answer = client.post(&next, &json!({}))?;
            }
            _ => return Ok(results),
        }
    }
}

/// What a vertex is called: `host/…_pod_4a9f` is `4a9f`.
fn vertex(id: &str) -> String {
    let name = id.rsplit_once("_pod_").or_else(|| id.split_once('/'));
    name.map_or(id, |(_, name)| name).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vertex_is_called_by_its_pod() {
        assert_eq!(vertex("container/abc_pod_4a9f-11"), "4a9f-11");
        assert_eq!(vertex("host/1fd3"), "1fd3");
        assert_eq!(vertex("bare"), "bare");
    }
}
