//! The last topology that was read, in memory and in a file.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use serde_json::Value;
use skywatch_settings::{Causes, TopologySource};

use super::client::TopologyClient;
use super::{Topology, TopologyError, arangodb, document, trace_metrics};
use crate::clock::unix_now;
use crate::files::{self, Durability};

/// Where it lies in a state folder.
const FILE: &str = "topology.json";

/// Reads topologies, and keeps the last one.
pub struct TopologyCache {
    settings: Causes,
    file: PathBuf,
    known: Mutex<KnownTopology>,
}

/// What is known, and when it was tried last to know better, Unix seconds.
#[derive(Default)]
struct KnownTopology {
    topology: Option<Topology>,
    tried_at: f64,
    /// Why that failed, if it did.
    trouble: Option<String>,
}

/// A topology with what is to be said of it.
#[derive(Debug, Clone, PartialEq)]
pub struct CurrentTopology {
    /// The newest there is.
    pub topology: Topology,
    /// Why there is no newer one, for people; `None` if it is as new as it is to be.
    pub trouble: Option<String>,
}

impl TopologyCache {
    /// Reads nothing yet.
    pub fn new(settings: &Causes, state_dir: &Path) -> Self {
        Self {
            settings: settings.clone(),
            file: state_dir.join(FILE),
            known: Mutex::default(),
        }
    }

    /// The topology; `names` are all metrics there are, for the one of traces. `None` where none is configured, or none has
    /// ever been read. Blocks as long as the source does.
    pub fn current(&self, names: &[&str]) -> Option<CurrentTopology> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let now = unix_now();
        let refresh = self.settings.refresh.as_secs_f64();
        let is_old = |at: f64| now - at >= refresh || at > now;
        if is_old(known.tried_at) {
            known.tried_at = now;
            match self.read(names, now) {
                // Where traces are no metrics of ours, another role may have seen them.
                Ok(None) if known.topology.is_none() && self.settings.topology != TopologySource::None => {
                    known.topology = self.kept();
                }
                Ok(None) => {}
                Ok(Some(topology)) => {
                    self.keep(&topology);
                    *known = KnownTopology {
                        topology: Some(topology),
                        tried_at: now,
                        trouble: None,
                    };
                }
                Err(error) => {
                    let why = error.to_string();
                    if known.trouble.as_ref() != Some(&why) {
                        tracing::warn!("topology not read :: {why} :: what was known before is used");
                    }
                    known.trouble = Some(why);
                    if known.topology.is_none() {
                        known.topology = self.kept();
                    }
                }
            }
        }
        known.topology.clone().map(|topology| CurrentTopology {
            topology,
            trouble: known.trouble.clone(),
        })
    }

    /// What the source says now, beside what is known and without keeping it.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn read_now(&self) -> Result<Topology, TopologyError> {
        Ok(self.read(&[], unix_now())?.unwrap_or_default())
    }

    /// `None` where there is nothing to read.
    fn read(&self, names: &[&str], now: f64) -> Result<Option<Topology>, TopologyError> {
        let settings = &self.settings;
        let (calls, place) = match (settings.topology, &settings.file, &settings.url) {
            (TopologySource::Traces, ..) => {
                let calls: Vec<_> = names
                    .iter()
                    .filter_map(|name| trace_metrics::call(name))
                    .collect();
                if calls.is_empty() {
                    return Ok(None);
                }
                (calls, "traces".to_owned())
            }
            (TopologySource::File, Some(file), _) => {
                let place = file.display().to_string();
                (document::calls(&read_file(file, &place)?, &place)?, place)
            }
            (TopologySource::Http, _, Some(url)) => {
                let client = TopologyClient::new(settings, url)?;
                (document::calls(&client.get()?, &client.place())?, client.place())
            }
            (TopologySource::ArangoDb, _, Some(url)) => {
                let client = TopologyClient::new(settings, url)?;
                (arangodb::calls(&client, &settings.database, now)?, client.place())
            }
            // Settings refuse the others.
            _ => return Ok(None),
        };
        Ok(Some(Topology::new(calls, place, now)))
    }

    /// Writes it down for the next run; one that cannot be is read again then.
    fn keep(&self, topology: &Topology) {
        let written = serde_json::to_vec(topology).map_err(std::io::Error::from);
        let kept = written.and_then(|bytes| files::replace(&self.file, &bytes, Durability::Volatile));
        if let Err(error) = kept {
            tracing::debug!("topology not kept :: {error}");
        }
    }

    fn kept(&self) -> Option<Topology> {
        serde_json::from_slice(&std::fs::read(&self.file).ok()?).ok()
    }
}

fn read_file(file: &Path, place: &str) -> Result<Value, TopologyError> {
    let bytes = std::fs::read(file).map_err(|error| TopologyError::Unreadable {
        place: place.to_owned(),
        why: error.to_string(),
    })?;
    serde_json::from_slice(&bytes).map_err(|error| TopologyError::Malformed {
        place: place.to_owned(),
        why: error.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::time::Duration;

    use super::*;

    #[test]
    fn what_cannot_be_read_any_more_is_used_on_also_by_the_next_run() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("graph.json");
        let settings = Causes {
            topology: TopologySource::File,
            file: Some(file.clone()),
            refresh: Duration::ZERO,
            ..Causes::default()
        };
        let cache = TopologyCache::new(&settings, folder.path());
        assert_eq!(cache.current(&[]), None);
        std::fs::write(&file, r#"{"edges": [["shop", "db"]]}"#).unwrap();
        let known = cache.current(&[]).expect("a topology");
        assert_eq!(
            (known.topology.nodes(), known.trouble),
            (BTreeSet::from(["db", "shop"]), None)
        );
        std::fs::write(&file, "{").unwrap();
        for cache in [cache, TopologyCache::new(&settings, folder.path())] {
            let known = cache.current(&[]).expect("the one before");
            assert_eq!(known.topology.calls.len(), 1);
            assert!(known.trouble.expect("why").contains("holds no topology"));
        }
    }

    #[test]
    fn traces_tell_who_calls_whom_by_their_metrics() {
        let folder = tempfile::tempdir().unwrap();
        let cache = TopologyCache::new(&Causes::default(), folder.path());
        assert_eq!(cache.current(&["web.cpu"]), None);
        let settings = Causes {
            refresh: Duration::ZERO,
            ..Causes::default()
        };
        let cache = TopologyCache::new(&settings, folder.path());
        let known = cache
            .current(&["traces.shop.calls.db.requests", "traces.shop.p95"])
            .expect("one");
        assert_eq!(known.topology.nodes(), BTreeSet::from(["db", "shop"]));
    }
}
