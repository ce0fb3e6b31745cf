//! Why a span, or a request as a whole, was not taken.

/// Why a span was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(usize)]
pub(super) enum SpanRefusal {
    /// Not a span in the protocol's form.
    Malformed,
    /// Larger than any span may be.
    TooLarge,
    /// The trace's id has another length, or digits that are none.
    BadTraceId,
    /// The trace's id is all zeros.
    ZeroTraceId,
    /// The span's id has another length, or digits that are none.
    BadSpanId,
    /// The span's id is all zeros.
    ZeroSpanId,
    /// The parent's id has another length, or digits that are none.
    BadParentId,
    /// It names itself as its parent.
    OwnParent,
    /// It has no time of start.
    NoStart,
    /// It ends before it starts.
    EndBeforeStart,
    /// One more than a trace may have.
    TooManySpans,
    /// Its trace was complete, and judged, already.
    Late,
}

impl SpanRefusal {
    /// All of them, in the order of their counters.
    pub(super) const ALL: [Self; 12] = [
        Self::Malformed,
        Self::TooLarge,
        Self::BadTraceId,
        Self::ZeroTraceId,
        Self::BadSpanId,
        Self::ZeroSpanId,
        Self::BadParentId,
        Self::OwnParent,
        Self::NoStart,
        Self::EndBeforeStart,
        Self::TooManySpans,
        Self::Late,
    ];

    /// As it stands in counters, answers and logs.
    #[must_use]
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::TooLarge => "too_large",
            Self::BadTraceId => "bad_trace_id",
            Self::ZeroTraceId => "zero_trace_id",
            Self::BadSpanId => "bad_span_id",
            Self::ZeroSpanId => "zero_span_id",
            Self::BadParentId => "bad_parent_id",
            Self::OwnParent => "own_parent",
            Self::NoStart => "no_start",
            Self::EndBeforeStart => "end_before_start",
            Self::TooManySpans => "too_many_spans",
            Self::Late => "late",
        }
    }
}

/// Why a request as a whole was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(usize)]
pub(super) enum RequestRefusal {
    /// It cannot be read.
    BadRequest,
    /// Larger than `traces.max_request_bytes`.
    TooLarge,
    /// Larger than that once it is unpacked.
    InflatesTooLarge,
    /// Packed or written in a way that is not spoken here.
    UnknownEncoding,
    /// It broke off.
    Unfinished,
    /// A page in a browser has sent it.
    OfAPage,
    /// There was no room; its sender was asked to send it again.
    TurnedAway,
}

impl RequestRefusal {
    /// All of them, in the order of their counters.
    pub(super) const ALL: [Self; 7] = [
        Self::BadRequest,
        Self::TooLarge,
        Self::InflatesTooLarge,
        Self::UnknownEncoding,
        Self::Unfinished,
        Self::OfAPage,
        Self::TurnedAway,
    ];

    /// As it stands in counters and logs.
    #[must_use]
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::BadRequest => "bad_request",
            Self::TooLarge => "too_large",
            Self::InflatesTooLarge => "inflates_too_large",
            Self::UnknownEncoding => "unknown_encoding",
            Self::Unfinished => "unfinished",
            Self::OfAPage => "of_a_page",
            Self::TurnedAway => "turned_away",
        }
    }
}
