//! Another Redis in Skyline's layout: an original Skyline's, or one of ours. Of a Redis Cluster any node may be named.

use clap::Args;
use skywatch_algorithms::Series;

use super::{CommonArguments, EachSeries, LeftOut, Source, SourceArguments, SourceError, Span};
use crate::store::redis::{RedisConnect, RedisOptions, RedisStore};
use crate::store::{Connect as _, Fetched, Names as _, Points as _, Unreadable};

/// `--redis` and what belongs to it.
#[derive(Debug, Args)]
pub(super) struct RedisArguments {
    /// Another Redis in Skyline's layout
    #[arg(long, value_name = "URL")]
    redis: Option<String>,
    /// What every metric's key begins with there
    #[arg(long, value_name = "TEXT", default_value = "metrics.")]
    namespace: String,
}

impl SourceArguments for RedisArguments {
    const FLAG: &'static str = "redis";
    const COMMON: &'static [&'static str] = &["ca_file"];

    fn open(self, common: CommonArguments) -> Result<Box<dyn Source>, SourceError> {
        let connect = RedisConnect::new(RedisOptions {
            url: self.redis.unwrap_or_default(),
            namespace: self.namespace.clone(),
            tls_ca_file: common.ca_file,
            ..RedisOptions::default()
        })?;
        let filled = common.store.filter(|(_, namespace)| *namespace == self.namespace);
        let filled = filled.map(|(connect, _)| connect);
        let place = connect.describe();
        if filled.as_ref().is_some_and(|filled| filled.describe() == place) {
            return Err(is_the_store(&place));
        }
        Ok(Box::new(SkylineRedis {
            place,
            connect,
            filled,
            store: None,
        }))
    }
}

fn is_the_store(place: &str) -> SourceError {
    SourceError::Options {
        reason: format!(
            "`{place}` is the store itself\nhint: `--store` names the store to be filled, `--redis` where its points come from"
        ),
    }
}

/// The Redis; nothing is ever written there.
struct SkylineRedis {
    /// As it was named.
    place: String,
    connect: RedisConnect,
    /// The store that is filled, if that has the same namespace.
    filled: Option<RedisConnect>,
    /// `None` before the first use.
    store: Option<RedisStore>,
}

impl SkylineRedis {
    fn store(&mut self) -> Result<&mut RedisStore, SourceError> {
        match &mut self.store {
            Some(store) => Ok(store),
            none => {
                let connect = self.connect.to_whole_cluster()?;
                if let Some(filled) = &self.filled
                    && connect.is_same_cluster(filled)?
                {
                    return Err(is_the_store(&self.place));
                }
                if connect.is_cluster() {
                    tracing::info!(
                        "`{}` is a node of a Redis Cluster: all of that is read",
                        self.place
                    );
                }
                Ok(none.insert(connect.connect()?))
            }
        }
    }
}

impl Source for SkylineRedis {
    fn describe(&self) -> String {
        self.place.clone()
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
