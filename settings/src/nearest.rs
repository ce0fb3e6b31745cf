//! Finds the word that was probably meant.
//!
//! The distance is optimal string alignment: a swap of two neighbours counts once, because that is the commonest slip.

/// The word nearest to `wanted`, or `None` when even the nearest differs in more than a third of its letters.
pub(crate) fn nearest<'a>(wanted: &str, words: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    words
        .into_iter()
        .map(|word| (distance(wanted, word), word))
        .filter(|(distance, word)| *distance <= allowed(wanted.len().max(word.len())))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, word)| word)
}

/// The known dotted key nearest to an unknown one. The right name in the wrong section costs as much as one letter, so
/// that `ingest.workers` finds `analyzer.workers`.
pub(crate) fn nearest_key<'a>(wanted: &str, keys: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let (section, name) = split(wanted);
    keys.into_iter()
        .map(|key| {
            let (other_section, other_name) = split(key);
            let section_cost = distance(section, other_section).min(1);
            (distance(name, other_name) + section_cost, other_name.len(), key)
        })
        .filter(|(distance, len, _)| *distance <= allowed(name.len().max(*len)))
        .min_by_key(|(distance, _, _)| *distance)
        .map(|(_, _, key)| key)
}

fn split(key: &str) -> (&str, &str) {
    key.rsplit_once('.').unwrap_or(("", key))
}

fn allowed(len: usize) -> usize {
    (len / 3).max(1)
}

fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i; b.len() + 1];
        for j in 1..=b.len() {
            let substituted = last[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            row[j] = substituted.min(last[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                row[j] = row[j].min(before[j - 2] + 1);
            }
        }
        before = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_edits_and_a_swap_once() {
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("grace", "grace"), 0);
        assert_eq!(distance("duratoin", "duration"), 1);
        assert_eq!(distance("kitten", "sitting"), 3);
    }

    #[test]
    fn finds_the_name_in_another_section_and_gives_up_on_strangers() {
        let keys = ["store.url", "analyzer.workers", "web.listen"];
        assert_eq!(nearest_key("ingest.workers", keys), Some("analyzer.workers"));
        assert_eq!(nearest_key("store.ulr", keys), Some("store.url"));
        assert_eq!(nearest_key("web.colour", keys), None);
    }
}
