//! States lie side by side in memory again after metrics have left.
//!
//! A pass goes through all states in one order and reads most of each: where they lie without gaps the processor has fetched the next one
//! before it is asked for. A worker that has given half of its metrics away has a gap behind every other state, and its
//! passes cost a quarter more a metric until they are closed.

use super::adaptive_metric::AdaptiveMetric;

/// States are moved when so large a part of them has gaps beside it: one in …
const ONE_IN: usize = 16;

/// States that have left since those that stay were moved last.
#[derive(Debug, Default)]
pub(super) struct StateGaps {
    left: usize,
    /// Whether some left since the last pass: more may be about to.
    is_growing: bool,
}

impl StateGaps {
    /// Some metrics have left.
    pub(super) fn add(&mut self, left: usize) {
        self.left += left;
        self.is_growing |= left > 0;
    }

    /// How many gaps are to be closed after a pass over so many metrics; 0 for now.
    fn take_due(&mut self, metrics: usize) -> usize {
        if std::mem::take(&mut self.is_growing) || self.left * ONE_IN < metrics {
            return 0;
        }
        std::mem::take(&mut self.left)
    }

    /// Moves the states of all metrics together, after a pass, if some have left and no more seem to leave.
    pub(super) fn close<'s>(
        &mut self,
        states: impl ExactSizeIterator<Item = &'s mut Option<Box<AdaptiveMetric>>>,
    ) {
        let gaps = self.take_due(states.len());
        if gaps == 0 {
            return;
        }
        let (mut places, states): (Vec<_>, Vec<_>) = states
            .filter_map(|place| place.take().map(|state| (place, state)))
            .unzip();
        // They are of the size of what has left, and lie where that was.
        let spare = std::iter::repeat_with(|| Box::new(AdaptiveMetric::new(0))).take(gaps);
        for (place, state) in places.iter_mut().zip(densely(states, spare)) {
            **place = Some(state);
        }
    }
}

/// The same values in the same order, in those boxes that have the lowest addresses among their own and spare ones, by address.
fn densely<T>(values: Vec<Box<T>>, spare: impl Iterator<Item = Box<T>>) -> Vec<Box<T>> {
    let wanted = values.len();
    // Each box with the number of the value in it; spare ones have the numbers behind.
    let mut boxes: Vec<(usize, Box<T>)> = values.into_iter().chain(spare).enumerate().collect();
    boxes.sort_unstable_by_key(|(_, held)| std::ptr::from_ref::<T>(held).addr());
    let mut place_of = vec![0; boxes.len()];
    for (place, (value, _)) in boxes.iter().enumerate() {
        place_of[*value] = place;
    }
    for value in 0..wanted {
        let place = place_of[value];
        if place != value {
            // What is before it is in its place already.
            let (before, from) = boxes.split_at_mut(place);
            let ((displaced, to), (_, from)) = (&mut before[value], &mut from[0]);
            // The values, not the boxes.
            std::mem::swap::<T>(to, from);
            let displaced = std::mem::replace(displaced, value);
            boxes[place].0 = displaced;
            place_of[displaced] = place;
        }
    }
    boxes.truncate(wanted);
    boxes.into_iter().map(|(_, held)| held).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address<T>(held: &T) -> usize {
        std::ptr::from_ref(held).addr()
    }

    #[test]
    fn values_keep_their_order_and_lie_by_address_in_the_lowest_boxes() {
        // As large as a state, so that the allocator does with them what it does with states.
        let all: Vec<Box<[usize; 550]>> = (0..400).map(|value| Box::new([value; 550])).collect();
        let (mut stay, left): (Vec<_>, Vec<_>) = all.into_iter().partition(|held| held[0] % 2 == 0);
        drop(left);
        // An order that is not that of the addresses.
        stay.reverse();
        stay.rotate_left(70);
        let order: Vec<usize> = stay.iter().map(|held| held[0]).collect();
        let spare: Vec<Box<[usize; 550]>> = (0..200).map(|_| Box::new([usize::MAX; 550])).collect();
        let mut addresses: Vec<usize> = stay.iter().chain(&spare).map(|held| address(&**held)).collect();
        addresses.sort_unstable();
        let dense = densely(stay, spare.into_iter());
        assert!(dense.iter().map(|held| held[0]).eq(order));
        assert!(
            dense
                .iter()
                .all(|held| held.iter().all(|value| *value == held[0]))
        );
        assert!(
            dense
                .iter()
                .map(|held| address(&**held))
                .eq(addresses[..200].iter().copied())
        );
        assert!(densely(Vec::<Box<u8>>::new(), std::iter::once(Box::new(1))).is_empty());
    }

    #[test]
    fn gaps_are_closed_once_enough_have_left_and_no_more_leave() {
        let mut gaps = StateGaps::default();
        gaps.add(5);
        assert_eq!(
            (gaps.take_due(100), gaps.take_due(100)),
            (0, 0),
            "too few of a hundred"
        );
        gaps.add(2);
        assert_eq!(gaps.take_due(100), 0, "some have just left");
        gaps.add(0);
        assert_eq!((gaps.take_due(100), gaps.take_due(100)), (7, 0));
    }
}
