//! What metrics are, for people, and to which kind of entity they belong: the original's `metricinfo.json`.

use std::collections::HashMap;
use std::path::Path;

use serde::Deserialize;

use super::error::EventsError;

/// The language of descriptions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum EventLanguage {
    /// English.
    #[default]
    English,
    /// Chinese, which the original prefers.
    Chinese,
}

/// Largest file that is read, bytes. The original's has 800 entries and 200 KiB.
const MOST_BYTES: u64 = 64 << 20;

/// One metric, as `metricinfo.json` has it; what else stands there is passed over.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct MetricInfo {
    /// Its name.
    pub metric: String,
    /// The kind of entity, such as `tcp_link`.
    #[serde(default)]
    pub entity_name: String,
    /// What it is, in English.
    #[serde(default)]
    pub en: String,
    /// The same in Chinese.
    #[serde(default)]
    pub zh: String,
}

/// Metrics by name. The first entry of a name counts.
#[derive(Debug, Clone, Default)]
pub struct MetricInfos(HashMap<String, MetricInfo>);

impl MetricInfos {
    /// Reads a file.
    ///
    /// # Errors
    /// [`EventsError::MetricInfo`] if it cannot be read, is larger than 64 MiB or is no list of metrics.
    pub fn read(path: &Path) -> Result<Self, EventsError> {
        let refused = |reason: String| EventsError::MetricInfo {
            path: path.to_owned(),
            reason,
        };
        let length = std::fs::metadata(path)
            .map_err(|error| refused(error.to_string()))?
            .len();
        if length > MOST_BYTES {
            return Err(refused(format!(
                "{length} bytes, of which {MOST_BYTES} would be read"
            )));
        }
        let text = std::fs::read(path).map_err(|error| refused(error.to_string()))?;
        let list: Vec<MetricInfo> =
            serde_json::from_slice(&text).map_err(|error| refused(error.to_string()))?;
        Ok(list.into_iter().collect())
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What a metric is, in that language if it is there, else in the other; `None` for a metric that is not known.
    pub(super) fn description(&self, metric: &str, language: EventLanguage) -> Option<&str> {
        let MetricInfo { en, zh, .. } = self.0.get(metric)?;
        let (first, second) = match language {
            EventLanguage::English => (en, zh),
            EventLanguage::Chinese => (zh, en),
        };
        [first, second]
            .into_iter()
            .find(|text| !text.is_empty())
            .map(String::as_str)
    }

    /// The kind of entity a metric belongs to.
    pub(super) fn entity_name(&self, metric: &str) -> Option<&str> {
        let name = self.0.get(metric)?.entity_name.as_str();
        (!name.is_empty()).then_some(name)
    }
}

impl FromIterator<MetricInfo> for MetricInfos {
    fn from_iter<I: IntoIterator<Item = MetricInfo>>(list: I) -> Self {
        let mut known = HashMap::new();
        for info in list {
            known.entry(info.metric.clone()).or_insert(info);
        }
        Self(known)
    }
}
