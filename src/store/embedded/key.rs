//! Keys whose byte order is the order of what they stand for: metric, then time, then value.

/// Length of a point's key; small enough that the engine keeps it without an allocation.
pub(super) const POINT_KEY_BYTES: usize = 20;

/// The key of a point.
pub(super) fn point(metric: u32, time: f64, value: f64) -> [u8; POINT_KEY_BYTES] {
    let mut key = [0; POINT_KEY_BYTES];
    key[..4].copy_from_slice(&metric.to_be_bytes());
    key[4..12].copy_from_slice(&ordered(time).to_be_bytes());
    key[12..].copy_from_slice(&ordered(value).to_be_bytes());
    key
}

/// Time and value of a point's key; `None` if it is none.
pub(super) fn time_and_value(key: &[u8]) -> Option<(f64, f64)> {
    let (_, rest) = key.split_first_chunk::<4>()?;
    let (time, rest) = rest.split_first_chunk()?;
    let value = <[u8; 8]>::try_from(rest).ok()?;
    Some((
        number(u64::from_be_bytes(*time)),
        number(u64::from_be_bytes(value)),
    ))
}

/// Doubles as integers in the same order: the sign bit flipped, and below zero all others too.
fn ordered(number: f64) -> u64 {
    // Adding zero makes the two zeros one.
    let bits = (number + 0.0).to_bits();
    if bits >> 63 == 0 { bits | 1 << 63 } else { !bits }
}

fn number(ordered: u64) -> f64 {
    f64::from_bits(if ordered >> 63 == 1 {
        ordered & !(1 << 63)
    } else {
        !ordered
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn keys_are_ordered_as_points_are(
            a in (any::<u32>(), proptest::num::f64::NORMAL, proptest::num::f64::NORMAL),
            b in (any::<u32>(), proptest::num::f64::NORMAL, proptest::num::f64::NORMAL),
        ) {
            let (left, right) = (point(a.0, a.1, a.2), point(b.0, b.1, b.2));
            prop_assert_eq!(Some(left.cmp(&right)), a.partial_cmp(&b));
            prop_assert_eq!(time_and_value(&left), Some((a.1, a.2)));
        }
    }

    #[test]
    fn both_zeros_are_one() {
        assert_eq!(point(1, -0.0, -0.0), point(1, 0.0, 0.0));
    }
}
