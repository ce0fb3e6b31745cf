//! Forms as `curl -F` sends them (`multipart/form-data`, RFC 7578), which are whole in memory.
//!
//! Read here rather than by a library: bodies are small and complete, and fields are texts. A file is a field like others; its name
//! and type are not looked at, nor is `Content-Transfer-Encoding`, which the RFC has given up.

use memchr::memmem;

/// Most fields of a form.
const FIELDS: usize = 64;
/// Longest boundary, bytes (RFC 2046, 5.1.1).
const LONGEST_BOUNDARY: usize = 70;
/// Longest headers of one field, bytes.
const LONGEST_HEADERS: usize = 8 << 10;

/// Why a form cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum MultipartError {
    /// The type of the body names no boundary, or one that cannot be.
    #[error("the form's type names no boundary")]
    Boundary,
    /// The body ends before its last boundary.
    #[error("the form ends before its last boundary")]
    Cut,
    /// A field without a name, or with headers that cannot be read.
    #[error("a field of the form has no name")]
    Name,
    /// A field that is no text.
    #[error("a field of the form is not UTF-8")]
    Text,
    /// More fields than may be, or two of one name.
    #[error("the form has more than {FIELDS} fields, or two of one name")]
    Fields,
}

/// The boundary in a `Content-Type`, if that is of such a form.
///
/// # Errors
/// [`MultipartError::Boundary`].
pub(crate) fn boundary(content_type: &str) -> Option<Result<&str, MultipartError>> {
    let (kind, parameters) = content_type.split_once(';').unwrap_or((content_type, ""));
    if !kind.trim().eq_ignore_ascii_case("multipart/form-data") {
        return None;
    }
    let boundary = parameter(parameters, "boundary");
    let can_be = |boundary: &&str| (1..=LONGEST_BOUNDARY).contains(&boundary.len());
    Some(boundary.filter(can_be).ok_or(MultipartError::Boundary))
}

/// Names and texts of the fields, in order.
///
/// # Errors
/// [`MultipartError`] for what is no such form.
pub(crate) fn fields<'b>(body: &'b [u8], boundary: &str) -> Result<Vec<(&'b str, &'b str)>, MultipartError> {
    let delimiter = format!("\r\n--{boundary}");
    // The first one may stand at the very beginning.
    let mut rest = match body.strip_prefix(&delimiter.as_bytes()[2..]) {
        Some(rest) => rest,
        None => split_at(body, delimiter.as_bytes()).ok_or(MultipartError::Cut)?.1,
    };
    let mut fields: Vec<(&str, &str)> = Vec::new();
    while !rest.starts_with(b"--") {
        // Blanks may follow a boundary.
        let (blanks, part) = split_at(rest, b"\r\n").ok_or(MultipartError::Cut)?;
        if !blanks.iter().all(|byte| matches!(byte, b' ' | b'\t')) {
            return Err(MultipartError::Cut);
        }
        let (headers, content) = match part.strip_prefix(b"\r\n") {
            Some(content) => (&part[..0], content),
            None => split_at(part, b"\r\n\r\n").ok_or(MultipartError::Cut)?,
        };
        let (text, behind) = split_at(content, delimiter.as_bytes()).ok_or(MultipartError::Cut)?;
        let name = name_of(headers)?;
        if fields.len() == FIELDS || fields.iter().any(|(known, _)| *known == name) {
            return Err(MultipartError::Fields);
        }
        fields.push((name, str::from_utf8(text).map_err(|_| MultipartError::Text)?));
        rest = behind;
    }
    Ok(fields)
}

/// What is before the first `what`, and what is behind it.
fn split_at<'b>(bytes: &'b [u8], what: &[u8]) -> Option<(&'b [u8], &'b [u8])> {
    let at = memmem::find(bytes, what)?;
    Some((&bytes[..at], &bytes[at + what.len()..]))
}

