//! Tables of options: what the loader and the checks ask of them, and the macro that declares one.

use std::time::Duration;

use crate::check::Check;
use crate::field::Field;

/// Options by their dotted keys, as the loader holds them.
pub(crate) type OptionFields<'s> = Vec<(String, &'s mut dyn Field)>;

/// The two least lengths of time that options have as limits.
pub(crate) const MILLISECOND: Duration = Duration::from_millis(1);
pub(crate) const SECOND: Duration = Duration::from_secs(1);

/// Options that stand in one table. Written by [`options!`].
pub(crate) trait OptionTable {
    /// Every option under `table`, a dot and its name, in the order of the example file.
    fn fields_under(&mut self, table: &str) -> OptionFields<'_>;

    /// Refuses values beyond the limits that are declared beside the options.
    fn check_limits(&self, check: &mut Check<'_>);
}

/// A table with what must hold within it.
pub(crate) trait Section: OptionTable {
    /// Refuses values that are wrong in themselves, and options that do not agree.
    fn check(&self, _check: &mut Check<'_>) {}
}

/// Declares a table of options: the struct with public fields, its `Default`, and what [`OptionTable`] asks, so that loading,
/// showing and checking need no second list. Behind the default a range may follow in which the value must lie.
///
/// ```text
/// options! {
///     /// The pages.
///     pub Web {
///         /// Connections open at once.
///         max_connections: usize = 256 => 1..,
///     }
/// }
/// ```
macro_rules! options {
    (
        $(#[$doc:meta])*
        $vis:vis $name:ident {
            $( $(#[$field_doc:meta])* $field:ident : $type:ty = $default:expr $(=> $limits:expr)?, )*
        }
    ) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq)]
        $vis struct $name {
            $( $(#[$field_doc])* $vis $field: $type, )*
        }

        impl Default for $name {
            fn default() -> Self {
                Self { $( $field: $default, )* }
            }
        }

        impl $crate::section::OptionTable for $name {
            fn fields_under(&mut self, table: &str) -> $crate::section::OptionFields<'_> {
                vec![ $( (
                    // `continue` is a keyword of Rust; the raw name is not what people write.
                    format!("{table}.{}", stringify!($field).trim_start_matches("r#")),
                    &mut self.$field,
                ), )* ]
            }

            fn check_limits(&self, check: &mut $crate::check::Check<'_>) {
                // A table without limits has nothing to say.
                _ = &check;
                $( $( check.within(stringify!($field), &self.$field, $limits); )? )*
            }
        }
    };
}
