//! Flags as Go's `flag` package has them: one dash or two, a value behind `=` or as the next argument; a switch takes a value
//! only behind `=`. The first argument that is no flag ends them, and `--` does.

use super::terminal::ToolError;

/// A flag that is known.
#[derive(Debug, Clone, Copy)]
pub(super) struct Flag {
    pub(super) name: &'static str,
    /// Its value if it is not given; `true` or `false` for a switch.
    pub(super) default: &'static str,
    pub(super) is_switch: bool,
    pub(super) help: &'static str,
}

/// A flag with a value.
pub(super) const fn value(name: &'static str, default: &'static str, help: &'static str) -> Flag {
    Flag {
        name,
        default,
        is_switch: false,
        help,
    }
}

/// A flag that is on or off.
pub(super) const fn switch(name: &'static str, default: &'static str, help: &'static str) -> Flag {
    Flag {
        name,
        default,
        is_switch: true,
        help,
    }
}

/// Programs ask for this.
pub(super) const JSON_FLAG: Flag = switch("json", "false", "answer with JSON, a line each");

/// What was given.
#[derive(Debug)]
pub(super) struct GivenFlags {
    known: &'static [Flag],
    values: Vec<Option<String>>,
    /// What follows the flags.
    pub(super) rest: Vec<String>,
}

/// Reads flags. `usage` is the first line of the help.
pub(super) fn parse(
    known: &'static [Flag],
    usage: &str,
    arguments: Vec<String>,
) -> Result<GivenFlags, ToolError> {
    let mut values = vec![None; known.len()];
    let mut arguments = arguments.into_iter().peekable();
    while let Some(argument) = arguments.peek() {
        let Some(name) = argument.strip_prefix('-').filter(|name| !name.is_empty()) else {
            break;
        };
        let name = name.strip_prefix('-').unwrap_or(name).to_owned();
        arguments.next();
        if name.is_empty() {
            break;
        }
        let (name, given) = match name.split_once('=') {
            Some((name, value)) => (name.to_owned(), Some(value.to_owned())),
            None => (name, None),
        };
        if matches!(&*name, "h" | "help") {
            return Err(ToolError::Usage(help(known, usage)));
        }
        let Some(index) = known.iter().position(|flag| flag.name == name) else {
            return Err(ToolError::Usage(format!(
                "flag provided but not defined: -{name}\n{}",
                help(known, usage)
            )));
        };
        let value = match given {
            Some(value) => Some(value),
            None if known[index].is_switch => Some("true".to_owned()),
            None => arguments.next(),
        };
        let value = value.ok_or_else(|| ToolError::Usage(format!("flag needs an argument: -{name}")))?;
        values[index] = Some(value);
    }
    Ok(GivenFlags {
        known,
        values,
        rest: arguments.collect(),
    })
}

fn help(known: &[Flag], usage: &str) -> String {
    let mut text = format!("Usage: {usage}");
    for flag in known {
        let default = match flag.default {
            "" | "false" => String::new(),
            default => format!(" (default {default})"),
        };
        text.push_str(&format!("\n  -{}\n    \t{}{default}", flag.name, flag.help));
    }
    text
}

impl GivenFlags {
    /// The value of a flag, or its default.
    pub(super) fn text(&self, name: &str) -> &str {
        let index = self.known.iter().position(|flag| flag.name == name);
        let index = index.expect("only flags that are declared are asked for");
        self.values[index].as_deref().unwrap_or(self.known[index].default)
    }

    /// The value as a number.
    pub(super) fn number(&self, name: &str) -> Result<i64, ToolError> {
        let text = self.text(name);
        let wrong = |_| {
            ToolError::Usage(format!(
                "invalid value `{text}` for flag -{name}: not a whole number"
            ))
        };
        text.parse().map_err(wrong)
    }

    /// Whether a switch is on.
    pub(super) fn is_on(&self, name: &str) -> Result<bool, ToolError> {
        match self.text(name) {
            "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(true),
            "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(false),
            other => Err(ToolError::Usage(format!(
                "invalid boolean value `{other}` for -{name}"
            ))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FLAGS: &[Flag] = &[
        value("server", "here", "the server"),
        value("stale", "300", "seconds"),
        switch("filter", "false", "whether"),
    ];

    fn parsed(arguments: &[&str]) -> Result<GivenFlags, ToolError> {
        parse(
            FLAGS,
            "tool",
            arguments.iter().map(|text| (*text).to_owned()).collect(),
        )
    }

    #[test]
    fn flags_are_read_as_go_reads_them() {
        for (arguments, server, stale, filter, rest) in [
            (&["-server", "a:1", "get"][..], "a:1", 300, false, &["get"][..]),
            (&["--server=a:1", "-stale=-1"], "a:1", -1, false, &[]),
            (
                &["-filter", "-stale", "-1", "x", "-server"],
                "here",
                -1,
                true,
                &["x", "-server"],
            ),
            (
                &["-filter=false", "--", "-server", "b"],
                "here",
                300,
                false,
                &["-server", "b"],
            ),
            (&["-"], "here", 300, false, &["-"]),
        ] {
            let given = parsed(arguments).expect("flags");
            let found = (given.text("server"), given.number("stale").expect("a number"));
            assert_eq!(found, (server, stale));
            assert_eq!(given.is_on("filter").expect("a switch"), filter);
            assert_eq!(given.rest, rest);
        }
        for refused in [&["-nothing"][..], &["-server"], &["-h"]] {
            assert!(matches!(parsed(refused), Err(ToolError::Usage(_))), "{refused:?}");
        }
        assert!(
            parsed(&["-stale", "soon"])
                .expect("flags")
                .number("stale")
                .is_err()
        );
        assert!(
            parsed(&["-filter=perhaps"])
                .expect("flags")
                .is_on("filter")
                .is_err()
        );
    }
}
