//! A notice in words: mail, Slack, a line for logs, pagers and syslog.
//!
//! Templates only arrange; every number, time and name is made readable in Rust first, so that all
//! media say the same. Undefined names are errors, HTML and Slack's entities are escaped by the engine,
//! and metric names are data to the templates and can never be template text.
//!
//! Any template may be replaced by a file of the same name in a folder. Such a file is tried on every kind
//! of notice when it is loaded; should it fail later all the same, the built-in one speaks in its place
//! and the log says so, for a badly dressed notice is worth more than none.

mod folder;
mod folds;
mod medium;
mod sentences;
mod words;

use std::fmt::Write as _;
use std::io;
use std::path::Path;

use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Serde, Value};
use minijinja::{AutoEscape, Environment, ErrorKind, UndefinedBehavior};

use crate::error::Error;
use crate::notice::Notice;
use crate::{sample, text};
pub use folder::TEMPLATES;
use medium::Medium;
use sentences::SUMMARY_COLUMNS;
pub use sentences::{contributors, ended, flapping, judged, log_line, summary};
use words::Words;

const EMBEDDED: [(&str, &str); 5] = [
    ("email.subject", include_str!("templates/email.subject")),
    ("email.txt", include_str!("templates/email.txt")),
    ("email.html", include_str!("templates/email.html")),
    ("slack.txt", include_str!("templates/slack.txt")),
    ("line.txt", include_str!("templates/line.txt")),
];

/// Steps a template may take for one message; the built-in ones take a tenth of it for the longest digest.
const FUEL: u64 = 200_000;
/// How deep templates, macros and loops may nest.
const DEPTH: usize = 60;
/// Longest message a template may write, bytes.
const LONGEST_MESSAGE: usize = 512 * 1024;
/// Name of Slack's way of escaping.
const SLACK: &str = "slack";
/// Widest line of [`Templates::line`].
const LINE_COLUMNS: usize = 1_000;
/// Longest message Slack shows whole, characters; it cuts at 40,000.
const SLACK_CHARACTERS: usize = 30_000;

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
    embedded: Environment<'static>,
    /// The same with what a folder replaces; `None` when it replaces nothing.
    replaced: Option<Environment<'static>>,
}

impl Templates {
    /// The embedded templates.
    ///
    /// # Errors
    /// [`Error::Template`] when one does not parse; tests keep that from happening.
    pub fn embedded() -> Result<Self, Error> {
        Self::load(None)
    }

    /// The embedded templates, with those replaced for which `folder` holds a file of the same name.
    ///
    /// # Errors
    /// [`Error::TemplateFile`] for a folder or file that cannot be read, leads out of the folder, is too
    /// long or has no template's name; [`Error::Template`] for one that does not parse.
    pub fn load(folder: Option<&Path>) -> Result<Self, Error> {
        let replacing = folder.map(folder::read).transpose()?.unwrap_or_default();
        let replaced = if replacing.is_empty() {
            None
        } else {
            let mut environment = environment()?;
            for (name, source) in replacing {
                environment
                    .add_template_owned(name, source)
                    .map_err(|source| failed(name, source))?;
            }
            Some(environment)
        };
        Ok(Self {
            embedded: environment()?,
            replaced,
        })
    }

    /// Renders every kind of notice, with names of every kind, by every template: what is wrong with a
    /// replaced template is found here and not when it matters.
    ///
    /// # Errors
    /// [`Error::Template`], the first for each template that fails.
    pub fn check(&self) -> Result<(), Vec<Error>> {
        let environment = self.replaced.as_ref().unwrap_or(&self.embedded);
        let notices = sample::every_kind();
        let try_one = |name: &str, notice: &Notice| {
            let drawn = notice.news().is_some_and(|news| !news.items.is_empty());
            render(environment, name, notice, if drawn { "cid:chart" } else { "" })
        };
        let failures: Vec<Error> = (TEMPLATES.iter())
            .filter_map(|name| notices.iter().find_map(|(_, notice)| try_one(name, notice).err()))
            .collect();
        if failures.is_empty() {
            Ok(())
        } else {
            Err(failures)
        }
    }

    /// The e-mail for a notice, without a picture.
    ///
    /// # Errors
    /// [`Error::Template`].
    pub fn email(&self, notice: &Notice) -> Result<Mail, Error> {
        self.email_with_picture(notice, "")
    }

    /// The e-mail for a notice, with the address of its picture (`cid:…`); empty for none.
    ///
    /// # Errors
    /// [`Error::Template`].
    pub fn email_with_picture(&self, notice: &Notice, picture: &str) -> Result<Mail, Error> {
        let subject = self.render("email.subject", notice, picture)?;
        Ok(Mail {
            subject: text::shorten(subject.trim(), SUMMARY_COLUMNS).into_owned(),
            text: format!("{}\n", self.render("email.txt", notice, picture)?.trim_end()),
            html: self.render("email.html", notice, picture)?,
        })
    }

