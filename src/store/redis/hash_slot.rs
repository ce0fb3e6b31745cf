//! In which of its 16,384 slots a Redis Cluster keeps a key (Redis Cluster specification, "Key distribution model"): CRC16 of the key, or
//! of what stands between the first `{` and the next `}`, if anything does.

/// How many slots a cluster has.
pub(super) const SLOTS: usize = 16_384;

/// The slot of a key that is put together from a prefix and a name.
pub(super) fn hash_slot(prefix: &str, name: &str) -> u16 {
    let (prefix, name) = (prefix.as_bytes(), name.as_bytes());
    let has_brace = |part| memchr::memchr(b'{', part).is_some();
    let crc = if has_brace(prefix) || has_brace(name) {
        let key = [prefix, name].concat();
        crc16(0, tag(&key).unwrap_or(&key))
    } else {
        crc16(crc16(0, prefix), name)
    };
    crc % SLOTS as u16
}

/// What stands between braces.
fn tag(key: &[u8]) -> Option<&[u8]> {
    let begin = memchr::memchr(b'{', key)? + 1;
    let length = memchr::memchr(b'}', &key[begin..])?;
    (length > 0).then(|| &key[begin..begin + length])
}

/// CRC-16/XMODEM: polynomial 0x1021, from the highest bit on.
fn crc16(start: u16, bytes: &[u8]) -> u16 {
    bytes.iter().fold(start, |crc, byte| {
        (crc << 8) ^ CRC_OF_BYTE[usize::from((crc >> 8) as u8 ^ byte)]
    })
}

const CRC_OF_BYTE: [u16; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < table.len() {
        let (mut crc, mut bit) = ((byte as u16) << 8, 0);
        while bit < 8 {
            crc = if crc & 0x8000 == 0 {
                crc << 1
            } else {
                (crc << 1) ^ 0x1021
            };
            bit += 1;
        }
        table[byte] = crc;
        byte += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_those_of_the_specification() {
        assert_eq!(crc16(0, b"123456789"), 0x31c3, "the specification's check value");
        assert_eq!(hash_slot("", "foo"), 12_182, "as `CLUSTER KEYSLOT` says");
        assert_eq!(hash_slot("metrics.", "a.b"), hash_slot("", "metrics.a.b"));
        for (key, alike) in [
            ("{user1000}.following", "user1000"),
            ("foo{{bar}}zap", "{bar"),
            ("foo{bar}{zap}", "bar"),
        ] {
            assert_eq!(hash_slot("", key), crc16(0, alike.as_bytes()) % 16_384, "{key}");
        }
        assert_eq!(hash_slot("fo", "o{}{bar}"), crc16(0, b"foo{}{bar}") % 16_384);
    }
}
