//! Log files that are followed.

use std::collections::HashSet;
use std::time::Duration;

use regex::Regex;

use crate::check::Check;
use crate::section::{SECOND, Section};

/// Headers that are known by name: what a `message` is behind them.
const HEADERS: [(&str, &str); 4] = [
    // As rsyslog writes it; the program stays, as it tells statements apart.
    (
        "syslog",
        r"^(?:<\d+>)?[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d \S+ (?<message>.*)$",
    ),
    // Date and time of most programs, up to the level.
    (
        "iso8601",
        r"^\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d\S* (?<message>.*)$",
    ),
    // Kubernetes and glog.
    ("klog", r"^[IWEF]\d{4} \d\d:\d\d:\d\d\.\d+ +\d+ (?<message>.*)$"),
    // The error logs of Apache's server.
    ("apache", r"^\[[^\]]*\d\d:\d\d:\d\d[^\]]*\] (?<message>.*)$"),
];

options! {
    /// Log files that are followed.
    pub Logs {
        /// The files, each as `NAME=PATH` or `NAME:HEADER=PATH`.
        files: Vec<String> = Vec::new(),
        /// Headers beyond those that are known, each as `NAME=REGULAR EXPRESSION` with a group `message`.
        headers: Vec<String> = Vec::new(),
        /// What a point counts the lines of.
        interval: Duration = Duration::from_secs(60) => SECOND..,
        /// What the names of all metrics begin with.
        prefix: String = "logs".to_owned(),
        /// Templates of a file that have a metric of their own, at most.
        max_rates: usize = 200,
    }
}

/// One file of [`Logs`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FollowedFile<'s> {
    /// Stands in the names of its metrics.
    pub name: &'s str,
    /// The expression that cuts its header; `None` for no header.
    pub header: Option<&'s str>,
    /// Where it is.
    pub path: &'s str,
}

impl Logs {
    /// The files, those that cannot be read as one left out.
    pub fn files(&self) -> impl Iterator<Item = FollowedFile<'_>> {
        self.files.iter().filter_map(|file| self.file(file))
    }

    fn file<'s>(&'s self, written: &'s str) -> Option<FollowedFile<'s>> {
        let (name, path) = written.split_once('=')?;
        let (name, header) = match name.split_once(':') {
            Some((name, header)) => (name, Some(self.header(header)?)),
            None => (name, None),
        };
        (is_name(name) && !path.is_empty()).then_some(FollowedFile { name, header, path })
    }

    fn header(&self, name: &str) -> Option<&str> {
        let own = self.headers.iter().filter_map(|header| header.split_once('='));
        let mut all = own.chain(HEADERS);
        all.find(|(known, _)| *known == name)
            .map(|(_, expression)| expression)
    }
}

/// Whether it can be an element of a metric's name.
fn is_name(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'))
}

impl Section for Logs {
    fn check(&self, check: &mut Check<'_>) {
        let is_header = |header: &String| {
            header.split_once('=').is_some_and(|(name, expression)| {
                let expression = Regex::new(expression);
                is_name(name)
                    && expression
                        .is_ok_and(|found| found.capture_names().flatten().any(|group| group == "message"))
            })
        };
        check.require(
            self.headers.iter().all(is_header),
            "headers",
            &self.headers,
            "expected headers such as `'app=^\\S+ (?<message>.*)$'`: a name, and a regular expression with a group `message`",
        );
        let names: HashSet<_> = self.files().map(|file| file.name).collect();
        check.require(
            names.len() == self.files.len(),
            "files",
            &self.files,
            "expected files such as `\"auth:syslog=/var/log/auth.log\"`, each with a name of its own; known headers are `syslog`, \
             `iso8601`, `klog`, `apache` and those of `logs.headers`",
        );
        let is_prefix = self.prefix.split('.').all(is_name);
        check.require(
            is_prefix,
            "prefix",
            &self.prefix,
            "expected elements of letters, digits, `_` and `-`, with dots between",
        );
    }
}