/// The name in the headers of a field.
fn name_of(headers: &[u8]) -> Result<&str, MultipartError> {
    let headers = Some(headers).filter(|headers| headers.len() <= LONGEST_HEADERS);
    let headers = headers.and_then(|headers| str::from_utf8(headers).ok());
    let mut lines = headers.ok_or(MultipartError::Name)?.split("\r\n");
    let disposition = lines.find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.trim()
            .eq_ignore_ascii_case("content-disposition")
            .then_some(value)
    });
    let (kind, parameters) = disposition
        .and_then(|disposition| disposition.split_once(';'))
        .ok_or(MultipartError::Name)?;
    if !kind.trim().eq_ignore_ascii_case("form-data") {
        return Err(MultipartError::Name);
    }
    parameter(parameters, "name").ok_or(MultipartError::Name)
}

/// The value of a parameter in `a=b; c="d"`. What is quoted may hold a semicolon.
fn parameter<'t>(mut text: &'t str, name: &str) -> Option<&'t str> {
    loop {
        let (key, rest) = text.split_once('=')?;
        let rest = rest.trim_start();
        let (value, behind) = match rest.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"')?,
            None => {
                let (value, behind) = rest.split_once(';').unwrap_or((rest, ""));
                (value.trim_end(), behind)
            }
        };
        if key.trim_matches([' ', '\t', ';']).eq_ignore_ascii_case(name) {
            return Some(value);
        }
        text = behind;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const CURL: &[u8] = b"--x\r\nContent-Disposition: form-data; name=\"query\"\r\n\r\ne30=\r\n--x\r\n\
        Content-Disposition: form-data; name=\"data\"; filename=\"a;b.json\"\r\nContent-Type: application/json\r\n\r\n\
        W10=\r\n-not-it\r\n--x--\r\n";

    #[test]
    fn what_curl_sends_is_read() {
        let known = boundary("multipart/form-data; charset=utf-8; boundary=\"x\"");
        assert_eq!(known, Some(Ok("x")));
        assert_eq!(boundary("application/json"), None);
        assert_eq!(
            boundary("Multipart/Form-Data"),
            Some(Err(MultipartError::Boundary))
        );
        let read = fields(CURL, "x").unwrap();
        assert_eq!(read, [("query", "e30="), ("data", "W10=\r\n-not-it")]);
        let preamble = [b"to old readers\r\n", CURL].concat();
        assert_eq!(fields(&preamble, "x").unwrap(), read);
        assert_eq!(fields(b"--x--", "x"), Ok(Vec::new()));
    }

    #[test]
    fn what_is_no_form_is_refused() {
        let field = |headers: &str, text: &[u8]| {
            [format!("--x\r\n{headers}\r\n\r\n").as_bytes(), text, b"\r\n--x--"].concat()
        };
        let named = "Content-Disposition: form-data; name=a";
        let cases = [
            (Vec::new(), MultipartError::Cut),
            (b"--x\r\n".to_vec(), MultipartError::Cut),
            (b"--xx--".to_vec(), MultipartError::Cut),
            (field("Content-Type: text/plain", b""), MultipartError::Name),
            (
                field("Content-Disposition: attachment; name=a", b""),
                MultipartError::Name,
            ),
            (
                field("Content-Disposition: form-data; filename=a", b""),
                MultipartError::Name,
            ),
            (field(named, b"\xff"), MultipartError::Text),
            (
                [
                    &field(named, b"1")[..field(named, b"1").len() - 2],
                    b"\r\n",
                    &field(named, b"2")[5..],
                ]
                .concat(),
                MultipartError::Fields,
            ),
        ];
        for (body, error) in cases {
            let shown = String::from_utf8_lossy(&body).into_owned();
            assert_eq!(fields(&body, "x"), Err(error), "{shown}");
        }
    }

    proptest! {
        /// Whatever comes, it ends without a panic, and a form that is cut is never taken for a whole one.
        #[test]
        fn foreign_bytes_do_no_harm(bytes in prop::collection::vec(any::<u8>(), 0..200), cut in 0..CURL.len() - 4, at in 0..CURL.len(), byte in any::<u8>()) {
            let _ = fields(&bytes, "x");
            prop_assert!(fields(&CURL[..cut], "x").is_err());
            let mut changed = CURL.to_vec();
            changed[at] = byte;
            let _ = fields(&changed, "x");
        }
    }
}
