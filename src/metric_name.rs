//! Metric names: what may be one, the one way to write a name with tags, and the name of a Prometheus series: its labels as
//! tags, the same whether it was pushed to us or fetched.
//!
//! `name;b=2;a=1` becomes `name;a=1;b=2`, sorted as Graphite sorts (by the text `a=1`, not by the key alone), the last of
//! equal keys winning; so one series has one name however its sender orders the tags. A name without tags, nearly
//! every name there is, is looked through once and passed on as it is.

use std::borrow::Cow;
use std::fmt::Write as _;

/// Why a text is no name of a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NameError {
    /// It has more bytes than a name may have.
    TooLong,
    /// It is empty, or something in it would garble a log line, a key or a page.
    Bad,
}

/// The name as it is stored, of at most `longest` bytes.
///
/// # Errors
/// [`NameError`]; its points are dropped then.
pub(crate) fn canonical(name: &str, longest: usize) -> Result<Cow<'_, str>, NameError> {
    if name.len() > longest {
        return Err(NameError::TooLong);
    }
    if name.is_empty() {
        return Err(NameError::Bad);
    }
    // Without branches in the loop, so that it looks at many bytes at a time.
    let (mut blank, mut tagged, mut wide) = (false, false, false);
    for &byte in name.as_bytes() {
        blank |= byte <= b' ' || byte == 0x7f;
        tagged |= byte == b';';
        wide |= byte >= 0x80;
    }
    if blank || wide && name.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return Err(NameError::Bad);
    }
    if tagged {
        sorted(name)
    } else {
        Ok(Cow::Borrowed(name))
    }
}

/// Graphite's rule for `name;key=value;…`.
fn sorted(written: &str) -> Result<Cow<'_, str>, NameError> {
    let mut parts = written.split(';');
    let name = parts
        .next()
        .filter(|name| !name.is_empty())
        .ok_or(NameError::Bad)?;
    let mut tags: Vec<(&str, &str)> = Vec::new();
    for tag in parts {
        let (key, value) = tag
            .split_once('=')
            .filter(|(key, _)| !key.is_empty())
            .ok_or(NameError::Bad)?;
        match tags.iter_mut().find(|known| known.0 == key) {
            Some(known) => known.1 = value,
            None => tags.push((key, value)),
        }
        if tags.len() > MOST_TAGS {
            return Err(NameError::Bad);
        }
    }
    let mut texts: Vec<String> = tags.iter().map(|(key, value)| format!("{key}={value}")).collect();
    texts.sort_unstable();
    let mut whole = String::with_capacity(written.len());
    whole.push_str(name);
    for text in texts {
        whole.push(';');
        whole.push_str(&text);
    }
    Ok(if whole == written {
        Cow::Borrowed(written)
    } else {
        Cow::Owned(whole)
    })
}

/// Tags a name may have; keeps the search for equal keys short.
const MOST_TAGS: usize = 64;

/// Writes labels as tags behind the label `__name__`. What has a meaning in a name (`;`, `=` in a key, blanks, control
/// characters, `%` itself) is written as `%XX`, so that different labels never become the same name.
/// False without a `__name__`.
pub(crate) fn of_labels<'a>(labels: impl Iterator<Item = (&'a str, &'a str)>, into: &mut String) -> bool {
    into.clear();
    let mut name = "";
    let mut tags: Vec<String> = Vec::new();
    for (key, value) in labels {
        if key == "__name__" {
            name = value;
        } else if !value.is_empty() {
            // An empty label is one that is not there.
            let mut text = String::with_capacity(key.len() + value.len() + 1);
            escape(key, true, &mut text);
            text.push('=');
            escape(value, false, &mut text);
            tags.push(text);
        }
    }
    if name.is_empty() {
        return false;
    }
    escape(name, false, into);
    tags.sort_unstable();
    for tag in tags {
        into.push(';');
        into.push_str(&tag);
    }
    true
}

fn escape(text: &str, key: bool, into: &mut String) {
    for c in text.chars() {
        if matches!(c, ';' | '%') || key && c == '=' || c.is_whitespace() || c.is_control() {
            for byte in c.encode_utf8(&mut [0; 4]).bytes() {
                // Writing to a string cannot fail.
                let _ = write!(into, "%{byte:02X}");
            }
        } else {
            into.push(c);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn tags_are_sorted_as_graphite_does() {
        for (written, stored) in [
            ("a.b", "a.b"),
            ("a;k=v;a=b", "a;a=b;k=v"),
            ("a;a=b;k=v", "a;a=b;k=v"),
            ("a;k=1;k=2", "a;k=2"),
            ("a;a=1;a-b=2", "a;a-b=2;a=1"),
            ("a;k=v=w", "a;k=v=w"),
            ("a;k=", "a;k="),
        ] {
            assert_eq!(canonical(written, 99).as_deref(), Ok(stored), "{written}");
        }
        assert!(matches!(canonical("a;a=b;k=v", 99), Ok(Cow::Borrowed(_))));
    }

    #[test]
    fn what_is_no_name_is_refused() {
        for name in [
            "", "a b", "a\0b", "a\u{7f}", "a\u{a0}b", "a\u{85}b", ";a=b", "a;b", "a;=b", "a;",
        ] {
            assert_eq!(canonical(name, 99), Err(NameError::Bad), "{name:?}");
        }
        assert_eq!(canonical("abcd", 3), Err(NameError::TooLong));
        assert_eq!(canonical("größe.µ", 99).as_deref(), Ok("größe.µ"));
    }

    #[test]
    fn labels_become_tags() {
        let mut name = String::new();
        let labels = [("z", "1"), ("__name__", "up"), ("a", "x y;%="), ("gone", "")];
        assert!(of_labels(labels.into_iter(), &mut name));
        assert_eq!(name, "up;a=x%20y%3B%25=;z=1");
        assert_eq!(canonical(&name, 99).as_deref(), Ok(name.as_str()));
        assert!(!of_labels([("a", "b")].into_iter(), &mut name));
    }

    proptest! {
        #[test]
        fn the_order_of_tags_does_not_matter(mut tags in prop::collection::btree_map("[a-c-]{1,3}", "[a-z=]{0,3}", 0..6), turn in 0usize..6) {
            tags.remove("");
            let mut texts: Vec<String> = tags.iter().map(|(k, v)| format!(";{k}={v}")).collect();
            let one = format!("m{}", texts.concat());
            let turns = turn % texts.len().max(1);
            texts.rotate_left(turns);
            let other = format!("m{}", texts.concat());
            prop_assert_eq!(canonical(&one, 999), canonical(&other, 999));
            let stored = canonical(&one, 999).expect("a good name").into_owned();
            let again = canonical(&stored, 999).expect("a good name");
            prop_assert_eq!(&again, &stored);
        }

        #[test]
        fn different_labels_never_share_a_name(
            a in prop::collection::btree_map("[a=;% ]{1,3}", "[b=;% ]{1,3}", 0..3),
            b in prop::collection::btree_map("[a=;% ]{1,3}", "[b=;% ]{1,3}", 0..3),
        ) {
            let name = |labels: &std::collections::BTreeMap<String, String>| {
                let mut name = String::new();
                let all = [("__name__", "n")].into_iter().chain(labels.iter().map(|(k, v)| (k.as_str(), v.as_str())));
                assert!(of_labels(all, &mut name), "named");
                assert_eq!(canonical(&name, 9_999).as_deref(), Ok(name.as_str()));
                name
            };
            prop_assert_eq!(a == b, name(&a) == name(&b));
        }
    }
}
