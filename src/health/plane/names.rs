//! Each name once: millions of observations share a few thousand names of observers and metrics.

use std::collections::HashSet;
use std::sync::Arc;

/// Below this many names nothing is gained by looking for those nobody uses any more.
const SMALL: usize = 1_024;

/// The names in use.
#[derive(Debug, Default)]
pub(super) struct HealthNames {
    known: HashSet<Arc<str>>,
    /// How many names were in use when it was last looked.
    used: usize,
}

impl HealthNames {
    /// The one copy of `name`.
    pub(super) fn intern(&mut self, name: &str) -> Arc<str> {
        if let Some(known) = self.known.get(name) {
            return Arc::clone(known);
        }
        if self.known.len() > SMALL.max(2 * self.used) {
            self.known.retain(|name| Arc::strong_count(name) > 1);
            self.used = self.known.len();
        }
        let name: Arc<str> = Arc::from(name);
        self.known.insert(Arc::clone(&name));
        name
    }

    /// How many there are, used or not.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.known.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_nobody_uses_are_dropped() {
        let mut names = HealthNames::default();
        let kept = names.intern("kept");
        for number in 0..100_000 {
            names.intern(&format!("name {number}"));
        }
        assert!(names.len() <= SMALL + 2, "{}", names.len());
        assert!(Arc::ptr_eq(&kept, &names.intern("kept")));
    }
}
