//! One command of the client, from its words.

use skywatch_algorithms::verdicts::Status;

/// What `help` prints, and what an incomplete command is answered with.
pub(super) const HELP: &str = "LineCommand list:
\t me [observer]
\t report subject [<metric:status:score...>]
\t get [report|view|inference|panorama|verdict] [observer] subject
\t list [subject]
\t dump [inference|panorama|verdict]
\t changes [subject]
\t watch [subject...]
\t tail freq [get|dump]...
\t ping
\t help
\t exit
";

/// First words of commands, for completion.
pub(super) const WORDS: [&str; 12] = [
    "me", "report", "get", "list", "dump", "changes", "watch", "tail", "ping", "help", "exit", "quit",
];

/// What is asked of the server.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum LineQuestion {
    Report(String),
    View { observer: String, subject: String },
    Inference(String),
    Panorama(String),
    Verdict(String),
    AllInferences,
    AllPanoramas,
    AllVerdicts,
}

/// A command.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum LineCommand {
    /// Nothing was typed.
    Nothing,
    /// Who am I?
    WhoAmI,
    /// I am this observer from now on.
    Me(String),
    /// A report about a subject.
    Report {
        subject: String,
        metrics: Vec<(String, Status, f32)>,
    },
    Ask(LineQuestion),
    /// What is watched?
    Subjects,
    /// The last changes, of one subject or all.
    Changes(Option<String>),
    /// Changes as they happen.
    Watch(Vec<String>),
    /// A question again and again, each so many seconds.
    Tail(u64, LineQuestion),
    Ping,
    Help,
    Exit,
}

/// Why words are no command.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Wrong {
    /// Something is missing; the help says what.
    Incomplete,
    /// The first word is none we know.
    Unknown,
    /// A metric of a report is none.
    Metric(String),
}

impl std::fmt::Display for Wrong {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Incomplete => formatter.write_str(HELP.trim_end()),
            Self::Unknown => formatter.write_str("bad command, try \"help\"."),
            Self::Metric(metric) => writeln!(formatter, "invalid health metric {metric}"),
        }
    }
}

/// The command that `words` are.
pub(super) fn parse(words: &[&str]) -> Result<LineCommand, Wrong> {
    let owned = |text: &&str| (*text).to_owned();
    Ok(match words {
        [] => LineCommand::Nothing,
        ["me"] => LineCommand::WhoAmI,
        ["me", observer, ..] => LineCommand::Me(owned(observer)),
        ["report", subject, metrics @ ..] if !metrics.is_empty() => LineCommand::Report {
            subject: owned(subject),
            metrics: metrics
                .iter()
                .map(|text| metric(text))
                .collect::<Result<_, _>>()?,
        },
        ["get" | "dump", ..] => LineCommand::Ask(question(words)?),
        ["list", "subject", ..] => LineCommand::Subjects,
        ["changes"] => LineCommand::Changes(None),
        ["changes", subject, ..] => LineCommand::Changes(Some(owned(subject))),
        ["watch", subjects @ ..] => LineCommand::Watch(subjects.iter().map(owned).collect()),
        ["tail", seconds, asked @ ..] => {
            let seconds = seconds.parse().ok().filter(|seconds| *seconds > 0);
            LineCommand::Tail(seconds.ok_or(Wrong::Incomplete)?, question(asked)?)
        }
        ["ping", ..] => LineCommand::Ping,
        ["help", ..] => LineCommand::Help,
        ["exit" | "quit", ..] => LineCommand::Exit,
        ["report" | "list" | "tail", ..] => return Err(Wrong::Incomplete),
        _ => return Err(Wrong::Unknown),
    })
}

fn question(words: &[&str]) -> Result<LineQuestion, Wrong> {
    Ok(match words {
        ["get", "report", subject, ..] => LineQuestion::Report((*subject).to_owned()),
        ["get", "view", observer, subject, ..] => LineQuestion::View {
            observer: (*observer).to_owned(),
            subject: (*subject).to_owned(),
        },
        ["get", "inference", subject, ..] => LineQuestion::Inference((*subject).to_owned()),
        ["get", "panorama", subject, ..] => LineQuestion::Panorama((*subject).to_owned()),
        ["get", "verdict", subject, ..] => LineQuestion::Verdict((*subject).to_owned()),
        ["dump", "inference", ..] => LineQuestion::AllInferences,
        ["dump", "panorama", ..] => LineQuestion::AllPanoramas,
        ["dump", "verdict", ..] => LineQuestion::AllVerdicts,
        _ => return Err(Wrong::Incomplete),
    })
}

/// `name:code:score`; the name may have colons in it.
fn metric(text: &str) -> Result<(String, Status, f32), Wrong> {
    let wrong = || Wrong::Metric(text.to_owned());
    let mut parts = text.rsplitn(3, ':');
    let (score, code, name) = (parts.next(), parts.next(), parts.next());
    let score = score
        .and_then(|score| score.parse::<f32>().ok())
        .filter(|score| score.is_finite());
    let status = code.and_then(Status::from_code);
    match (name, status, score) {
        (Some(name), Some(status), Some(score)) if !name.is_empty() => Ok((name.to_owned(), status, score)),
        _ => Err(wrong()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<LineCommand, Wrong> {
        parse(&line.split_whitespace().collect::<Vec<_>>())
    }

    #[test]
    fn lines_become_commands() {
        let report = LineCommand::Report {
            subject: "peer@1".to_owned(),
            metrics: vec![
                ("snapshot".to_owned(), Status::Unhealthy, 30.0),
                ("a:b".to_owned(), Status::Dead, 0.5),
            ],
        };
        assert_eq!(parsed("report peer@1 snapshot:u:30 a:b:dd:0.5"), Ok(report));
        let view = LineQuestion::View {
            observer: "o".to_owned(),
            subject: "s".to_owned(),
        };
        assert_eq!(parsed("tail 2 get view o s"), Ok(LineCommand::Tail(2, view)));
        assert_eq!(parsed("  me   peer@2 "), Ok(LineCommand::Me("peer@2".to_owned())));
        assert_eq!(parsed(""), Ok(LineCommand::Nothing));
        for incomplete in [
            "get",
            "get view s",
            "report",
            "report s",
            "list",
            "tail 0 dump inference",
            "tail x",
            "dump",
        ] {
            assert_eq!(parsed(incomplete), Err(Wrong::Incomplete), "{incomplete}");
        }
        for metric in ["bad:z:1", "a:u", "a:u:x", ":u:1", "a:u:NaN", "a:U:1"] {
            let wrong = Wrong::Metric(metric.to_owned());
            assert_eq!(parsed(&format!("report s a:u:1 {metric} b:u:1")), Err(wrong));
        }
        assert_eq!(parsed("frobnicate"), Err(Wrong::Unknown));
    }
}
