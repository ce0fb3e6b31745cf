//! The name of a Prometheus series: its labels as tags, the same whether it was pushed to us or fetched.

use std::fmt::Write as _;

/// Writes labels as tags behind the label `__name__`. What has a meaning in a name (`;`, `=` in a key, blanks, control
/// characters, `%` itself) is written as `%XX`, so that different labels never become the same name.
/// False without a `__name__`.
pub(crate) fn name_of<'a>(labels: impl Iterator<Item = (&'a str, &'a str)>, into: &mut String) -> bool {
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
