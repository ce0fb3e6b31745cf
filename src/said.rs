//! What a metric's sender said instead of a number: that the series has ended, or that it has no number at the moment.
//!
//! The ingest writes it under a small key of the store, the analyzer asks for those of metrics from which nothing comes:
//! who says that there is nothing has not fallen silent. Both may run in different processes, at times one without the
//! other; what is said therefore has its time, and counts only if no point is younger.

/// What was said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Word {
    /// The series has ended.
    Ended,
    /// It goes on, but there is no number: NaN or an infinity.
    NoNumber,
}

/// The last that was said, and when, Unix seconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Said {
    pub(crate) word: Word,
    pub(crate) time: f64,
}

/// Where it lies.
pub(crate) fn key(metric: &str) -> String {
    format!("skywatch.said.{metric}")
}

impl Said {
    /// As it is stored.
    pub(crate) fn write(self) -> String {
        let word = match self.word {
            Word::Ended => "ended",
            Word::NoNumber => "no_number",
        };
        format!("{word} {}", self.time)
    }

    /// What was stored; `None` if it is something else.
    pub(crate) fn read(stored: &[u8]) -> Option<Self> {
        let (word, time) = str::from_utf8(stored).ok()?.split_once(' ')?;
        let word = match word {
            "ended" => Word::Ended,
            "no_number" => Word::NoNumber,
            _ => return None,
        };
        let time: f64 = time.parse().ok()?;
        time.is_finite().then_some(Self { word, time })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        for word in [Word::Ended, Word::NoNumber] {
            let said = Said {
                word,
                time: 1_700_000_000.25,
            };
            assert_eq!(Said::read(said.write().as_bytes()), Some(said));
        }
        for other in ["", "ended", "ended x", "ended inf", "went 1", "\u{fffd}"] {
            assert_eq!(Said::read(other.as_bytes()), None, "{other}");
        }
        assert_eq!(Said::read(b"ended \xff"), None);
    }
}
