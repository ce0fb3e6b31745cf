//! A settings file while it is read: its entries in order, and where they stand.

use std::ops::Range;
use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::origin::Origin;
use crate::raw::Given;
use crate::written::Written;

/// An entry of a table: where its key stands, the key, the value.
pub(crate) type TableEntry<'t, 'i> = (Range<usize>, &'t str, &'t Spanned<DeValue<'i>>);

/// The entries of a table as they stand in the file.
pub(crate) fn in_order<'t, 'i>(table: &'t DeTable<'i>) -> Vec<TableEntry<'t, 'i>> {
    let mut entries: Vec<_> = table
        .iter()
        .map(|(key, value)| (key.span(), key.get_ref().as_ref(), value))
        .collect();
    entries.sort_by_key(|(span, _, _)| span.start);
    entries
}

/// The text of a settings file and the name its caller knows it by.
pub(crate) struct File<'a> {
    pub(crate) path: &'a Path,
    pub(crate) text: &'a str,
}

impl File<'_> {
    /// The entry as the value of the dotted key.
    pub(crate) fn given(&self, key: String, (span, _, value): &TableEntry<'_, '_>) -> Given {
        Given {
            key,
            written: Written::from_toml(value.get_ref()),
            text: match value.get_ref() {
                DeValue::Table(_) => "a table".to_owned(),
                _ => self.text.get(value.span()).unwrap_or_default().to_owned(),
            },
            origin: self.origin(span),
        }
    }

    /// Line and column of a byte, both counted from one, the column in characters.
    pub(crate) fn position(&self, byte: usize) -> (usize, usize) {
        let before = self.text.get(..byte).unwrap_or(self.text);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        (
            before.matches('\n').count() + 1,
            before[line_start..].chars().count() + 1,
        )
    }

    pub(crate) fn origin(&self, span: &Range<usize>) -> Origin {
        Origin::File {
            path: self.path.to_owned(),
            line: self.position(span.start).0,
        }
    }
}
