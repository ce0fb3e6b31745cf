//! Metric names: what may be one, and the one way to write a name with tags.
//!
//! `name;b=2;a=1` becomes `name;a=1;b=2`, sorted as Graphite sorts (by the text `a=1`, not by the key alone), the last of
//! equal keys winning; so one series has one name however its sender orders the tags. A name without tags, nearly
//! every name there is, is looked through once and passed on as it is.

use std::borrow::Cow;

use super::counters::DropReason;
use crate::labels;

/// The name as it is stored.
///
/// # Errors
/// The reason for which its point is dropped: too long, or something in it that would garble a log line, a key or a page.
pub(crate) fn canonical(name: &str, longest: usize) -> Result<Cow<'_, str>, DropReason> {
    if name.len() > longest {
        return Err(DropReason::NameTooLong);
    }
    if name.is_empty() {
        return Err(DropReason::BadName);
    }
    // Without branches in the loop, so that it looks at many bytes at a time.
    let (mut blank, mut tagged, mut wide) = (false, false, false);
    for &byte in name.as_bytes() {
        blank |= byte <= b' ' || byte == 0x7f;
        tagged |= byte == b';';
        wide |= byte >= 0x80;
    }
    if blank || wide && name.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return Err(DropReason::BadName);
    }
    if tagged {
        sorted(name)
    } else {
        Ok(Cow::Borrowed(name))
    }
}

/// Graphite's rule for `name;key=value;…`.
fn sorted(written: &str) -> Result<Cow<'_, str>, DropReason> {
    let mut parts = written.split(';');
    let name = parts
        .next()
        .filter(|name| !name.is_empty())
        .ok_or(DropReason::BadName)?;
    let mut tags: Vec<(&str, &str)> = Vec::new();
    for tag in parts {
        let (key, value) = tag
            .split_once('=')
            .filter(|(key, _)| !key.is_empty())
            .ok_or(DropReason::BadName)?;
        match tags.iter_mut().find(|known| known.0 == key) {
            Some(known) => known.1 = value,
            None => tags.push((key, value)),
        }
        if tags.len() > MOST_TAGS {
            return Err(DropReason::BadName);
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

/// The name of labels as it is stored ([`labels::name_of`]).
///
/// # Errors
/// [`DropReason::BadName`] without a `__name__`.
pub(super) fn of_labels<'a>(
    labels: impl Iterator<Item = (&'a str, &'a str)>,
    into: &mut String,
) -> Result<(), DropReason> {
    labels::name_of(labels, into)
        .then_some(())
        .ok_or(DropReason::BadName)
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
            assert_eq!(canonical(name, 99), Err(DropReason::BadName), "{name:?}");
        }
        assert_eq!(canonical("abcd", 3), Err(DropReason::NameTooLong));
        assert_eq!(canonical("größe.µ", 99).as_deref(), Ok("größe.µ"));
    }

    #[test]
    fn labels_become_tags() {
        let mut name = String::new();
        let labels = [("z", "1"), ("__name__", "up"), ("a", "x y;%="), ("gone", "")];
        assert_eq!(of_labels(labels.into_iter(), &mut name), Ok(()));
        assert_eq!(name, "up;a=x%20y%3B%25=;z=1");
        assert_eq!(canonical(&name, 99).as_deref(), Ok(name.as_str()));
        assert_eq!(
            of_labels([("a", "b")].into_iter(), &mut name),
            Err(DropReason::BadName)
        );
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
                of_labels(all, &mut name).expect("named");
                assert_eq!(canonical(&name, 9_999).as_deref(), Ok(name.as_str()));
                name
            };
            prop_assert_eq!(a == b, name(&a) == name(&b));
        }
    }
}
