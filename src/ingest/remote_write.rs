//! Prometheus' remote write 1.0: `POST /api/v1/write`, a snappy-compressed protobuf.
//!
//! Answers are what a sender acts on. 204: queued. 400, 413, 415: sending the same again is of no use, and it is not
//! sent again. 503: the queue stayed full, send it again; 429 would say the same in better words, but by default a
//! Prometheus throws away what is answered with it. Points that cannot be taken (too old, not finite, skipped) are
//! counted by reason and do not spoil the others of their request.

mod message;

use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::State;
use axum::extract::connect_info::ConnectInfo;
use axum::extract::rejection::BytesRejection;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use tokio::net::TcpListener;
use tokio::time::{Instant, timeout_at};

use super::counters::DropReason;
use super::intake::{BatchBuilder, Intake};
use crate::metric_name;
use crate::net::TimeLimits;
use crate::net::access::ListenerAccess;
use crate::net::guard::is_of_a_page;
use crate::net::http::{self, HttpListener, Peer};
use crate::net::routes::{HttpRoute, ListenerRules, compose};
use message::each_series;
pub(super) use message::{RemoteLabel, RemoteSample, TimeSeries, WriteRequest, laws};

/// How long a request waits for room in the queue. Senders wait 30 s by default.
const LONGEST_WAIT: Duration = Duration::from_secs(10);
/// Seconds after which a sender may try again: a hiccup of the store is over by then.
const RETRY_AFTER: &str = "5";
/// How long requests under way may take after stop.
const LAST_REQUESTS: Duration = Duration::from_millis(800);
/// The value with which Prometheus marks that a series has ended.
const STALE_MARKER: u64 = 0x7ff0_0000_0000_0002;

/// Serves requests until `stop` completes and those under way are answered.
pub(super) async fn serve(
    listener: TcpListener,
    intake: Intake,
    access: ListenerAccess,
    stop: impl Future<Output = ()> + Send + 'static,
) {
    if let Ok(address) = listener.local_addr() {
        access.warn_if_readable("remote_write", address, "ingest.remote_write_");
    }
    let rules = ListenerRules {
        max_body: intake.max_request,
        tokens: access.tokens,
        ..ListenerRules::default()
    };
    let app = compose(routes(&intake), rules);
    let clients = HttpListener {
        listener,
        tls: access.tls,
        slots: Arc::clone(&intake.connections),
        // The largest request over a slow line, and the wait for room in the queue.
        limits: TimeLimits {
            silence: intake.idle_timeout,
            request: intake.idle_timeout.max(LONGEST_WAIT * 2),
            reading_is_work: true,
        },
        events: intake,
    };
    http::serve(clients, app, stop, LAST_REQUESTS).await;
}

fn routes(intake: &Intake) -> [HttpRoute; 1] {
    [HttpRoute::login(
        "/api/v1/write",
        post(write).with_state(intake.clone()),
    )]
}

