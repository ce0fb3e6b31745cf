//! Windows for charts, read from the store as they are stored and made canonical.

use std::sync::{Mutex, PoisonError};

use skywatch_algorithms::{Series, counter};

use crate::store::{AnyConnect, AnyStore, Connect as _, Fetched, Names as _, Points as _, StoreError};

/// Reads windows over one connection, kept between requests.
pub(crate) struct Windows {
    connect: AnyConnect,
    /// Held while a request reads: charts are few and reads short. Empty before the first and after a
    /// failure.
    store: Mutex<Option<AnyStore>>,
    full_duration: f64,
}

impl Windows {
    pub(crate) fn new(connect: AnyConnect, full_duration: f64) -> Self {
        Self {
            connect,
            store: Mutex::new(None),
            full_duration,
        }
    }

    /// The window of each metric, `None` where there is none to read, and what went wrong, if anything did.
    pub(crate) fn read(&self, metrics: &[&str]) -> (Vec<Option<Series>>, Option<String>) {
        let mut windows: Vec<Option<Series>> = Vec::new();
        windows.resize_with(metrics.len(), || None);
        if metrics.is_empty() {
            return (windows, None);
        }
        let outcome = self.try_read(metrics, &mut windows);
        (windows, outcome.err().map(|error| error.to_string()))
    }

    /// All names, in no order; some may come twice.
    ///
    /// # Errors
    /// The store does not answer.
    pub(crate) fn names(&self) -> Result<Vec<Box<str>>, StoreError> {
        let mut guard = self.store.lock().unwrap_or_else(PoisonError::into_inner);
        let mut store = match guard.take() {
            Some(store) => store,
            None => self.connect.connect()?,
        };
        let mut names = Vec::new();
        store.list(&mut |name| names.push(name.into()))?;
        *guard = Some(store);
        Ok(names)
    }

    fn try_read(&self, metrics: &[&str], windows: &mut [Option<Series>]) -> Result<(), StoreError> {
        let mut guard = self.store.lock().unwrap_or_else(PoisonError::into_inner);
        let mut store = match guard.take() {
            Some(store) => store,
            None => self.connect.connect()?,
        };
        let mut series = Series::default();
        store.fetch(metrics, &mut series, &mut |index, series, fetched| {
            if matches!(fetched, Fetched::Found { .. }) {
                series.canonicalise(self.full_duration);
                windows[index] = Some(std::mem::take(series));
            }
        })?;
        *guard = Some(store);
        Ok(())
    }
}

/// What the detectors saw: the values, or the rate of a counter.
pub(crate) fn as_judged(series: &Series, rate: bool) -> Series {
    let mut judged = Series::default();
    if rate {
        counter::rates(series.window(), &mut judged);
    } else {
        judged.times.clone_from(&series.times);
        judged.values.clone_from(&series.values);
    }
    judged
}
