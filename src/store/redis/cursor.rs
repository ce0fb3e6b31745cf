//! Where a reader of one series has stopped, in a value that changes at both ends.
//!
//! New points are appended, and a trimmer cuts the front at any time, so neither an offset from the
//! start nor one from the end finds the place again. The cursor therefore remembers both where it
//! stopped and the last bytes before that. A first look asks for everything from a little in front
//! of those bytes on. Found where they were, or a little earlier by what a trim has cut, all that
//! follows them is new, however much it is, and nothing can have come in front of them. Otherwise a
//! second look takes the end of the value and its length; what is found there counts only if the
//! length says that the bytes have not moved back, and nothing up to them goes back in time, which
//! would have them sent again behind something else. Else the series is lost and read whole.
//!
//! Where the bytes are found twice, the first place counts: reading known points again changes
//! nothing in the canonical window, skipping new ones would.
//!
//! One thing this cannot see, and only the next whole read repairs: bytes put in front of the
//! remembered ones while just as many are cut from the front of the value. That takes a *sorting*
//! trimmer and a point older than the last four read, or old points sent again in a run that ends
//! with exactly those four, both in step with the cut.

use std::sync::atomic::{AtomicU32, Ordering};

use skywatch_algorithms::Series;

use super::{SavedCursor, Tail, codec};

/// Remembered bytes: four usual points.
const ANCHOR_BYTES: usize = 4 * codec::USUAL_POINT_BYTES;
/// What a trim may cut between two looks, at least and at most, for the first look to suffice.
const LEAST_SLACK: u8 = 2 * codec::USUAL_POINT_BYTES as u8;
const MOST_SLACK: u8 = 16 * codec::USUAL_POINT_BYTES as u8;
/// What the second look asks for: some five hundred points.
pub(super) const SECOND_LOOK_BYTES: usize = 8_192;

/// Where a reader of one series has stopped.
#[derive(Debug)]
pub struct RedisCursor {
    /// The last bytes of what was read; the first `length` of these.
    anchor: [u8; ANCHOR_BYTES],
    length: u8,
    /// How far in front of the anchor to begin.
    slack: u8,
    /// Offset behind the anchor in the value. Moves with the trims seen on looks that found nothing
    /// new, which is why it can change behind a shared reference; a wrong one costs a second look.
    end: AtomicU32,
}

impl RedisCursor {
    /// A cursor behind `points`, which end at the offset `end` of their value.
    pub(super) fn new(points: &[u8], end: usize) -> Self {
        let tail = &points[points.len().saturating_sub(ANCHOR_BYTES)..];
        let mut anchor = [0; ANCHOR_BYTES];
        anchor[..tail.len()].copy_from_slice(tail);
        // A value of Redis has at most 512 MB.
        let end = AtomicU32::new(u32::try_from(end).unwrap_or(u32::MAX));
        Self {
            anchor,
            length: tail.len() as u8,
            slack: LEAST_SLACK,
            end,
        }
    }

    fn anchor(&self) -> &[u8] {
        &self.anchor[..usize::from(self.length)]
    }

    fn end(&self) -> usize {
        self.end.load(Ordering::Relaxed) as usize
    }

    /// The offset from which the first look reads.
    pub(super) fn start(&self) -> usize {
        self.end()
            .saturating_sub(usize::from(self.length) + usize::from(self.slack))
    }

    /// Reads what the first look brought into the empty `into`; `None` calls for the second.
    pub(super) fn first_look(&self, reply: &[u8], into: &mut Series) -> Option<Tail<Self>> {
        let start = self.start();
        let behind = self.find(reply)?;
        let trimmed = self.end().checked_sub(start + behind)?;
        Some(self.read(reply, behind, trimmed, start + reply.len(), into))
    }

    /// Reads the end of a value of `length` bytes into the empty `into`.
    pub(super) fn second_look(&self, reply: &[u8], length: usize, into: &mut Series) -> Tail<Self> {
        if length == 0 && !self.anchor().is_empty() {
            return Tail::Missing;
        }
        let trimmed = self.find(reply).and_then(|behind| {
            let end = (length + behind).checked_sub(reply.len())?;
            let trimmed = self.end().checked_sub(end)?;
            is_in_order(&reply[..behind]).then_some((behind, trimmed))
        });
        match trimmed {
            Some((behind, trimmed)) => self.read(reply, behind, trimmed, length, into),
            None => Tail::Lost,
        }
    }

    /// Offset in `reply` behind the first place where the anchor is found.
    fn find(&self, reply: &[u8]) -> Option<usize> {
        let anchor = self.anchor();
        let (first, _) = anchor.split_first()?;
        let last_place = reply.len().checked_sub(anchor.len())?;
        let place = (0..=last_place).find(|at| reply[*at] == *first && reply[*at..].starts_with(anchor))?;
        Some(place + anchor.len())
    }

    /// Reads what is new: `reply[behind..]`, in a value that has `length` bytes now.
    fn read(
        &self,
        reply: &[u8],
        behind: usize,
        trimmed: usize,
        length: usize,
        into: &mut Series,
    ) -> Tail<Self> {
        let Ok(report) = codec::decode(&reply[behind..], into) else {
            // The place was chance, or the value is broken; reading it whole shows which.
            into.clear();
            return Tail::Lost;
        };
        if report.points + report.skipped == 0 {
            let end = self.end() - trimmed;
            self.end.store(end as u32, Ordering::Relaxed);
            return Tail::Unchanged;
        }
        let whole = reply.len() - report.truncated_bytes;
        let mut cursor = Self::new(&reply[..whole], length - report.truncated_bytes);
        // Twice what was cut: trims come one by one, but a look may fall behind two of them.
        let twice = u8::try_from(2 * trimmed).unwrap_or(LEAST_SLACK);
        cursor.slack = twice
            .max(self.slack - self.slack / 8)
            .clamp(LEAST_SLACK, MOST_SLACK);
        Tail::New { cursor, report }
    }
}

