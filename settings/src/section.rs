//! The macro that turns a list of documented options into a section.

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
        $name:ident in $section:literal {
            $( $(#[$field_doc:meta])* $field:ident : $type:ty = $default:expr, )*
        }
    ) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq)]
        pub struct $name {
            $( $(#[$field_doc])* pub $field: $type, )*
        }

        impl Default for $name {
            fn default() -> Self {
                Self { $( $field: $default, )* }
            }
        }

        impl $name {
            /// Every option of the section under its dotted key, in the order of the example file.
            pub(crate) fn fields(&mut self) -> Vec<(&'static str, &mut dyn $crate::field::Field)> {
                vec![ $( (concat!($section, ".", stringify!($field)), &mut self.$field), )* ]
            }
        }
    };
}