async fn write(
    State(intake): State<Intake>,
    ConnectInfo(Peer(peer)): ConnectInfo<Peer>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let intake = Intake {
        peer: Some(peer),
        ..intake
    };
    let refuse = |reason: DropReason, status: StatusCode, why: String| {
        let mut builder = intake.begin();
        builder.refuse(reason, why.as_bytes());
        builder.finish();
        (status, why + "\n").into_response()
    };
    if is_of_a_page(&headers) {
        let why = "a page in a browser may not write points";
        return refuse(DropReason::BadFrame, StatusCode::FORBIDDEN, why.to_owned());
    }
    let body = match body {
        Ok(body) => body,
        Err(error) if error.status() == StatusCode::PAYLOAD_TOO_LARGE => {
            return refuse(DropReason::FrameTooLong, error.status(), error.body_text());
        }
        Err(error) => return refuse(DropReason::Unfinished, StatusCode::BAD_REQUEST, error.body_text()),
    };
    let says = |name, word: &str| {
        let value = headers.get(name).and_then(|value| value.to_str().ok());
        value.map(|value| value.to_ascii_lowercase().contains(word))
    };
    if says(header::CONTENT_ENCODING, "snappy") == Some(false)
        || says(header::CONTENT_TYPE, "io.prometheus.write.v2") == Some(true)
    {
        let why = "expected remote write 1.0: `Content-Encoding: snappy`, message `prometheus.WriteRequest`";
        return refuse(
            DropReason::BadFrame,
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            why.to_owned(),
        );
    }
    let full = |points: u64| {
        intake.drop_points(DropReason::TurnedAway, points, b"");
        let why = "the queue is full: the store does not keep up or does not answer\n";
        (
            StatusCode::SERVICE_UNAVAILABLE,
            [(header::RETRY_AFTER, RETRY_AFTER)],
            why,
        )
            .into_response()
    };
    let due = Instant::now() + LONGEST_WAIT;
    // Unpacked, it may be many times as large: few at a time are.
    let Ok(Ok(_unpacking)) = timeout_at(due, intake.unpacking.acquire()).await else {
        return full(0);
    };
    let (batch, taken) = {
        let mut builder = intake.begin();
        let taken = take_compressed(&body, intake.max_request, &mut builder);
        (builder.finish(), taken)
    };
    if let Err(wrong) = taken {
        // A sender does not send again what is refused for good: the points before what is wrong are kept.
        let points = batch.len() as u64;
        if timeout_at(due, intake.wait_in(batch)).await.is_err() {
            intake.drop_points(DropReason::TurnedAway, points, b"");
        }
        return refuse(wrong.reason, wrong.status, wrong.why);
    }
    let points = batch.len() as u64;
    match timeout_at(due, intake.wait_in(batch)).await {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(_) => full(points),
    }
}

/// Why a request as a whole is refused.
#[derive(Debug)]
struct RefusedRequest {
    reason: DropReason,
    status: StatusCode,
    why: String,
}

impl RefusedRequest {
    fn bad(why: impl std::fmt::Display) -> Self {
        Self {
            reason: DropReason::BadFrame,
            status: StatusCode::BAD_REQUEST,
            why: why.to_string(),
        }
    }
}

fn take_compressed(body: &[u8], most: usize, into: &mut BatchBuilder<'_>) -> Result<(), RefusedRequest> {
    let length = snap::raw::decompress_len(body).map_err(RefusedRequest::bad)?;
    if length > most {
        return Err(RefusedRequest {
            reason: DropReason::FrameTooLong,
            status: StatusCode::PAYLOAD_TOO_LARGE,
            why: format!("{length} bytes decompressed; `ingest.max_request_bytes` is {most}"),
        });
    }
    let message = snap::raw::Decoder::new()
        .decompress_vec(body)
        .map_err(RefusedRequest::bad)?;
    let mut whole = String::new();
    each_series(&message, &mut |series| match series {
        Ok(series) => take_series(series, &mut whole, into),
        Err(why) => into.refuse(DropReason::Malformed, why.as_bytes()),
    })
    .map_err(RefusedRequest::bad)
}

