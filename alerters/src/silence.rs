//! Times at which nothing is to be said about some subjects.

use serde::{Deserialize, Serialize};

use crate::matcher::Selection;
use crate::schedule::Hours;

/// Nothing is said about what it selects while it is in force. Incidents go on and are recorded; one that still
/// lasts when the silence ends is told of then.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Silence {
    /// Its number, from 1 upwards.
    pub id: u64,
    /// What it is about.
    pub selection: Selection,
    /// From when, Unix seconds.
    pub from: f64,
    /// Until when, Unix seconds; `None` until somebody ends it.
    pub until: Option<f64>,
    /// It ends by itself once no open incident is left of those it selects.
    pub until_resolved: bool,
    /// It is in force only at these hours; `None` is all the time.
    pub hours: Option<Hours>,
    /// Who asked for it.
    pub author: String,
    /// Why.
    pub reason: String,
    /// When it was ended by hand or by itself, Unix seconds.
    pub ended_at: Option<f64>,
}
