//! Commands as Redis reads them (RESP), packed by hand: nothing is allocated for a word.

/// Packs one command: its words, one key put together from prefix and name, its arguments.
pub(super) fn pack(out: &mut Vec<u8>, words: &[&[u8]], prefix: &str, name: &str, arguments: &[&[u8]]) {
    pack_header(out, words.len() + 1 + arguments.len());
    for word in words {
        pack_bulk(out, &[word]);
    }
    pack_bulk(out, &[prefix.as_bytes(), name.as_bytes()]);
    for argument in arguments {
        pack_bulk(out, &[argument]);
    }
}

/// Packs the line that says how many words a command has.
pub(super) fn pack_header(out: &mut Vec<u8>, words: usize) {
    pack_length(out, b'*', words);
}

/// Packs one word, given in pieces.
pub(super) fn pack_bulk(out: &mut Vec<u8>, pieces: &[&[u8]]) {
    pack_length(out, b'$', pieces.iter().map(|piece| piece.len()).sum());
    for piece in pieces {
        out.extend_from_slice(piece);
    }
    out.extend_from_slice(b"\r\n");
}

fn pack_length(out: &mut Vec<u8>, sigil: u8, length: usize) {
    out.push(sigil);
    pack_decimal(out, length);
    out.extend_from_slice(b"\r\n");
}

/// Appends a number as text, without going through `fmt`: this runs several times a sample.
pub(super) fn pack_decimal(out: &mut Vec<u8>, mut number: usize) {
    let mut digits = [0u8; 20];
    let mut start = digits.len();
    loop {
        start -= 1;
        digits[start] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[start..]);
}

/// Packed commands with another one in front of each.
pub(super) fn each_behind(first: &[u8], packed: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(2 * packed.len());
    let mut rest = packed;
    while !rest.is_empty() {
        let mut end = 0;
        let words = length(rest, &mut end);
        for _ in 0..words {
            let bytes = length(rest, &mut end);
            end += bytes + 2;
        }
        out.extend_from_slice(first);
        out.extend_from_slice(&rest[..end]);
        rest = &rest[end..];
    }
    out
}

/// The number on the line that begins at `at`, which is the next one's beginning then. Only of what was packed here.
fn length(packed: &[u8], at: &mut usize) -> usize {
    let digits = packed[*at + 1..].iter().take_while(|byte| byte.is_ascii_digit());
    let (count, number) = digits.fold((0, 0), |(count, number), digit| {
        (count + 1, number * 10 + usize::from(digit - b'0'))
    });
    *at += 1 + count + 2;
    number
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_goes_before_each() {
        let mut packed = Vec::new();
        pack(&mut packed, &[b"GET"], "a", "\r\n*1", &[]);
        let one = packed.clone();
        pack(&mut packed, &[b"EVAL", b"x\r\n$1\r\n"], "", "", &[&[b'-'; 300]]);
        let other = packed[one.len()..].to_vec();
        let expected = [b"+", &one[..], b"+", &other].concat();
        assert_eq!(each_behind(b"+", &packed), expected);
    }

    #[test]
    fn a_command_is_packed_as_redis_reads_it() {
        let mut out = Vec::new();
        pack(&mut out, &[b"GETRANGE"], "metrics.", "a.b", &[b"0", b"-1"]);
        assert_eq!(
            out,
            b"*4\r\n$8\r\nGETRANGE\r\n$11\r\nmetrics.a.b\r\n$1\r\n0\r\n$2\r\n-1\r\n"
        );
    }

    #[test]
    fn numbers_are_written_in_full() {
        for number in [0, 9, 10, 12_345, usize::MAX] {
            let mut out = Vec::new();
            pack_decimal(&mut out, number);
            assert_eq!(out, number.to_string().as_bytes());
        }
    }
}
