//! Just enough MIME to read back what was sent, written apart from the library that wrote it.

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

pub(crate) fn base64_encode(bytes: &[u8]) -> String {
    let mut text = String::new();
    for group in bytes.chunks(3) {
        let padded = [group[0], *group.get(1).unwrap_or(&0), *group.get(2).unwrap_or(&0)];
        let bits = u32::from_be_bytes([0, padded[0], padded[1], padded[2]]);
        for i in 0..4 {
            let sextet = (bits >> (18 - 6 * i)) as usize & 63;
            text.push(if i <= group.len() {
                char::from(ALPHABET[sextet])
            } else {
                '='
            });
        }
    }
    text
}

pub(crate) fn base64_decode(text: &str) -> Vec<u8> {
    let sextets = text.bytes().filter_map(|c| ALPHABET.iter().position(|a| *a == c));
    let (mut bytes, mut bits, mut held) = (Vec::new(), 0u32, 0);
    for sextet in sextets {
        bits = bits << 6 | sextet as u32;
        held += 6;
        if held >= 8 {
            held -= 8;
            bytes.push((bits >> held) as u8);
        }
    }
    bytes
}

fn quoted_printable_decode(text: &str) -> Vec<u8> {
    let text = text.replace("=\r\n", "");
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'=' {
            let hex: String = rest.by_ref().take(2).map(char::from).collect();
            bytes.push(u8::from_str_radix(&hex, 16).unwrap());
        } else {
            bytes.push(byte);
        }
    }
    bytes
}

/// Header names and values, unfolded and with encoded words decoded, and the body.
pub(crate) fn split(mail: &str) -> (Vec<(String, String)>, &str) {
    let (head, body) = mail
        .split_once("\r\n\r\n")
        .expect("headers end with an empty line");
    let unfolded = head.replace("\r\n ", " ").replace("\r\n\t", " ");
    let header = |line: &str| {
        let (name, value) = line
            .split_once(": ")
            .unwrap_or_else(|| panic!("no header: {line}"));
        (name.to_owned(), decode_words(value))
    };
    (unfolded.split("\r\n").map(header).collect(), body)
}

fn decode_words(value: &str) -> String {
    // White space between two encoded words is no part of the text (RFC 2047, 6.2).
    let value = value.replace("?= =?", "?==?");
    let mut text = String::new();
    let mut rest = value.as_str();
    while let Some((before, word)) = rest.split_once("=?utf-8?b?") {
        let (coded, after) = word.split_once("?=").unwrap();
        text += before;
        text += &String::from_utf8(base64_decode(coded)).unwrap();
        rest = after;
    }
    text + rest
}

pub(crate) fn header<'a>(headers: &'a [(String, String)], name: &str) -> &'a str {
    let mut found = headers.iter().filter(|(n, _)| n.eq_ignore_ascii_case(name));
    let (_, value) = found
        .next()
        .unwrap_or_else(|| panic!("no header {name} in {headers:?}"));
    assert!(found.next().is_none(), "header {name} is there twice");
    value
}

/// The decoded part of a multipart mail with this content type, as text.
pub(crate) fn part(mail: &str, content_type: &str) -> String {
    String::from_utf8(bytes(mail, content_type))
        .unwrap()
        .replace("\r\n", "\n")
}

/// The decoded part of a multipart mail with this content type, however deep it lies.
pub(crate) fn bytes(mail: &str, content_type: &str) -> Vec<u8> {
    find(mail, content_type).unwrap_or_else(|| panic!("no part {content_type}"))
}

fn find(mail: &str, content_type: &str) -> Option<Vec<u8>> {
    let (headers, body) = split(mail);
    let own_type = header(&headers, "Content-Type");
    let Some((_, boundary)) = own_type.split_once("boundary=") else {
        return own_type.starts_with(content_type).then(|| decode(&headers, body));
    };
    let boundary = format!("--{}", boundary.trim_matches('"'));
    body.split(boundary.as_str())
        .skip(1)
        .filter_map(|part| part.strip_prefix("\r\n"))
        .find_map(|part| find(part.strip_suffix("\r\n").unwrap_or(part), content_type))
}

fn decode(headers: &[(String, String)], body: &str) -> Vec<u8> {
    match header(headers, "Content-Transfer-Encoding") {
        "quoted-printable" => quoted_printable_decode(body),
        "base64" => base64_decode(body),
        "7bit" => body.as_bytes().to_vec(),
        other => panic!("unexpected encoding {other}"),
    }
}
