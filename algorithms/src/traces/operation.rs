//! Operations of one service by their templates.
//!
//! Numbers and ids are masked at once; what else varies (`GET /users/alice`) a [`TemplateMiner`] finds out. The general masks of
//! lines ([`templates::scanner`](crate::templates::scanner)) are of no use here: they take a path for one value, and a path is what
//! tells operations apart. Folding is more careful than with lines, too: names of operations are made to tell code apart, so
//! methods of an interface, tables and resources stand in one place, all else equal, and are no values.

use std::borrow::Cow;
use std::sync::LazyLock;

use crate::templates::{
    ClusterId, MinerOptions, MinerSnapshot, MinerUpdate, TemplateError, TemplateGrouping, TemplateMiner,
    VariableOptions, WILDCARD,
};

/// How operations are folded.
static OPTIONS: LazyLock<MinerOptions> = LazyLock::new(|| MinerOptions {
    masks: Vec::new(),
    general_masks: false,
    // What parts words in paths, queries, names of methods and keys. Not `-` and `_`, which join the words of one name.
    delimiters: "/\\:.,;?&=#@|+()[]{}'\"`$".to_owned(),
    grouping: TemplateGrouping::Variables(VariableOptions {
        // The largest set of names that was met in code is 10 methods of one interface; tables of one database are some dozens.
        words: 50,
        // Versions (`v1`, `v2`) and shards (`db0` to `db3`) are few.
        numbered_words: 8,
        // `/orders/search` is not what `/orders/17` is.
        values_prove: false,
        ..VariableOptions::default()
    }),
    // A hundred are many. The least recently used gives way.
    max_clusters: 2_000,
});

/// Learns the templates of the operations of one service.
#[derive(Debug, Clone)]
pub struct OperationMiner(TemplateMiner);

impl Default for OperationMiner {
    fn default() -> Self {
        Self(TemplateMiner::new(&OPTIONS).expect("options within their ranges"))
    }
}

impl OperationMiner {
    /// Takes an operation in: finds its cluster or makes one.
    pub fn learn(&mut self, operation: &str) -> MinerUpdate {
        self.0.learn(&masked(operation))
    }

    /// The cluster of an operation, if it was learnt.
    #[must_use]
    pub fn find(&self, operation: &str) -> Option<ClusterId> {
        self.0.find(&masked(operation))
    }

    /// The operation with what varies in it as `<*>`; of one that was not learnt, numbers and ids.
    #[must_use]
    pub fn template(&self, operation: &str) -> String {
        let masked = masked(operation);
        match self.0.template_of(&masked) {
            Some((_, template)) => template,
            None => masked.into_owned(),
        }
    }

    /// The words of a cluster's template, with blanks between. O(clusters).
    #[must_use]
    pub fn words(&self, cluster: ClusterId) -> Option<String> {
        self.0.template(cluster)
    }

    /// What was learnt, to go on from later.
    #[must_use]
    pub fn snapshot(&self) -> MinerSnapshot {
        self.0.snapshot()
    }

    /// Goes on from where the snapshot was taken.
    ///
    /// # Errors
    /// A snapshot of another form or of lines, and one that holds what no miner has written.
    pub fn restore(snapshot: &MinerSnapshot) -> Result<Self, TemplateError> {
        if *snapshot.options() != *OPTIONS {
            let why = "it was learnt with other options";
            return Err(TemplateError::Snapshot(why.to_owned()));
        }
        TemplateMiner::restore(snapshot).map(Self)
    }
}

/// Fewest hexadecimal digits, one of them a decimal one, that are taken for an id and not for a word such as `b2b` or `cafe1`.
const ID_DIGITS: usize = 8;
/// Hexadecimal digits of a UUID, group by group (RFC 9562).
const UUID_GROUPS: [usize; 5] = [8, 4, 4, 4, 12];
/// Bytes of a UUID.
const UUID_BYTES: usize = 36;

/// The operation with every part masked that is a UUID, a number, or hexadecimal digits as ids have them. Parts are what letters,
/// digits and nothing else make up, so `v1`, `path12` and `ts-order2-service` stay; masks with nothing but a hyphen between become
/// one.
pub(super) fn masked(operation: &str) -> Cow<'_, str> {
    let whole = operation.trim();
    if !whole.bytes().any(|byte| byte.is_ascii_digit()) {
        return Cow::Borrowed(whole);
    }
    let mut text = String::with_capacity(whole.len());
    let mut rest = whole;
    while !rest.is_empty() {
        let is_uuid = begins_with_uuid(rest);
        let end = if is_uuid { UUID_BYTES } else { word_end(rest) };
        let (word, after) = rest.split_at(end);
        text.push_str(if is_uuid || is_variable(word) {
            WILDCARD
        } else {
            word
        });
        let (between, next) = after.split_at(after.find(char::is_alphanumeric).unwrap_or(after.len()));
        text.push_str(between);
        rest = next;
    }
    while text.contains("<*>-<*>") {
        text = text.replace("<*>-<*>", WILDCARD);
    }
    Cow::Owned(text)
}

/// Bytes of the word a text begins with; 0 if it begins with none.
fn word_end(text: &str) -> usize {
    text.find(|letter: char| !letter.is_alphanumeric())
        .unwrap_or(text.len())
}

fn begins_with_uuid(text: &str) -> bool {
    let mut groups = text.splitn(UUID_GROUPS.len(), '-');
    let is_group = |(at, digits): (usize, &usize)| {
        let Some(group) = groups.next() else { return false };
        // The last one ends where the word does.
        let word = if at + 1 == UUID_GROUPS.len() {
            &group[..word_end(group)]
        } else {
            group
        };
        word.len() == *digits && word.bytes().all(|byte| byte.is_ascii_hexdigit())
    };
    UUID_GROUPS.iter().enumerate().all(is_group)
}

fn is_variable(word: &str) -> bool {
    let bytes = word.as_bytes();
    let digits = bytes.iter().filter(|byte| byte.is_ascii_digit()).count();
    let hexadecimal = bytes.iter().all(u8::is_ascii_hexdigit);
    digits > 0 && (digits == bytes.len() || (hexadecimal && (bytes.len() >= ID_DIGITS || bytes.len() == 4)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variable_parts_are_masked_and_words_with_digits_are_not() {
        for (operation, expected) in [
            ("GET /api/v1/orders/12345", "GET /api/v1/orders/<*>"),
            (
                "/users/7f9c24e8-3b1a-4c5d-9e0f-112233445566/cart",
                "/users/<*>/cart",
            ),
            // Groups without a decimal digit.
            ("/users/7f9c24e8-cafe-beef-9e0f-abcdefabcdef", "/users/<*>"),
            ("/users/7f9c24e8-cafe", "/users/<*>-cafe"),
            ("SELECT db0.orders", "SELECT db0.orders"),
            ("HSET key:88", "HSET key:<*>"),
            ("path12", "path12"),
            ("GET /o/deadbeef00", "GET /o/<*>"),
            ("/api/{accountId}", "/api/{accountId}"),
            ("HTTP GET", "HTTP GET"),
            ("/größe/7/é8", "/größe/<*>/é8"),
            (" /7/ ", "/<*>/"),
        ] {
            assert_eq!(masked(operation), expected, "{operation}");
        }
    }
}
