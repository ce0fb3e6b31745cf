//! The original's ways to pick metrics, as patterns here.

use skywatch_settings::Pattern;

/// An entry of a skip list: a part of the name, or all of whose elements are among the name's.
pub(super) fn skipped(entry: &str) -> String {
    if is_plain(entry) {
        entry.to_owned()
    } else {
        containing(entry)
    }
}

/// What a rule's `metric` picks: a part of the name, its elements in any order, or a regular expression that the name begins with.
/// A `.` stands for itself, as people mean it, not for any character.
///
/// # Errors
/// A regular expression that this library does not know, such as one that looks ahead.
pub(super) fn alerted(entry: &str) -> Result<Vec<String>, String> {
    if entry.is_empty() {
        // A part of every name.
        return Ok(Vec::new());
    }
    let is_regex = entry.chars().any(|c| r"\^$*+?()[]{}|".contains(c));
    let mut patterns = Vec::new();
    if is_regex {
        patterns.push(format!("/^(?:{entry})/"));
    }
    // No metric has such a character in its name.
    if !entry.chars().any(|c| r"\^$*()|".contains(c)) {
        patterns.push(skipped(entry));
    }
    for pattern in &patterns {
        Pattern::parse(pattern)?;
    }
    Ok(patterns)
}

/// Whether a pattern without signs here means what it meant there.
fn is_plain(entry: &str) -> bool {
    !entry.starts_with(['=', '~', '/']) && !entry.contains(['*', '?', '[', '{'])
}

fn containing(text: &str) -> String {
    format!("/{}/", regex::escape(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picks(patterns: &[String], name: &str) -> bool {
        patterns
            .iter()
            .any(|pattern| Pattern::parse(pattern).expect(pattern).matches(name))
    }

    #[test]
    fn metrics_are_picked_as_the_original_picks_them() {
        for (entry, picked, not_picked) in [
            ("stats.web", "a.stats.web1", "a.stat"),
            ("host.cpu", "x.cpu.y.host", "x.cpus.y.host"),
            ("stats\\.web[0-9]+", "stats.web12.cpu", "a.stats.web12"),
            (".*", "anything", ""),
            ("web[1-3]", "web2.cpu", "web4.cpu"),
            ("~odd", "an~odd", "an.odd"),
        ] {
            let patterns = alerted(entry).expect(entry);
            assert!(picks(&patterns, picked), "{entry} {picked} {patterns:?}");
            assert!(
                not_picked.is_empty() || !picks(&patterns, not_picked),
                "{entry} {not_picked}"
            );
        }
        assert_eq!(alerted("").expect("all"), Vec::<String>::new());
        assert!(alerted("(?!a)b").is_err());
    }
}
