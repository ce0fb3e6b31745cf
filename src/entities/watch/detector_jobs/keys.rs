//! Keys of a job's file: what is read of them, and which nobody reads.

use serde_json::{Map, Value};

/// Keys of one object, of which those that are taken are used.
pub(super) struct JobKeys<'v> {
    /// Where the object is, with a dot behind.
    pub(super) path: String,
    object: Map<String, Value>,
    /// Keys that nobody takes.
    pub(super) unused: Vec<String>,
    values: &'v Map<String, Value>,
}

impl<'v> JobKeys<'v> {
    pub(super) fn of(path: &str, value: &'v Value) -> Result<Self, String> {
        let values = value
            .as_object()
            .ok_or_else(|| format!("`{}` is no object", path.trim_end_matches('.')))?;
        Ok(Self {
            path: path.to_owned(),
            object: values.clone(),
            unused: Vec::new(),
            values,
        })
    }

    pub(super) fn peek(&self, key: &str) -> Option<&'v Value> {
        self.values.get(key)
    }

    pub(super) fn take(&mut self, key: &str) -> Option<&'v Value> {
        self.object.remove(key);
        self.values.get(key)
    }

    fn typed<T>(&mut self, key: &str, read: impl Fn(&'v Value) -> Option<T>) -> Result<Option<T>, String> {
        let value = self.take(key).filter(|value| !value.is_null());
        value
            .map(|value| read(value).ok_or_else(|| format!("`{}{key}` is `{value}`", self.path)))
            .transpose()
    }

    pub(super) fn text(&mut self, key: &str) -> Result<Option<String>, String> {
        self.typed(key, |value| value.as_str().map(str::to_owned))
    }

    pub(super) fn flag(&mut self, key: &str) -> Result<Option<bool>, String> {
        self.typed(key, Value::as_bool)
    }

    pub(super) fn number(&mut self, key: &str) -> Result<Option<f64>, String> {
        self.typed(key, Value::as_f64)
    }

    /// A number of things, at least one.
    pub(super) fn count(&mut self, key: &str) -> Result<Option<usize>, String> {
        let count = |value: &Value| value.as_u64().filter(|count| (1..=100_000).contains(count));
        self.typed(key, |value| count(value).map(|count| count as usize))
    }

    pub(super) fn texts(&mut self, key: &str) -> Result<Vec<String>, String> {
        let all = self.list(key)?.iter();
        Ok(all.filter_map(|text| text.as_str().map(str::to_owned)).collect())
    }

    pub(super) fn list(&mut self, key: &str) -> Result<&'v [Value], String> {
        let list = self.typed(key, |value| value.as_array().map(Vec::as_slice))?;
        Ok(list.unwrap_or_default())
    }

    /// Paths of all keys that were not taken.
    pub(super) fn left(self) -> impl Iterator<Item = String> {
        let Self {
            path, object, unused, ..
        } = self;
        let own: Vec<String> = object.keys().map(|key| format!("{path}{key}")).collect();
        own.into_iter().chain(unused)
    }
}
