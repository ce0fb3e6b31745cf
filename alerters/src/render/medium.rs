//! What a medium asks of foreign text: how wide it may be, and how it is quoted.

use crate::text;

/// Widest name in the body of a message; names may be kilobytes long.
pub(super) const NAME_COLUMNS: usize = 300;
/// Widest sentence of a finder.
pub(super) const SENTENCE_COLUMNS: usize = 500;

/// What foreign text has to become before it is put into a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Medium {
    /// One line of visible text. HTML is escaped by the engine on top.
    Text,
    /// The same in backticks, where Slack sees neither markup nor addresses nor mentions. What Slack
    /// takes for an entity is escaped by the engine on top.
    Slack,
}

impl Medium {
    /// `foreign` in at most so many columns, so that nothing in it is taken for markup.
    pub(super) fn quote(self, foreign: &str, columns: usize) -> String {
        let mut shown = text::shorten(foreign, columns);
        if shown.trim().is_empty() {
            shown = "(no name)".into();
        }
        match self {
            Self::Text => shown.into_owned(),
            // A backtick would end the code; its look-alike does not.
            Self::Slack => format!("`{}`", shown.replace('`', "ˋ")),
        }
    }
}
