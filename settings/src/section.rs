//! The macros that turn a list of documented options into a section.

/// Options by their dotted keys, as the loader holds them.
pub(crate) type Fields<'s> = Vec<(String, &'s mut dyn crate::field::Field)>;

/// Declares a section: the struct with public fields, its `Default`, and `fields`, which names every option by its
/// dotted key so that loading, showing and checking need no second list.
///
/// ```text
/// section! {
///     /// Where logs go.
///     Log in "log" {
///         /// The least important line that is written.
///         level: LogLevel = LogLevel::Info,
///     }
/// }
/// ```
macro_rules! section {
    (
        $(#[$doc:meta])*
        $name:ident in $section:literal { $($options:tt)* }
    ) => {
        options! {
            $(#[$doc])*
            pub $name { $($options)* }
        }

        impl $name {
            /// Every option of the section under its dotted key, in the order of the example file.
            pub(crate) fn fields(&mut self) -> $crate::section::Fields<'_> {
                self.fields_under($section)
            }
        }
    };
}

/// Declares options of a table of which there may be many, such as a receiver: as `section!`, but under a key that is
/// known only when the file has been read. `pub` or `pub(crate)` stands before the name.
macro_rules! options {
    (
        $(#[$doc:meta])*
        $vis:vis $name:ident {
            $( $(#[$field_doc:meta])* $field:ident : $type:ty = $default:expr, )*
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

        impl $name {
            /// Every option under `table` and its name, in the order of the example file.
            pub(crate) fn fields_under(&mut self, table: &str) -> $crate::section::Fields<'_> {
                vec![ $( (
                    // `continue` is a word of Rust; the raw name is not what people write.
                    format!("{table}.{}", stringify!($field).trim_start_matches("r#")),
                    &mut self.$field,
                ), )* ]
            }
        }
    };
}
