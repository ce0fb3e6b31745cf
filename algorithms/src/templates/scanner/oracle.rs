//! The general masks as one regular expression, and the property that the scanner finds what it finds.

use std::sync::LazyLock;

use proptest::prelude::*;
use regex::Regex;

use super::{ValueKind, scan};

/// Alternatives in the order of [`ValueKind`], the words that are no values last. The part in brackets is the value.
const GRAMMAR: [(Option<ValueKind>, &str); 13] = [
    (
        Some(ValueKind::Url),
        r#"([A-Za-z][A-Za-z0-9+.-]*://[^\x00-\x20"'<>()\[\]{},;]+)"#,
    ),
    (
        Some(ValueKind::Uuid),
        r"([0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}(?-u:\b))",
    ),
    (
        Some(ValueKind::Time),
        r"((?:(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun),? )?(?:(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) +[0-9]{1,2}|[0-9]{1,2} (?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec))(?: [0-9]{4})? [0-9][0-9]:[0-9][0-9]:[0-9][0-9](?:[.,][0-9]+)?(?: [A-Z]{3,4}(?-u:\b))?(?: [0-9]{4}(?-u:\b))?)",
    ),
    (
        Some(ValueKind::Address),
        r"((?:[0-9a-fA-F]{1,4}:){5,7}[0-9a-fA-F]{1,4}(?-u:\b))",
    ),
    (
        Some(ValueKind::Host),
        r"([A-Za-z0-9_-]+(?:(?:\.[A-Za-z0-9_-]+){2,}(?::[0-9]+(?-u:\b))?|\.[a-z]{2,6}:[0-9]+(?-u:\b)))",
    ),
    (
        Some(ValueKind::Path),
        r"((?:[A-Za-z]:(?:\\[A-Za-z0-9_.@%+~$-]+)+\\?|(?:[A-Za-z0-9_.~-]+(?:/[A-Za-z0-9_.@%+~$-]+){2,}|~?(?:/[A-Za-z0-9_.@%+~$-]+)+)/?))",
    ),
    (Some(ValueKind::Quoted), r#"=("[^"]*")"#),
    (
        Some(ValueKind::Size),
        r"([0-9]+(?:\.[0-9]+)? ?(?:[KMGTP]i?B|[kKMGT]?[Bb]ytes?)(?-u:\b)(?: \([0-9]+(?:\.[0-9]+)? ?[KMGTP]i?B\))?)",
    ),
    (
        Some(ValueKind::Duration),
        r"(<?[0-9]+(?:\.[0-9]+)? ?(?:ns|us|ms|s|secs?|seconds?|mins?|minutes?|hours?|days?)(?-u:\b))",
    ),
    (
        Some(ValueKind::Number),
        r"([-+]?[0-9][A-Za-z0-9]*(?:[_-][A-Za-z0-9]+|[.:,/][0-9][A-Za-z0-9]*)*)",
    ),
    (
        Some(ValueKind::Hex),
        r"((?:[a-fA-F][0-9][0-9a-fA-F]{4,}|[a-fA-F]{2}[0-9][0-9a-fA-F]{3,}|[a-fA-F]{3}[0-9][0-9a-fA-F]{2,}|[a-fA-F]{4}[0-9][0-9a-fA-F]+|[a-fA-F]{5,}[0-9][0-9a-fA-F]*)(?-u:\b))",
    ),
    (
        Some(ValueKind::User),
        r"(?:for|by|as|of|from|to) user ([A-Za-z0-9_.@$-]+)",
    ),
    (None, r"([A-Za-z0-9]+(?:/[A-Za-z]+)*)"),
];

fn by_expression(expression: &Regex, line: &str) -> Vec<(ValueKind, usize, usize)> {
    let mut found = Vec::new();
    for captures in expression.captures_iter(line) {
        for (place, (kind, _)) in GRAMMAR.iter().enumerate() {
            if let (Some(kind), Some(value)) = (kind, captures.get(place + 1)) {
                found.push((*kind, value.start(), value.end()));
            }
        }
    }
    found
}

fn by_scanner(line: &str) -> Vec<(ValueKind, usize, usize)> {
    let mut found = Vec::new();
    scan(line, |kind, at| found.push((kind, at.start, at.end)));
    found
}

fn expression() -> Regex {
    let alternatives: Vec<_> = GRAMMAR.iter().map(|(_, text)| *text).collect();
    Regex::new(&alternatives.join("|")).expect("the grammar is a regular expression")
}

/// Pieces of values and of what stands between them: put together at random they are whole, cut off and run together.
fn line() -> impl Strategy<Value = String> {
    const PIECES: &[&str] = &[
        "http",
        "://",
        "s3",
        "git+ssh",
        "10",
        "1",
        "007",
        ".",
        "..",
        ":",
        "::",
        "/",
        "//",
        "-",
        "--",
        "_",
        "~",
        "+",
        "=",
        "\"",
        "=\"",
        " ",
        "  ",
        ",",
        ", ",
        ";",
        "(",
        ")",
        "[",
        "]",
        "<",
        ">",
        "<*>",
        "{",
        "}",
        "@",
        "%",
        "$",
        "'",
        "a",
        "ab",
        "fe",
        "deadbeef",
        "beef1",
        "cafe01",
        "abc",
        "xyz",
        "com",
        "example",
        "localhost",
        "eth0",
        "core",
        "blk",
        "KB",
        "KiB",
        "B",
        "bytes",
        "Byte",
        "kbytes",
        "ms",
        "sec",
        "seconds",
        "days",
        "s",
        "m",
        "1.5",
        "12:30:45",
        "08:00:27",
        "Mon",
        "Fri,",
        "Jul",
        "Jan",
        "2005",
        "12",
        "07:57:30",
        "UTC",
        "CEST",
        "Z",
        "T",
        "for user ",
        "user",
        "by user",
        "root",
        "O",
        "I/O",
        "and/or",
        "/etc/passwd",
        "C:",
        "\\",
        "d:\\Windows\\x.dll",
        "etc/ssh/sshd",
        "0x1f",
        "(1.2 KB)",
        " (5 KB)",
        "é",
        "日本",
        "b9000564-fe1a-409b-b8cc-1e88b294cd1d",
        "00:1a:2B:3c:4d:5e",
        "10.0.0.1",
        "fri",
        "\t",
        "\n",
        "\u{a0}",
    ];
    let piece = prop_oneof![
        8 => proptest::sample::select(PIECES).prop_map(str::to_owned),
        1 => "[0-9a-f:. /_-]{1,6}",
        1 => "\\PC",
    ];
    proptest::collection::vec(piece, 0..14).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn the_scanner_finds_what_the_regular_expression_finds(line in line()) {
        static EXPRESSION: LazyLock<Regex> = LazyLock::new(expression);
        prop_assert_eq!(by_scanner(&line), by_expression(&EXPRESSION, &line), "{:?}", line);
    }
}

#[test]
fn each_kind_of_value_is_found_whole() {
    let line = concat!(
        r#"GET https://a.b/c?d=1 id b9000564-fe1a-409b-b8cc-1e88b294cd1d at Fri Jul  1 07:57:30 2005 from "#,
        r#"00:1a:2b:3c:4d:5e via 10.0.0.1:80 and db.example.com:5432 to /var/log/x.log tag="a b" sent "#,
        r"1190 bytes (1.16 KB) in <1 sec, I/O on tty2 blk_-38 0x1f by user bob end cafe01 C:\Win\x.dll"
    );
    let found: Vec<_> = {
        let mut found = Vec::new();
        scan(line, |kind, at| found.push((kind.name(), &line[at])));
        found
    };
    assert_eq!(
        found,
        [
            ("URL", "https://a.b/c?d=1"),
            ("UUID", "b9000564-fe1a-409b-b8cc-1e88b294cd1d"),
            ("TIME", "Fri Jul  1 07:57:30 2005"),
            ("ADDRESS", "00:1a:2b:3c:4d:5e"),
            ("HOST", "10.0.0.1:80"),
            ("HOST", "db.example.com:5432"),
            ("PATH", "/var/log/x.log"),
            ("QUOTED", "\"a b\""),
            ("SIZE", "1190 bytes (1.16 KB)"),
            ("DURATION", "<1 sec"),
            ("NUMBER", "-38"),
            ("NUMBER", "0x1f"),
            ("USER", "bob"),
            ("HEX", "cafe01"),
            ("PATH", r"C:\Win\x.dll"),
        ]
    );
}
