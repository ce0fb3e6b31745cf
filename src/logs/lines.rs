//! Lines of a stream of bytes, of bounded length.

use std::io::{self, BufRead};

/// Bytes of a line that are looked at. A log message has hundreds; what is longer is a dump, and its beginning names it.
pub(super) const LONGEST: usize = 65_536;

/// Reads the next line into `line`, without its end (LF or CR LF); what is beyond [`LONGEST`] bytes is passed over. `None` at the
/// end of the stream, else whether the line is whole.
pub(super) fn read_line(reader: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<Option<bool>> {
    line.clear();
    let (mut seen, mut is_whole) = (false, true);
    loop {
        let buffer = match reader.fill_buf() {
            Ok(buffer) => buffer,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        if buffer.is_empty() {
            return Ok(seen.then_some(is_whole));
        }
        seen = true;
        let end = memchr::memchr(b'\n', buffer);
        let part = &buffer[..end.unwrap_or(buffer.len())];
        let room = LONGEST - line.len();
        is_whole &= part.len() <= room;
        line.extend_from_slice(&part[..part.len().min(room)]);
        let used = part.len() + usize::from(end.is_some());
        reader.consume(used);
        if end.is_some() {
            if is_whole && line.last() == Some(&b'\r') {
                line.pop();
            }
            return Ok(Some(is_whole));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &[u8], buffer: usize) -> Vec<(Vec<u8>, bool)> {
        let mut reader = io::BufReader::with_capacity(buffer, text);
        let (mut lines, mut line) = (Vec::new(), Vec::new());
        while let Some(is_whole) = read_line(&mut reader, &mut line).unwrap() {
            lines.push((line.clone(), is_whole));
        }
        lines
    }

    #[test]
    fn lines_are_told_apart_wherever_the_buffer_ends() {
        let long = vec![b'x'; LONGEST + 5];
        let text = [b"a\r\n\nb c\n".as_slice(), &long, b"\nend"].concat();
        for buffer in [1, 3, 4_096] {
            let found = lines(&text, buffer);
            let expected: [(&[u8], bool); 5] = [
                (b"a", true),
                (b"", true),
                (b"b c", true),
                (&long[..LONGEST], false),
                (b"end", true),
            ];
            let found: Vec<_> = found
                .iter()
                .map(|(line, is_whole)| (line.as_slice(), *is_whole))
                .collect();
            assert_eq!(found, expected, "buffer of {buffer}");
        }
        assert!(lines(b"", 8).is_empty());
    }
}
