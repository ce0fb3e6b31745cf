//! Spans of OTLP as protobuf, unpacked one at a time: what cannot be read costs only itself.

use prost::Message as _;
use prost::bytes::Bytes;

use super::LONGEST_ELEMENT;
use super::resource;
use crate::traces::idl::otlp::{OtlpSpan, ResourceSpans, ScopeSpans};
use crate::traces::ids::{self, SpanId, TraceId};
use crate::traces::intake::SpanBatch;
use crate::traces::refusal::SpanRefusal;
use crate::traces::span::{self, CallSide, PATHS, ReceivedSpan};

/// The status code of what failed.
const FAILED: i32 = 2;

/// Adds all spans of a request.
pub(in crate::traces) fn read(resource_spans: Vec<Bytes>, into: &mut SpanBatch) {
    for bytes in resource_spans {
        let Ok(of_resource) = ResourceSpans::decode(bytes) else {
            into.add(Err(SpanRefusal::Malformed));
            continue;
        };
        let service = resource::service(of_resource.resource.as_ref());
        for bytes in of_resource.scope_spans {
            match ScopeSpans::decode(bytes) {
                Ok(of_scope) => {
                    let spans = of_scope.spans.into_iter();
                    spans.for_each(|bytes| into.add(one(bytes, &service)));
                }
                Err(_) => into.add(Err(SpanRefusal::Malformed)),
            }
        }
    }
}

fn one(bytes: Bytes, service: &std::sync::Arc<str>) -> Result<ReceivedSpan, SpanRefusal> {
    if bytes.len() > LONGEST_ELEMENT {
        return Err(SpanRefusal::TooLarge);
    }
    let read = OtlpSpan::decode(bytes).map_err(|_| SpanRefusal::Malformed)?;
    let parent = match &*read.parent_span_id {
        [] => None,
        bytes => ids::parent(SpanId::of_bytes(bytes))?,
    };
    let path = PATHS.iter().find_map(|key| resource::text(&read.attributes, key));
    let status = read.status.unwrap_or_default();
    Ok(ReceivedSpan {
        trace: TraceId::of_bytes(&read.trace_id)?,
        id: SpanId::of_bytes(&read.span_id)?,
        parent,
        service: service.clone(),
        operation: span::operation(&read.name, path),
        kind: CallSide::of_number(read.kind),
        shared: false,
        start: read.start_time_unix_nano,
        duration: span::between(read.start_time_unix_nano, read.end_time_unix_nano)?,
        failed: status.code == FAILED,
        message: status.message.into(),
    })
}
