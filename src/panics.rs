//! What a panic says.

use std::panic::{AssertUnwindSafe, catch_unwind};

/// Runs `work` and answers the message of a panic in it. What `work` changes may be half changed then: the caller drops it or
/// begins it again.
pub(crate) fn caught<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
        text.unwrap_or("no message").to_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::caught;

    #[test]
    fn the_message_is_told() {
        assert_eq!(caught(|| 1), Ok(1));
        assert_eq!(caught(|| -> u8 { panic!("plain") }), Err("plain".to_owned()));
        assert_eq!(caught(|| -> u8 { panic!("{}", 2) }), Err("2".to_owned()));
        assert_eq!(
            caught(|| -> u8 { std::panic::panic_any(3) }),
            Err("no message".to_owned())
        );
    }
}
