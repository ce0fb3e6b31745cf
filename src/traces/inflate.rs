//! Unpacking gzip within a bound.

use std::io::Read as _;

use flate2::read::MultiGzDecoder;

use super::refusal::RequestRefusal;

/// Unpacks `packed`, at most `most` bytes; what is larger is refused without being unpacked any further.
///
/// # Errors
/// [`RequestRefusal::InflatesTooLarge`] and [`RequestRefusal::BadRequest`].
pub(super) fn gunzip(packed: &[u8], most: usize) -> Result<Vec<u8>, RequestRefusal> {
    let mut plain = Vec::new();
    let limit = u64::try_from(most).unwrap_or(u64::MAX).saturating_add(1);
    MultiGzDecoder::new(packed)
        .take(limit)
        .read_to_end(&mut plain)
        .map_err(|_| RequestRefusal::BadRequest)?;
    if plain.len() > most {
        return Err(RequestRefusal::InflatesTooLarge);
    }
    Ok(plain)
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::Compression;
    use flate2::write::GzEncoder;
    use std::io::Write as _;

    #[test]
    fn bombs_and_halves_are_refused() {
        let packed = |bytes: &[u8]| {
            let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
            encoder.write_all(bytes).unwrap();
            encoder.finish().unwrap()
        };
        let small = packed(b"spans");
        assert_eq!(gunzip(&small, 5), Ok(b"spans".to_vec()));
        assert_eq!(gunzip(&small, 4), Err(RequestRefusal::InflatesTooLarge));
        let bomb = packed(&vec![0; 50_000_000]);
        assert!(bomb.len() < 60_000);
        assert_eq!(gunzip(&bomb, 1_000_000), Err(RequestRefusal::InflatesTooLarge));
        assert_eq!(
            gunzip(&small[..small.len() - 3], 99),
            Err(RequestRefusal::BadRequest)
        );
        assert_eq!(gunzip(b"no gzip", 99), Err(RequestRefusal::BadRequest));
    }
}
