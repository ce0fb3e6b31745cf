//! All names of metrics, to be searched and to be walked through element by element.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use skywatch_settings::Pattern;

/// Age from which names are read anew when somebody asks.
const FRESH: Duration = Duration::from_secs(60);

/// The names of all metrics at one moment.
#[derive(Debug, Default)]
pub(super) struct NameIndex {
    /// Sorted, each once.
    names: Vec<Box<str>>,
    /// All of them in lower-case ASCII, each behind a line break: searching one text is many times faster than many.
    folded: String,
    /// Where each begins in it.
    begins: Vec<u32>,
}

/// Metrics found, and how many there are altogether.
#[derive(Debug, PartialEq)]
pub(super) struct FoundNames<'n> {
    pub(super) shown: Vec<&'n str>,
    pub(super) total: usize,
}

/// What lies below a prefix: one more element of the names.
#[derive(Debug, PartialEq)]
pub(super) struct NameBranch<'n> {
    /// The prefix with the element.
    pub(super) name: &'n str,
    /// The element.
    pub(super) element: &'n str,
    /// Metrics that begin with it and a dot.
    pub(super) below: usize,
    /// Whether it is a metric's whole name.
    pub(super) is_metric: bool,
}

impl NameIndex {
    /// Of names in any order.
    pub(super) fn new(mut names: Vec<Box<str>>) -> Self {
        names.sort_unstable();
        names.dedup();
        let mut folded = String::with_capacity(names.iter().map(|name| name.len() + 1).sum());
        let mut begins = Vec::with_capacity(names.len());
        for name in &names {
            folded.push('\n');
            // Some four billion bytes are more names than fit into any store of ours.
            begins.push(u32::try_from(folded.len()).unwrap_or(u32::MAX));
            folded.push_str(name);
        }
        folded.make_ascii_lowercase();
        Self {
            names,
            folded,
            begins,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.names.len()
    }

    /// The names that hold every word of `text`, in either case, or that the pattern `text` picks if it has wildcards; from
    /// the `skip`th on, at most `limit`.
    ///
    /// # Errors
    /// It is a pattern that cannot be read; for people.
    pub(super) fn search(&self, text: &str, skip: usize, limit: usize) -> Result<FoundNames<'_>, String> {
        let mut found = FoundNames {
            shown: Vec::new(),
            total: 0,
        };
        let mut take = |name| {
            if found.total >= skip && found.shown.len() < limit {
                found.shown.push(name);
            }
            found.total += 1;
        };
        if text.starts_with(['=', '~', '/']) || text.contains(['*', '?', '[', '{']) {
            let pattern = Pattern::parse(text)?;
            for name in self.names.iter().filter(|name| pattern.matches(name)) {
                take(name);
            }
            return Ok(found);
        }
        let text = text.to_ascii_lowercase();
        let mut words: Vec<&str> = text.split_whitespace().collect();
        // The longest is the rarest.
        words.sort_by_key(|word| std::cmp::Reverse(word.len()));
        let Some((first, others)) = words.split_first() else {
            self.names.iter().for_each(|name| take(name));
            return Ok(found);
        };
        let finder = memchr::memmem::Finder::new(first.as_bytes());
        let mut last = None;
        for at in finder.find_iter(self.folded.as_bytes()) {
            let place = self.begins.partition_point(|begin| *begin as usize <= at) - 1;
            if last == Some(place) {
                continue;
            }
            last = Some(place);
            let name = &*self.names[place];
            let begin = self.begins[place] as usize;
            let folded = &self.folded[begin..begin + name.len()];
            if others.iter().all(|word| folded.contains(word)) {
                take(name);
            }
        }
        Ok(found)
    }

    /// What follows `prefix` (empty, or elements with a dot behind each) in the names, in order.
    pub(super) fn below(&self, prefix: &str) -> Vec<NameBranch<'_>> {
        let from = self.names.partition_point(|name| **name < *prefix);
        let mut branches: Vec<NameBranch<'_>> = Vec::new();
        for name in self.names[from..]
            .iter()
            .take_while(|name| name.starts_with(prefix))
        {
            let rest = &name[prefix.len()..];
            let element = rest.split('.').next().unwrap_or(rest);
            let is_metric = element.len() == rest.len();
            match branches
                .iter_mut()
                .rev()
                .take(2)
                .find(|branch| branch.element == element)
            {
                Some(branch) => {
                    branch.is_metric |= is_metric;
                    branch.below += usize::from(!is_metric);
                }
                None => branches.push(NameBranch {
                    name: &name[..prefix.len() + element.len()],
                    element,
                    below: usize::from(!is_metric),
                    is_metric,
                }),
            }
        }
        // Characters before the dot part an element's metric from what lies below it: `a`, `a-b`, `a.c`.
        branches.sort_by(|a, b| a.element.cmp(b.element));
        branches.dedup_by(|later, kept| {
            let same = later.element == kept.element;
            if same {
                kept.below += later.below;
                kept.is_metric |= later.is_metric;
            }
            same
        });
        branches
    }
}

/// The names as they were last read; shared by those who ask and those who read.
#[derive(Debug, Default)]
pub(super) struct NameCache(Mutex<Option<(Instant, Arc<NameIndex>)>>);

impl NameCache {
    /// The names, and whether they are old enough to be read anew.
    pub(super) fn get(&self) -> Option<(Arc<NameIndex>, bool)> {
        let cached = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (read, index) = cached.as_ref()?;
        Some((Arc::clone(index), read.elapsed() > FRESH))
    }

    pub(super) fn put(&self, index: NameIndex) {
        let mut cached = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *cached = Some((Instant::now(), Arc::new(index)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn index() -> NameIndex {
        let names = [
            "web.b.cpu",
            "Web.a.CPU",
            "web.a",
            "web-2.x",
            "db.cpu.load",
            "web.a",
            "web",
        ];
        NameIndex::new(names.map(Into::into).to_vec())
    }

    #[test]
    fn names_are_found_by_words_and_patterns() {
        let index = index();
        let found = |text: &str| index.search(text, 0, 9).map(|found| found.shown);
        assert_eq!(found("cpu"), Ok(vec!["Web.a.CPU", "db.cpu.load", "web.b.cpu"]));
        assert_eq!(found("CPU web"), Ok(vec!["Web.a.CPU", "web.b.cpu"]));
        assert_eq!(found("a.c"), Ok(vec!["Web.a.CPU"]), "and not across two names");
        assert_eq!(found("web.*"), Ok(vec!["web.a"]));
        assert_eq!(found("nothing"), Ok(vec![]));
        assert!(found("~(").is_err());
        let page = index.search("", 4, 1).unwrap();
        assert_eq!((page.shown, page.total), (vec!["web.a"], 6));
        assert_eq!(NameIndex::default().search("x", 0, 9).unwrap().total, 0);
    }

    #[test]
    fn names_are_walked_element_by_element() {
        let index = index();
        let below = |prefix: &str| -> Vec<(String, usize, bool)> {
            let branches = index.below(prefix).into_iter();
            branches
                .map(|b| (b.name.to_owned(), b.below, b.is_metric))
                .collect()
        };
        let expected = [
            ("Web", 1, false),
            ("db", 1, false),
            ("web", 2, true),
            ("web-2", 1, false),
        ];
        assert_eq!(
            below(""),
            expected.map(|(name, below, is)| (name.to_owned(), below, is))
        );
        assert_eq!(
            below("web."),
            [("web.a".to_owned(), 0, true), ("web.b".to_owned(), 1, false)]
        );
        assert!(below("none.").is_empty());
    }
}
