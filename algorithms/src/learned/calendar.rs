//! Times of day and of the week, UTC. The same for every request, whatever days it holds.

/// Seconds of a day.
pub(super) const DAY: f64 = 86_400.0;

/// Minute of the day, 0 to 1439, of Unix seconds.
pub(super) fn minute(time: f64) -> f64 {
    (time.rem_euclid(DAY) / 60.0).floor()
}

/// Day of the week, Monday 0, of Unix seconds.
pub(super) fn weekday(time: f64) -> usize {
    // The epoch was a Thursday.
    ((time / DAY).floor() + 3.0).rem_euclid(7.0) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_known_moment() {
        // 2023-11-14 22:13:20, a Tuesday.
        assert_eq!(minute(1.7e9), 22.0 * 60.0 + 13.0);
        assert_eq!(weekday(1.7e9), 1);
        assert_eq!(weekday(-1.0), 2);
    }
}
