//! How far a metric's stored points were read, saved with its state: a restart goes on there, as if there had been none.

use super::pending_points::PendingPoints;
use crate::store::SavedCursor;

/// Bytes before the points: time of the window's first point, number of points.
const HEAD: usize = 10;
/// Bytes of a point: time and value.
const POINT: usize = 16;
/// Most points that are saved. A metric with more of them ahead of the clock is read whole after a restart.
const MOST_POINTS: usize = 256;

/// How far a metric's stored points were read.
pub(super) struct ReadingPosition<C> {
    /// Where the stored stream goes on.
    pub(super) cursor: C,
    /// What was read and is not learnt yet.
    pub(super) pending: PendingPoints,
    /// Time of the first point of the window when it was last read whole, Unix seconds; NaN if that is not known.
    pub(super) begins: f64,
}

/// Appends a position: the window's first time (eight bytes), the number of pending points (two), time and value of each
/// (sixteen), and the cursor. Little-endian.
pub(super) fn write(bytes: &mut Vec<u8>, cursor: &impl SavedCursor, pending: &PendingPoints, begins: f64) {
    let points = pending.points();
    if points.len() > MOST_POINTS {
        return;
    }
    bytes.extend(begins.to_le_bytes());
    bytes.extend((points.len() as u16).to_le_bytes());
    for (time, value) in points {
        bytes.extend(time.to_le_bytes());
        bytes.extend(value.to_le_bytes());
    }
    cursor.write(bytes);
}

/// Reads what [`write`] wrote; `None` if nothing was, or if the cursor says nothing to this store.
pub(super) fn read<C: SavedCursor>(bytes: &[u8]) -> Option<ReadingPosition<C>> {
    let (head, rest) = bytes.split_first_chunk::<HEAD>()?;
    let begins = f64::from_le_bytes(*head.first_chunk()?);
    let points = usize::from(u16::from_le_bytes(*head.last_chunk()?));
    let (points, cursor) = rest.split_at_checked(points * POINT)?;
    let points = points.as_chunks::<POINT>().0.iter();
    let pending = points.filter_map(|point| {
        let time = f64::from_le_bytes(*point.first_chunk()?);
        Some((time, f64::from_le_bytes(*point.last_chunk()?)))
    });
    Some(ReadingPosition {
        cursor: C::read(cursor)?,
        pending: pending.collect(),
        begins,
    })
}