/// The offset (four bytes, little-endian), the slack, and the anchor.
impl SavedCursor for RedisCursor {
    fn write(&self, bytes: &mut Vec<u8>) {
        bytes.extend((self.end() as u32).to_le_bytes());
        bytes.push(self.slack);
        bytes.extend(self.anchor());
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        let (end, rest) = bytes.split_first_chunk()?;
        let (&slack, anchor) = rest.split_first()?;
        if anchor.len() > ANCHOR_BYTES {
            return None;
        }
        let mut cursor = Self::new(anchor, 0);
        cursor.slack = slack.clamp(LEAST_SLACK, MOST_SLACK);
        cursor.end = AtomicU32::new(u32::from_le_bytes(*end));
        Some(cursor)
    }
}

/// Whether no point of a stream's end is older than the one in front of it, as far back as the
/// points can be told apart from behind.
fn is_in_order(mut stream: &[u8]) -> bool {
    let mut newest = f64::INFINITY;
    while let Some((time, before)) = codec::split_last(stream) {
        if time > newest {
            return false;
        }
        newest = time;
        stream = before;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream(minutes: impl IntoIterator<Item = u32>) -> Vec<u8> {
        let mut bytes = Vec::new();
        for minute in minutes {
            codec::encode(f64::from(minute) * 60.0, f64::from(minute), &mut bytes);
        }
        bytes
    }

    /// What both looks say of a value, as times in minutes; `None` if the series is lost.
    fn looks(cursor: &RedisCursor, value: &[u8]) -> (Option<Vec<f64>>, Option<Vec<f64>>) {
        let mut series = Series::default();
        let minutes = |tail: Tail<RedisCursor>, series: &mut Series| match tail {
            Tail::New { .. } => Some(
                std::mem::take(series)
                    .times
                    .iter()
                    .map(|time| time / 60.0)
                    .collect(),
            ),
            Tail::Unchanged => Some(Vec::new()),
            _ => None,
        };
        let first = cursor.first_look(value.get(cursor.start()..).unwrap_or_default(), &mut series);
        let first = first.and_then(|tail| minutes(tail, &mut series));
        let end = &value[value.len().saturating_sub(SECOND_LOOK_BYTES)..];
        let second = cursor.second_look(end, value.len(), &mut series);
        (first, minutes(second, &mut series))
    }

    fn cursor(value: &[u8]) -> RedisCursor {
        RedisCursor::new(value, value.len())
    }

    #[test]
    fn a_cursor_is_small() {
        assert!(size_of::<RedisCursor>() <= 72);
    }

    #[test]
    fn what_was_appended_is_new_whatever_its_length() {
        let known = cursor(&stream(0..100));
        for count in [1, 2, 300] {
            let new = Some((100..100 + count).map(f64::from).collect());
            assert_eq!(looks(&known, &stream(0..100 + count)), (new.clone(), new));
        }
    }

    #[test]
    fn a_small_trim_is_seen_through_at_once_and_a_large_one_on_the_second_look() {
        let new = || Some(vec![100.0]);
        for (cut, first) in [(1, new()), (2, new()), (3, None), (90, None)] {
            let known = cursor(&stream(0..100));
            assert_eq!(looks(&known, &stream(cut..101)), (first, new()), "{cut}");
        }
    }

    #[test]
    fn the_slack_grows_with_what_is_trimmed() {
        let known = cursor(&stream(0..100));
        let mut series = Series::default();
        let value = stream(6..101);
        let Tail::New { cursor, .. } = known.second_look(&value, value.len(), &mut series) else {
            panic!("a trim of six points loses the place");
        };
        assert_eq!(looks(&cursor, &stream(12..102)).0, Some(vec![101.0]));
    }

    #[test]
    fn trims_without_new_points_add_up_without_a_second_look() {
        let known = cursor(&stream(0..100));
        for cut in 1..90 {
            assert_eq!(looks(&known, &stream(cut..100)).0, Some(Vec::new()), "{cut}");
        }
    }

    #[test]
    fn known_points_sent_again_behind_new_ones_do_not_hide_them() {
        let known = cursor(&stream(0..100));
        for from in [0, 50, 96, 97] {
            let value = stream((0..103).chain(from..100));
            let (first, second) = looks(&known, &value);
            let first = first.expect("nothing was cut");
            assert!([100.0, 101.0, 102.0].iter().all(|new| first.contains(new)));
            assert!(second.is_none_or(|second| second.contains(&102.0)));
        }
    }

    /// The remembered bytes are broken up by a sorting trimmer that also cuts much, and then come
    /// again in a replay: what lies between must not be taken for known.
    #[test]
    fn bytes_that_come_back_out_of_order_are_not_trusted() {
        let even = |minutes: std::ops::Range<u32>| minutes.step_by(2);
        let known = cursor(&stream(even(0..200)));
        let value = stream(even(150..198).chain([197, 198, 200]).chain(even(190..200)));
        assert_eq!(looks(&known, &value), (None, None));
    }

    #[test]
    fn points_sorted_in_front_of_the_known_ones_make_these_lost() {
        let known = cursor(&stream((0..50).chain(51..100)));
        assert_eq!(looks(&known, &stream(0..100)), (None, None));
        let short = cursor(&stream(10..12));
        assert_eq!(looks(&short, &stream(9..12)), (None, None));
    }
}
