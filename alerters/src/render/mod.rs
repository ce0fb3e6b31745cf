//! An anomaly in words: the log line, and the e-mail with its subject, text and HTML.
//!
//! Templates only arrange; every number, time and name is made readable in Rust first, so that all
//! media say the same. Templates are embedded, undefined names are errors, and HTML is escaped by
//! the engine. Metric names are data to the templates and can never be template text.

mod words;

use std::borrow::Cow;

use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, UndefinedBehavior};

use crate::anomaly::Anomaly;
use crate::error::Error;
use crate::notice::Notice;
use crate::text;
use words::Words;

/// Widest subject line. Phones show about 40 columns, so what matters comes first; servers and
/// list software start to mangle beyond this.
const SUBJECT_COLUMNS: usize = 120;
/// Widest name in a subject, so that the value is always seen beside it.
const SUBJECT_NAME_COLUMNS: usize = 70;

/// An e-mail's words, without addresses.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mail {
    /// One line without control characters, at most 120 columns.
    pub subject: String,
    /// The plain text part.
    pub text: String,
    /// The HTML part, complete in itself.
    pub html: String,
}

/// The message templates, parsed once.
#[derive(Debug)]
pub struct Templates {
    environment: Environment<'static>,
}

impl Templates {
    /// The embedded templates.
    ///
    /// # Errors
    /// [`Error::Template`] when one does not parse; tests keep that from happening.
    pub fn embedded() -> Result<Self, Error> {
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_syntax(tags_leave_no_blank_lines()?);
        environment.set_auto_escape_callback(|name| {
            if name.ends_with(".html") {
                AutoEscape::Html
            } else {
                AutoEscape::None
            }
        });
        for (name, source) in [
            ("email.txt", include_str!("templates/email.txt")),
            ("email.html", include_str!("templates/email.html")),
        ] {
            environment
                .add_template(name, source)
                .map_err(|source| Error::Template {
                    template: name.into(),
                    source,
                })?;
        }
        Ok(Self { environment })
    }

    /// The e-mail for a notice.
    ///
    /// # Errors
    /// [`Error::Template`].
    pub fn email(&self, notice: &Notice) -> Result<Mail, Error> {
        let Some(item) = notice.news().and_then(|news| news.items.first()) else {
            return Ok(Mail::default());
        };
        let words = Words::of(notice, item);
        Ok(Mail {
            subject: summary(notice),
            text: self.render("email.txt", &words)?,
            html: self.render("email.html", &words)?,
        })
    }

    /// The message for Slack, in its mrkdwn; names and values escaped as Slack asks.
    ///
    /// # Errors
    /// [`Error::Template`].
    pub fn slack(&self, notice: &Notice) -> Result<String, Error> {
        Ok(summary(notice))
    }

    fn render(&self, name: &str, words: &Words) -> Result<String, Error> {
        self.environment
            .get_template(name)
            .and_then(|template| template.render(Serde(words)))
            .map_err(|source| Error::Template {
                template: name.into(),
                source,
            })
    }
}

fn tags_leave_no_blank_lines() -> Result<SyntaxConfig, Error> {
    SyntaxConfig::builder()
        .trim_blocks(true)
        .lstrip_blocks(true)
        .build()
        .map_err(|source| Error::Template {
            template: "syntax".into(),
            source,
        })
}

/// One line a person can read: what, how much, how much was expected, when, and who says so.
///
/// ```text
/// web1.cpu is 97.2, above the expected 20.1 to 40.3, at 2026-11-21 13:42 UTC; 2 of 3 detectors: grubbs, ks_test
/// ```
pub fn log_line(anomaly: &Anomaly) -> String {
    let name = words::name(anomaly);
    let rate = if anomaly.evidence.rate {
        " (change per step)"
    } else {
        ""
    };
    let findings = words::findings(anomaly);
    let at = crate::units::time(anomaly.at);
    let votes = words::votes_in_short(anomaly);
    format!("{name}{rate} is {findings}, at {at}; {votes}")
}

/// The notice in one line without control characters, at most 120 columns:
/// `[skywatch] web1.cpu is 97.2, expected 20.1 to 40.3`
pub fn summary(notice: &Notice) -> String {
    let Some(item) = notice.news().and_then(|news| news.items.first()) else {
        return "[skywatch]".into();
    };
    let anomaly = &item.anomaly;
    let name: Cow<'_, str> = text::shorten(anomaly.name(), SUBJECT_NAME_COLUMNS);
    let findings = words::findings(anomaly);
    text::shorten(&format!("[skywatch] {name} is {findings}"), SUBJECT_COLUMNS).into_owned()
}

#[cfg(test)]
mod tests;
