//! What a literal says.

/// A value of Python, as far as literals go.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::skyline_settings) enum PythonValue {
    None,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
    Bytes(Vec<u8>),
    /// A list, a tuple or a set.
    Items(Vec<PythonValue>),
    /// In the order of the file; of equal keys the last counts.
    Dict(Vec<(PythonValue, PythonValue)>),
    /// What is no literal.
    Computed(Computed),
}

/// An expression that is not evaluated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::skyline_settings) struct Computed {
    /// Its names and signs; texts in it, which may be secrets, as `'…'`.
    pub(in crate::skyline_settings) shown: String,
    /// Its line, from one.
    pub(in crate::skyline_settings) line: usize,
}

impl PythonValue {
    pub(in crate::skyline_settings) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The elements of a list or tuple.
    pub(in crate::skyline_settings) fn items(&self) -> Option<&[PythonValue]> {
        match self {
            Self::Items(items) => Some(items),
            _ => None,
        }
    }

    /// What a dict has under a text.
    pub(in crate::skyline_settings) fn get(&self, key: &str) -> Option<&PythonValue> {
        match self {
            Self::Dict(pairs) => {
                let pair = pairs.iter().rev().find(|(name, _)| name.text() == Some(key));
                pair.map(|(_, value)| value)
            }
            _ => None,
        }
    }

    /// Whether Python's `if` would take it: not for `None`, zero and what is empty.
    pub(in crate::skyline_settings) fn is_true(&self) -> bool {
        match self {
            Self::None => false,
            Self::Bool(value) => *value,
            Self::Int(number) => *number != 0,
            Self::Float(number) => *number != 0.0,
            Self::Text(text) => !text.is_empty(),
            Self::Bytes(bytes) => !bytes.is_empty(),
            Self::Items(items) => !items.is_empty(),
            Self::Dict(pairs) => !pairs.is_empty(),
            Self::Computed(_) => true,
        }
    }

    /// The first expression in it that is not evaluated.
    pub(in crate::skyline_settings) fn computed(&self) -> Option<&Computed> {
        match self {
            Self::Computed(computed) => Some(computed),
            Self::Items(items) => items.iter().find_map(Self::computed),
            Self::Dict(pairs) => pairs
                .iter()
                .find_map(|(key, value)| key.computed().or_else(|| value.computed())),
            _ => None,
        }
    }
}
