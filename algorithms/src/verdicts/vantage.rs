//! From where an observer looks.

/// The kind of an observer, from its name: what stands before the first `@`, `:`, `/` or `#`, without a number at its end and
/// what joins it. So `peer@1` and `peer@2` are of one kind and `client` is of another, as are `FE_2` and `BE_2`.
///
/// Observers of one kind that look at the same thing have one vantage: they may outvote each other. Others may not.
#[must_use]
pub fn observer_kind(observer: &str) -> &str {
    let kind = observer.split(['@', ':', '/', '#']).next().unwrap_or_default();
    let kind = kind.trim_end_matches(|c: char| c.is_ascii_digit());
    let kind = kind.trim_end_matches(['_', '-', '.']);
    if kind.is_empty() { observer } else { kind }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_does_not_make_a_kind() {
        for (observer, kind) in [
            ("peer@1", "peer"),
            ("peer@22", "peer"),
            ("FE_2", "FE"),
            ("client", "client"),
            ("client-17", "client"),
            ("analyzer:worker/3", "analyzer"),
            ("10.0.0.7:6688", "10.0.0"),
            ("42", "42"),
            ("@x", "@x"),
            ("", ""),
        ] {
            assert_eq!(observer_kind(observer), kind, "{observer}");
        }
    }
}