fn take_series(series: &TimeSeries, whole: &mut String, into: &mut BatchBuilder<'_>) {
    let labels = series
        .labels
        .iter()
        .map(|label| (label.name.as_str(), label.value.as_str()));
    let named = metric_name::of_labels(labels, whole)
        .then_some(())
        .ok_or(DropReason::BadName);
    for sample in &series.samples {
        let time = sample.timestamp as f64 / 1_000.0;
        match named {
            Err(reason) => into.refuse(reason, b"a series without `__name__`"),
            Ok(()) if sample.value.to_bits() == STALE_MARKER => into.ended(whole, time, whole.as_bytes()),
            Ok(()) => into.point(whole, time, sample.value, whole.as_bytes()),
        }
    }
    for _ in &series.histograms {
        into.refuse(DropReason::Unsupported, whole.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{self, counter, points, time};
    use super::*;
    use crate::sender_mark::{MarkKind, SenderMark};
    use proptest::prelude::*;
    use prost::Message as _;

    fn series(labels: &[(&str, &str)], samples: &[(f64, i64)]) -> TimeSeries {
        let label = |(name, value): &(&str, &str)| RemoteLabel {
            name: (*name).to_owned(),
            value: (*value).to_owned(),
        };
        TimeSeries {
            labels: labels.iter().map(label).collect(),
            samples: samples
                .iter()
                .map(|&(value, timestamp)| RemoteSample { value, timestamp })
                .collect(),
            histograms: Vec::new(),
        }
    }

    fn post(intake: &Intake, headers: &[(header::HeaderName, &str)], body: Vec<u8>) -> StatusCode {
        let headers = headers
            .iter()
            .map(|(name, value)| (name.clone(), value.parse().expect("a header")))
            .collect();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        runtime.block_on(async {
            let peer = ConnectInfo(Peer(std::net::SocketAddr::from(([192, 0, 2, 7], 9))));
            write(State(intake.clone()), peer, headers, Ok(Bytes::from(body)))
                .await
                .status()
        })
    }

    fn packed(request: &WriteRequest) -> Vec<u8> {
        snap::raw::Encoder::new()
            .compress_vec(&request.encode_to_vec())
            .expect("snappy")
    }

    #[test]
    fn samples_become_points_and_the_rest_counted_drops() {
        let (intake, receive) = testing::intake();
        let at = time() as i64 * 1_000;
        let mut unsupported = series(&[("__name__", "h")], &[]);
        unsupported.histograms.push(vec![1, 2]);
        let request = WriteRequest {
            series: vec![
                series(
                    &[("__name__", "up"), ("job", "a b"), ("instance", "x:1")],
                    &[(1.0, at - 500), (2.0, at)],
                ),
                series(
                    &[("__name__", "ended")],
                    &[(f64::from_bits(STALE_MARKER), at), (f64::NAN, at)],
                ),
                series(&[("job", "nameless")], &[(1.0, at)]),
                series(&[("__name__", "old")], &[(1.0, 1_000)]),
                unsupported,
            ],
        };
        assert_eq!(post(&intake, &[], packed(&request)), StatusCode::NO_CONTENT);
        let name = "up;instance=x:1;job=a%20b".to_owned();
        let seconds = at as f64 / 1_000.0;
        let batch = receive.try_recv().expect("a batch");
        assert_eq!(
            points(&batch),
            [(name.clone(), seconds - 0.5, 1.0), (name, seconds, 2.0)]
        );
        for reason in ["stale_marker", "not_finite", "bad_name", "too_old", "unsupported"] {
            assert_eq!(counter(&intake, &format!("dropped.{reason}")), 1, "{reason}");
        }
        assert_eq!(counter(&intake, "received"), 7);
    }

    /// A field of a message within a message.
    fn field(tag: u8, bytes: &[u8]) -> Vec<u8> {
        let length = u8::try_from(bytes.len()).expect("a short field");
        [&[tag << 3 | 2, length][..], bytes].concat()
    }

    #[test]
    fn a_series_or_sample_that_cannot_be_read_costs_only_itself() {
        let (intake, receive) = testing::intake();
        let at = time() as i64 * 1_000;
        let good = |name| field(1, &series(&[("__name__", name)], &[(1.0, at)]).encode_to_vec());
        let label = field(1, &[field(1, b"__name__"), field(2, b"half")].concat());
        let sample = |value| field(2, &RemoteSample { value, timestamp: at }.encode_to_vec());
        let broken_sample = field(2, b"\x09half");
        for (bad, lost, kept) in [
            // No UTF-8 in a label; no label; no message; half a label.
            (
                field(1, &field(1, &[field(1, b"__name__"), field(2, b"\xff")].concat())),
                1,
                0,
            ),
            (field(1, b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"), 1, 0),
            (vec![0x08, 7], 1, 0),
            (field(1, b"\x0a\x7f"), 1, 0),
            // A sample that cannot be read, before and behind one that can; one whose end is not known.
            (
                field(1, &[&label[..], &broken_sample, &sample(5.0)].concat()),
                1,
                1,
            ),
            (
                field(
                    1,
                    &[&label[..], &sample(5.0), &broken_sample, &sample(6.0)].concat(),
                ),
                1,
                2,
            ),
            (field(1, &[&label[..], &sample(5.0), b"\x12\x7f"].concat()), 1, 1),
            (field(1, &[&label[..], b"\x10\x05", &sample(5.0)].concat()), 1, 1),
        ] {
            let before = counter(&intake, "dropped.malformed") + counter(&intake, "dropped.bad_name");
            let message = [good("before"), bad.clone(), good("after")].concat();
            let body = snap::raw::Encoder::new().compress_vec(&message).expect("snappy");
            assert_eq!(post(&intake, &[], body), StatusCode::NO_CONTENT, "{bad:?}");
            let names: Vec<String> = points(&receive.try_recv().expect("a batch"))
                .into_iter()
                .map(|point| point.0)
                .collect();
            let half = std::iter::repeat_n("half", kept);
            let expected: Vec<&str> = ["before"].into_iter().chain(half).chain(["after"]).collect();
            assert_eq!(names, expected, "{bad:?}");
            let after = counter(&intake, "dropped.malformed") + counter(&intake, "dropped.bad_name");
            assert_eq!(after - before, lost, "{bad:?}");
        }
    }

    #[test]
    fn what_is_said_instead_of_a_number_goes_along() {
        let (intake, receive) = testing::intake();
        let at = time() as i64 * 1_000;
        let send = |value| {
            let request = WriteRequest {
                series: vec![series(&[("__name__", "a")], &[(value, at)])],
            };
            assert_eq!(post(&intake, &[], packed(&request)), StatusCode::NO_CONTENT);
            receive.try_recv().ok()
        };
        // Of a metric without a point there is nothing to say.
        assert!(send(f64::from_bits(STALE_MARKER)).is_none());
        assert_eq!(
            send(1.0).map(|batch| (batch.len(), batch.said().len())),
            Some((1, 0))
        );
        for (value, word) in [
            (f64::NAN, MarkKind::NoNumber),
            (f64::from_bits(STALE_MARKER), MarkKind::Ended),
        ] {
            let batch = send(value).expect("a batch");
            let time = at as f64 / 1_000.0;
            assert_eq!(batch.said(), [("a".to_owned(), SenderMark { kind: word, time })]);
            assert_eq!(batch.len(), 0);
        }
    }

    #[test]
    fn what_cannot_be_read_is_refused_for_good() {
        let (intake, _receive) = testing::intake();
        let good = packed(&WriteRequest {
            series: vec![series(&[("__name__", "a")], &[(1.0, 1)])],
        });
        let huge = snap::raw::Encoder::new()
            .compress_vec(&vec![0; 200_000])
            .expect("snappy");
        let v2 = "application/x-protobuf;proto=io.prometheus.write.v2.Request";
        for (headers, body, status) in [
            (&[][..], b"no snappy".to_vec(), StatusCode::BAD_REQUEST),
            (
                &[],
                snap::raw::Encoder::new()
                    .compress_vec(b"\x0a\xff")
                    .expect("snappy"),
                StatusCode::BAD_REQUEST,
            ),
            (&[], huge, StatusCode::PAYLOAD_TOO_LARGE),
            (
                &[(header::CONTENT_ENCODING, "gzip")],
                good.clone(),
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
            ),
            (
                &[(header::CONTENT_TYPE, v2)],
                good.clone(),
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
            ),
            (
                &[(header::CONTENT_ENCODING, "snappy")],
                good.clone(),
                StatusCode::NO_CONTENT,
            ),
        ] {
            assert_eq!(post(&intake, headers, body), status);
        }
        assert_eq!(counter(&intake, "dropped.bad_frame"), 4);
        assert_eq!(counter(&intake, "dropped.frame_too_long"), 1);
    }

    proptest! {
        #[test]
        fn any_bytes_keep_the_laws(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
            laws(&bytes);
        }

        #[test]
        fn what_prost_writes_is_read(all in prop::collection::vec((".{0,9}", ".{0,9}", any::<f64>(), any::<i64>()), 0..9), cut in any::<prop::sample::Index>()) {
            let request = WriteRequest {
                series: all.iter().map(|(k, v, value, at)| series(&[(k, v)], &[(*value, *at)])).collect(),
            };
            let bytes = request.encode_to_vec();
            laws(&bytes);
            laws(&bytes[..cut.index(bytes.len() + 1)]);
            laws(&packed(&request));
        }
    }
}
