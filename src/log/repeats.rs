//! The same warning over and over becomes a few lines and a count.
//!
//! "The same" is the place in the source it comes from: what differs between two such lines (a name, a number) is what
//! would make them endless. Plain information is not limited, nor is the account of anomalies, which limits itself.

use std::collections::HashMap;
use std::fmt;
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tracing::callsite::Identifier;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

/// Lines of one place: enough to see what they have in common …
const SHOWN: u32 = 20;
/// … in so long a time; what comes beyond is counted.
const WITHIN: Duration = Duration::from_secs(60);
/// Characters shown of one that was only counted: a line of a wide terminal.
const LONGEST: usize = 160;
/// The target of lines that are counts themselves.
pub(super) const EXEMPT: &str = "skywatch::log";
/// The target of the account of anomalies.
const ANOMALIES: &str = "skywatch::anomaly";

/// What one place has said lately.
struct Place {
    since: Instant,
    said: u32,
    /// Lines left out, and the first of them.
    left_out: u64,
    first: String,
}

/// By the place in the source, of which there are few. Held for the moment of a look.
static PLACES: LazyLock<Mutex<HashMap<Identifier, Place>>> = LazyLock::new(Mutex::default);

/// Lets the first warnings of each place through, and counts the others.
pub(super) struct Repeats;

impl<S: Subscriber> Layer<S> for Repeats {
    fn event_enabled(&self, event: &Event<'_>, _: Context<'_, S>) -> bool {
        let metadata = event.metadata();
        if *metadata.level() > Level::WARN || [EXEMPT, ANOMALIES].contains(&metadata.target()) {
            return true;
        }
        let mut places = PLACES.lock().unwrap_or_else(PoisonError::into_inner);
        let place = places.entry(metadata.callsite()).or_insert_with(Place::new);
        if place.left_out == 0 && place.since.elapsed() >= WITHIN {
            *place = Place::new();
        }
        if place.said < SHOWN {
            place.said += 1;
            return true;
        }
        if place.left_out == 0 {
            event.record(&mut MessageVisitor(&mut place.first));
        }
        place.left_out += 1;
        false
    }
}

impl Place {
    fn new() -> Self {
        Self {
            since: Instant::now(),
            said: 0,
            left_out: 0,
            first: String::new(),
        }
    }
}

/// Says how many lines were left out where the time for it has come, or `all` of them.
pub(super) fn tell(all: bool) {
    let due: Vec<Place> = {
        let mut places = PLACES.lock().unwrap_or_else(PoisonError::into_inner);
        let due = places
            .values_mut()
            .filter(|place| place.left_out > 0 && (all || place.since.elapsed() >= WITHIN));
        due.map(|place| std::mem::replace(place, Place::new())).collect()
    };
    for place in due {
        let seconds = place.since.elapsed().as_secs();
        let (more, first) = (place.left_out, place.first);
        tracing::warn!(target: EXEMPT, "and {more} more like this in {seconds} seconds :: {first}");
    }
}

struct MessageVisitor<'a>(&'a mut String);

impl Visit for MessageVisitor<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            let whole = format!("{value:?}");
            self.0.extend(whole.chars().take(LONGEST));
        }
    }
}
