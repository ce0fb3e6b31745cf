//! What a metric's sender said instead of a number: that the series has ended, or that it has no number at the moment.
//!
//! The ingest writes it under a small key of the store, the analyzer asks for those of metrics from which nothing comes:
//! who says that there is nothing has not fallen silent. Both may run in different processes, at times one without the
//! other; what is said therefore has its time, and counts only if no point is younger.

/// What was said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MarkKind {
    /// The series has ended.
    Ended,
    /// It goes on, but there is no number: NaN or an infinity.
    NoNumber,
}

/// The last that was said, and when, Unix seconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct SenderMark {
    pub(crate) kind: MarkKind,
    pub(crate) time: f64,
}

/// Where it lies.
pub(crate) fn key(metric: &str) -> String {
    format!("skywatch.said.{metric}")
}

impl SenderMark {
    /// As it is stored.
    pub(crate) fn write(self) -> String {
        let kind = match self.kind {
            MarkKind::Ended => "ended",
            MarkKind::NoNumber => "no_number",
        };
        format!("{kind} {}", self.time)
    }

    /// What was stored; `None` if it is something else.
    pub(crate) fn read(stored: &[u8]) -> Option<Self> {
        let (kind, time) = str::from_utf8(stored).ok()?.split_once(' ')?;
        let kind = match kind {
            "ended" => MarkKind::Ended,
            "no_number" => MarkKind::NoNumber,
            _ => return None,
        };
        let time: f64 = time.parse().ok()?;
        time.is_finite().then_some(Self { kind, time })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        for kind in [MarkKind::Ended, MarkKind::NoNumber] {
            let said = SenderMark {
                kind,
                time: 1_700_000_000.25,
            };
            assert_eq!(SenderMark::read(said.write().as_bytes()), Some(said));
        }
        for other in ["", "ended", "ended x", "ended inf", "went 1", "\u{fffd}"] {
            assert_eq!(SenderMark::read(other.as_bytes()), None, "{other}");
        }
        assert_eq!(SenderMark::read(b"ended \xff"), None);
    }
}