    /// The message for Slack, in its mrkdwn: names are code, `&`, `<` and `>` are escaped.
    ///
    /// # Errors
    /// [`Error::Template`].
    pub fn slack(&self, notice: &Notice) -> Result<String, Error> {
        let message = self.render("slack.txt", notice, "")?;
        let message = message.trim_end();
        match message.char_indices().nth(SLACK_CHARACTERS) {
            // At the end of a line, so that nothing is cut within a link or an entity.
            Some((end, _)) => {
                let whole = message[..end].rfind('\n').unwrap_or(0);
                Ok(format!("{}\n…", &message[..whole]))
            }
            None => Ok(message.to_owned()),
        }
    }

    /// The notice in one line of at most 1,000 columns, for logs, syslog and pagers.
    ///
    /// # Errors
    /// [`Error::Template`].
    pub fn line(&self, notice: &Notice) -> Result<String, Error> {
        let line = self.render("line.txt", notice, "")?;
        Ok(text::shorten(line.trim(), LINE_COLUMNS).into_owned())
    }

    fn render(&self, name: &str, notice: &Notice, picture: &str) -> Result<String, Error> {
        if let Some(replaced) = &self.replaced {
            match render(replaced, name, notice, picture) {
                Ok(message) => return Ok(message),
                Err(error) => tracing::warn!("{error} :: the built-in template is used instead"),
            }
        }
        render(&self.embedded, name, notice, picture)
    }
}

/// The embedded templates, parsed, under the limits that hold for all.
fn environment() -> Result<Environment<'static>, Error> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_syntax(tags_leave_no_blank_lines()?);
    environment.set_fuel(Some(FUEL));
    environment.set_recursion_limit(DEPTH);
    // What makes much of little: a template has lists enough to walk, and `pad` for columns.
    for function in ["range", "namespace"] {
        environment.remove_global(function);
    }
    environment.remove_filter("format");
    environment.add_filter("pad", pad);
    environment.set_auto_escape_callback(|name| {
        if name.ends_with(".html") {
            AutoEscape::Html
        } else if name.ends_with("slack.txt") {
            AutoEscape::Custom(SLACK.into())
        } else {
            AutoEscape::None
        }
    });
    environment.set_formatter(|out, state, value| {
        if !matches!(state.auto_escape(), AutoEscape::Custom(medium) if medium == SLACK) {
            return minijinja::escape_formatter(out, state, value);
        }
        if value.is_safe() {
            return Ok(write!(out, "{value}")?);
        }
        for c in value.to_string().chars() {
            match c {
                '&' => out.write_str("&amp;")?,
                '<' => out.write_str("&lt;")?,
                '>' => out.write_str("&gt;")?,
                c => out.write_char(c)?,
            }
        }
        Ok(())
    });
    for (name, source) in EMBEDDED {
        environment
            .add_template(name, source)
            .map_err(|source| failed(name, source))?;
    }
    Ok(environment)
}

/// `{{ "Value:"|pad(12) }}`: filled up with spaces to a width.
fn pad(value: &Value, columns: usize) -> String {
    let columns = columns.min(200);
    format!("{:<columns$}", value.to_string())
}

fn tags_leave_no_blank_lines() -> Result<SyntaxConfig, Error> {
    SyntaxConfig::builder()
        .trim_blocks(true)
        .lstrip_blocks(true)
        .build()
        .map_err(|source| failed("syntax", source))
}

fn render(
    environment: &Environment<'_>,
    name: &str,
    notice: &Notice,
    picture: &str,
) -> Result<String, Error> {
    let medium = if name == "slack.txt" {
        Medium::Slack
    } else {
        Medium::Text
    };
    let words = Words::of(notice, medium, picture);
    let mut message = Bounded(Vec::new());
    environment
        .get_template(name)
        .and_then(|template| template.render_captured_to(Serde(&words), &mut message))
        .map_err(|source| failed(name, source))?;
    String::from_utf8(message.0).map_err(|_| {
        let why = "it wrote what is no UTF-8";
        failed(name, minijinja::Error::new(ErrorKind::InvalidOperation, why))
    })
}

fn failed(template: &str, source: minijinja::Error) -> Error {
    Error::Template {
        template: template.into(),
        source,
    }
}

/// A message being written, which may not grow for ever.
struct Bounded(Vec<u8>);

impl io::Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.len() + bytes.len() > LONGEST_MESSAGE {
            return Err(io::Error::other("the message is longer than 512 KiB"));
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests;
