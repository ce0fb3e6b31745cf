//! Finds the word that was probably meant.
//!
//! The distance is optimal string alignment: a swap of two neighbours counts once, because that is the commonest slip.

use strsim::osa_distance;

/// The word nearest to `wanted`, or `None` when even the nearest differs in more than a third of its letters.
pub(crate) fn nearest<'a>(wanted: &str, words: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    words
        .into_iter()
        .map(|word| (osa_distance(wanted, word), word))
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
            let section_cost = usize::from(section != other_section);
            (
                osa_distance(name, other_name) + section_cost,
                other_name.len(),
                key,
            )
        })
        .filter(|(distance, len, _)| *distance <= allowed(name.len().max(*len)))
        .min_by_key(|(distance, _, _)| *distance)
        .map(|(_, _, key)| key)
}

fn split(key: &str) -> (&str, &str) {
    key.rsplit_once('.').unwrap_or(("", key))
}

/// So many letters may differ in a word of that length.
fn allowed(len: usize) -> usize {
    (len / 3).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_swap_counts_once() {
        assert_eq!(nearest("ulr", ["url", "rule"]), Some("url"));
    }

    #[test]
    fn finds_the_name_in_another_section_and_gives_up_on_strangers() {
        let keys = ["store.url", "analyzer.workers", "web.listen"];
        assert_eq!(nearest_key("ingest.workers", keys), Some("analyzer.workers"));
        assert_eq!(nearest_key("store.ulr", keys), Some("store.url"));
        assert_eq!(nearest_key("web.colour", keys), None);
    }
}
