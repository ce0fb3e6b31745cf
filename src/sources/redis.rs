//! Another Redis in Skyline's layout: an original Skyline's, or one of ours.

use skywatch_algorithms::Series;

use super::{EachSeries, LeftOut, Source, SourceError, Span};
use crate::store::redis::{RedisConnect, RedisStore};
use crate::store::{Connect as _, Fetched, Names as _, Points as _, Unreadable};

/// The Redis; nothing is ever written there.
pub struct SkylineRedis {
    connect: RedisConnect,
    /// `None` before the first use.
    store: Option<RedisStore>,
}

impl SkylineRedis {
    /// A source over a Redis that is not connected yet.
    #[must_use]
    pub fn new(connect: RedisConnect) -> Self {
        Self { connect, store: None }
    }

    fn store(&mut self) -> Result<&mut RedisStore, SourceError> {
        match &mut self.store {
            Some(store) => Ok(store),
            none => Ok(none.insert(self.connect.connect()?)),
        }
    }
}

impl Source for SkylineRedis {
    fn describe(&self) -> String {
        self.connect.describe()
    }

    fn parts(&mut self) -> Result<Vec<String>, SourceError> {
        let mut names = Vec::new();
        self.store()?.list(&mut |name| names.push(name.to_owned()))?;
        names.sort_unstable();
        names.dedup();
        Ok(names)
    }

    fn fetch(&mut self, part: &str, _: Span, each: &mut EachSeries<'_>) -> Result<LeftOut, SourceError> {
        let mut left_out = LeftOut::new();
        let mut buffer = Series::default();
        self.store()?
            .fetch(&[part], &mut buffer, &mut |_, series, fetched| {
                let reason = match fetched {
                    Fetched::Found { report, .. } => {
                        if report.skipped > 0 {
                            left_out.insert("not_finite", report.skipped as u64);
                        }
                        if report.truncated_bytes > 0 {
                            left_out.insert("unfinished", 1);
                        }
                        return each(part, series);
                    }
                    Fetched::Missing => "missing_metrics",
                    // Where the next point would begin is not known; those before the damage are whole.
                    Fetched::Unreadable(Unreadable::Malformed(why)) if !series.is_empty() => {
                        tracing::warn!("`{part}` is damaged behind {} points :: {why}", series.len());
                        left_out.insert("damaged_metrics", 1);
                        return each(part, series);
                    }
                    Fetched::Unreadable(why) => {
                        tracing::warn!("`{part}` is no series and is left out :: {why}");
                        "unreadable_metrics"
                    }
                };
                left_out.insert(reason, 1);
            })?;
        Ok(left_out)
    }
}
