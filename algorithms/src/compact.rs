//! Values in as few bytes as give every one of them back to the bit.
//!
//! Most metrics are counts, or decimals of a few places that were divided by a power of ten on their way here: such a value is
//! a whole number `n` with `n / 10^places` equal to it to the bit, and the whole numbers of a window mostly lie close together.
//! They are kept as their distance from the smallest in one to four bytes; what is no such decimal as `f32` if that gives it
//! back, else as it is.

use std::cell::{OnceCell, RefCell};
use std::ops::Range;

/// Decimal places that are tried: what people and StatsD round to.
const MOST_PLACES: usize = 4;
const POWERS: [f64; MOST_PLACES + 1] = [1.0, 10.0, 100.0, 1e3, 1e4];
/// Adding and taking off 1.5 · 2⁵² rounds to the next whole number, ties to even: without a call into libm.
const ROUNDING: f64 = 6_755_399_441_055_744.0;
/// Larger whole numbers are not rounded by [`ROUNDING`].
const LARGEST: f64 = 2_251_799_813_685_248.0;
/// Values looked at between two questions whether to go on.
const BLOCK: usize = 64;
/// Values that are worked on at once.
const LANES: usize = 4;
/// The newest values of a window, which nearly every look at it wants: written out first, without the others.
const NEWEST: usize = 128;

/// How the values are written down.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Form {
    /// `(base + offset) / power`: offsets of `width` bytes, little-endian.
    Decimal { base: f64, power: f64, width: usize },
    /// `f32`, little-endian.
    Single,
    /// As they are.
    Double,
}

impl Form {
    /// Bytes of a value.
    fn width(self) -> usize {
        match self {
            Self::Decimal { width, .. } => width,
            Self::Single => size_of::<f32>(),
            Self::Double => size_of::<f64>(),
        }
    }

    /// The form that takes the least room for all the values.
    fn of(values: &[f64]) -> Self {
        let decimal = POWERS.iter().find_map(|&power| {
            let (least, most) = whole_extent(values, power)?;
            Some((power, least, most))
        });
        let is_single = || {
            let mut blocks = values.chunks(BLOCK);
            blocks.all(|block| block.iter().fold(true, |all, &value| all & is_single(value)))
        };
        match decimal {
            Some((power, least, most)) if most - least < largest_offset(3) || !is_single() => {
                let width = (1..=4).find(|&width| most - least <= largest_offset(width));
                width.map_or(Self::Double, |width| Self::Decimal {
                    // Room for values to come on either side.
                    base: least - ((largest_offset(width) - (most - least)) / 2.0).floor(),
                    power,
                    width,
                })
            }
            Some(_) => Self::Single,
            None if is_single() => Self::Single,
            None => Self::Double,
        }
    }

    /// The bytes of a value, of which the first [`Form::width`] count; `None` if the form cannot give it back.
    fn write(self, value: f64) -> Option<[u8; 8]> {
        let mut bytes = [0; 8];
        match self {
            Self::Decimal { base, power, width } => {
                let whole = whole(value, power);
                let offset = whole - base;
                if differing(value, whole, power) != 0
                    || whole.abs() >= LARGEST
                    || !(0.0..=largest_offset(width)).contains(&offset)
                {
                    return None;
                }
                bytes[..4].copy_from_slice(&(offset as u32).to_le_bytes());
            }
            Self::Single => {
                is_single(value).then_some(())?;
                bytes[..4].copy_from_slice(&(value as f32).to_le_bytes());
            }
            Self::Double => bytes = value.to_le_bytes(),
        }
        Some(bytes)
    }
}

fn largest_offset(width: usize) -> f64 {
    f64::from(u32::MAX >> (32 - 8 * width))
}

/// The whole number next to a value times the power.
fn whole(value: f64, power: f64) -> f64 {
    (value * power + ROUNDING) - ROUNDING
}

/// Bits in which a value and its whole number divided by the power differ: none if that gives it back. Minus zero is not zero.
fn differing(value: f64, whole: f64, power: f64) -> u64 {
    (whole / power).to_bits() ^ value.to_bits()
}

/// Smallest and largest of the whole numbers that give all values back, if all have one.
fn whole_extent(values: &[f64], power: f64) -> Option<(f64, f64)> {
    let mut extent = WholeExtent {
        differing: [0; LANES],
        least: [f64::INFINITY; LANES],
        most: [f64::NEG_INFINITY; LANES],
    };
    let (lanes, rest) = values.as_chunks();
    for block in lanes.chunks(BLOCK / LANES) {
        block.iter().for_each(|values| extent.add(values, power));
        if extent.differing != [0; LANES] {
            return None;
        }
    }
    // Lanes without a value of their own see the last one again.
    if let (Some(last), false) = (values.last(), rest.is_empty()) {
        extent.add(
            &std::array::from_fn(|lane| *rest.get(lane).unwrap_or(last)),
            power,
        );
    }
    let least = extent.least.into_iter().fold(f64::INFINITY, f64::min);
    let most = extent.most.into_iter().fold(f64::NEG_INFINITY, f64::max);
    (extent.differing == [0; LANES] && least > -LARGEST && most < LARGEST).then_some((least, most))
}

/// What is known of values, each in one of some lanes, so that the compiler works on several at once.
struct WholeExtent {
    /// Bits in which a value and what its whole number gives back differ.
    differing: [u64; LANES],
    least: [f64; LANES],
    most: [f64; LANES],
}

impl WholeExtent {
    fn add(&mut self, values: &[f64; LANES], power: f64) {
        for (lane, &value) in values.iter().enumerate() {
            let whole = whole(value, power);
            self.differing[lane] |= differing(value, whole, power);
            self.least[lane] = if whole < self.least[lane] {
                whole
            } else {
                self.least[lane]
            };
            self.most[lane] = if whole > self.most[lane] {
                whole
            } else {
                self.most[lane]
            };
        }
    }
}

fn is_single(value: f64) -> bool {
    f64::from(value as f32).to_bits() == value.to_bits()
}

/// Values of a window, oldest first, that lose points at the front and get new ones at the end.
///
/// What is written out is what was put in, to the bit.
#[derive(Debug, Clone, Default)]
pub struct CompactValues {
    form: Option<Form>,
    /// The values in their form, unless that is [`Form::Double`].
    bytes: Vec<u8>,
    /// The values in [`Form::Double`].
    doubles: Vec<f64>,
    /// So many of the oldest have left the window, and are cut away once they are an eighth of what is kept.
    skipped: usize,
}

impl CompactValues {
    /// Takes these values in place of what it holds. O(n).
    pub fn store(&mut self, values: &[f64]) {
        let form = Form::of(values);
        self.form = Some(form);
        self.skipped = 0;
        self.bytes.clear();
        self.doubles.clear();
        let capacity = values.len() + slack(values.len());
        if form == Form::Double {
            self.bytes = Vec::new();
            fit(&mut self.doubles, capacity);
            self.doubles.extend_from_slice(values);
            return;
        }
        self.doubles = Vec::new();
        fit(&mut self.bytes, capacity * form.width());
        match form {
            Form::Decimal {
                base,
                power,
                width: 1,
            } => pack::<1>(&mut self.bytes, values, base, power),
            Form::Decimal {
                base,
                power,
                width: 2,
            } => pack::<2>(&mut self.bytes, values, base, power),
            Form::Decimal {
                base,
                power,
                width: 3,
            } => pack::<3>(&mut self.bytes, values, base, power),
            Form::Decimal { base, power, .. } => pack::<4>(&mut self.bytes, values, base, power),
            Form::Single | Form::Double => {
                let bytes = values.iter().flat_map(|&value| (value as f32).to_le_bytes());
                self.bytes.extend(bytes);
            }
        }
    }

    /// How many values there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.stored() - self.skipped
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn width(&self) -> usize {
        self.form.unwrap_or(Form::Double).width()
    }

    fn stored(&self) -> usize {
        self.doubles.len() + self.bytes.len() / self.width()
    }

    /// All of them, if they lie as they are.
    #[must_use]
    pub fn as_slice(&self) -> Option<&[f64]> {
        (self.width() == size_of::<f64>()).then(|| &self.doubles[self.skipped..])
    }

    /// Writes those at the places of `range`, which must be there, to the end of `into`.
    pub fn write(&self, range: Range<usize>, into: &mut Vec<f64>) {
        let (from, to) = (range.start + self.skipped, range.end + self.skipped);
        let bytes = |width: usize| &self.bytes[from * width..to * width];
        match self.form {
            Some(Form::Decimal { base, power, width }) => match width {
                1 => unpack::<1>(bytes(1), base, power, into),
                2 => unpack::<2>(bytes(2), base, power, into),
                3 => unpack::<3>(bytes(3), base, power, into),
                _ => unpack::<4>(bytes(4), base, power, into),
            },
            Some(Form::Single) => {
                let singles = bytes(4).as_chunks::<4>().0.iter();
                into.extend(singles.map(|&bytes| f64::from(f32::from_le_bytes(bytes))));
            }
            Some(Form::Double) | None => into.extend_from_slice(&self.doubles[from..to]),
        }
    }

    /// The value at a place; `None` if there is none.
    #[must_use]
    pub fn get(&self, place: usize) -> Option<f64> {
        let (place, width) = (place + self.skipped, self.width());
        if width == size_of::<f64>() {
            return self.doubles.get(place).copied();
        }
        let written = self.bytes.get(place * width..(place + 1) * width)?;
        let mut bytes = [0; 4];
        bytes[..width].copy_from_slice(written);
        Some(match self.form? {
            Form::Decimal { base, power, .. } => (base + f64::from(u32::from_le_bytes(bytes))) / power,
            Form::Single | Form::Double => f64::from(f32::from_le_bytes(bytes)),
        })
    }

    /// The newest value.
    #[must_use]
    pub fn last(&self) -> Option<f64> {
        self.get(self.len().checked_sub(1)?)
    }

    /// Adds a value. O(1), unless the form cannot give it back and another must be found.
    pub fn push(&mut self, value: f64) {
        let written = self.form.and_then(|form| form.write(value));
        let Some(bytes) = written else {
            return self.store_with(self.len(), value);
        };
        self.make_room();
        match self.width() {
            8 => self.doubles.push(value),
            width => self.bytes.extend_from_slice(&bytes[..width]),
        }
    }

    /// Puts another value in the place of the newest. Costs what [`CompactValues::push`] does.
    pub fn replace_last(&mut self, value: f64) {
        let Some(last) = self.len().checked_sub(1) else {
            return;
        };
        let Some(bytes) = self.form.and_then(|form| form.write(value)) else {
            return self.store_with(last, value);
        };
        let (place, width) = (last + self.skipped, self.width());
        match width {
            8 => self.doubles[place] = value,
            _ => self.bytes[place * width..][..width].copy_from_slice(&bytes[..width]),
        }
    }

    /// Drops so many of the oldest. O(1), but for one time in an eighth of their number.
    pub fn skip(&mut self, count: usize) {
        self.skipped += count.min(self.len());
        if self.skipped > self.stored() / 8 {
            self.cut();
        }
    }

    /// Heap bytes held.
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        self.bytes.capacity() + self.doubles.capacity() * size_of::<f64>()
    }

    /// Stores the first `kept` values anew, with one more.
    fn store_with(&mut self, kept: usize, value: f64) {
        let mut values = Vec::with_capacity(kept + 1);
        self.write(0..kept, &mut values);
        values.push(value);
        self.store(&values);
    }

    fn cut(&mut self) {
        let bytes = self.skipped * self.width();
        match self.width() {
            8 => drop(self.doubles.drain(..self.skipped)),
            _ => drop(self.bytes.drain(..bytes)),
        }
        self.skipped = 0;
    }

    /// Grows by the slack at a time: doubling would waste up to half of the largest structure there is.
    fn make_room(&mut self) {
        let width = self.width();
        let spare = match width {
            8 => self.doubles.capacity() - self.doubles.len(),
            _ => (self.bytes.capacity() - self.bytes.len()) / width,
        };
        if spare > 0 {
            return;
        }
        if self.skipped > 0 {
            return self.cut();
        }
        let more = slack(self.stored());
        match width {
            8 => self.doubles.reserve_exact(more),
            _ => self.bytes.reserve_exact(more * width),
        }
    }
}

/// Room kept beyond the values: a sixteenth, so that a window that moves by a point a pass is copied once in so many.
fn slack(len: usize) -> usize {
    len / 16 + 4
}

/// Gives an empty vector that capacity, unless what it has is close to it.
fn fit<T>(vector: &mut Vec<T>, capacity: usize) {
    if !(capacity..=capacity + capacity / 8 + 8).contains(&vector.capacity()) {
        *vector = Vec::with_capacity(capacity);
    }
}

/// Writes offsets of `W` bytes.
fn pack<const W: usize>(bytes: &mut Vec<u8>, values: &[f64], base: f64, power: f64) {
    let from = bytes.len();
    bytes.resize(from + W * values.len(), 0);
    for (&value, written) in values.iter().zip(bytes[from..].as_chunks_mut::<W>().0) {
        let offset = ((whole(value, power) - base) as i64 as u32).to_le_bytes();
        written.copy_from_slice(&offset[..W]);
    }
}

/// Reads offsets of `W` bytes.
fn unpack<const W: usize>(bytes: &[u8], base: f64, power: f64, into: &mut Vec<f64>) {
    let offsets = bytes.as_chunks::<W>().0.iter().map(|chunk| {
        let mut offset = [0; 4];
        offset[..W].copy_from_slice(chunk);
        base + f64::from(u32::from_le_bytes(offset))
    });
    // A division costs what all the rest does.
    match power == 1.0 {
        true => into.extend(offsets),
        false => into.extend(offsets.map(|whole| whole / power)),
    }
}

/// Values written out, reused from window to window: the newest at once, all of them when somebody asks.
#[derive(Debug, Default)]
pub struct ValuesBuffer {
    newest: Vec<f64>,
    all: OnceCell<Vec<f64>>,
    /// The memory of those that were written out before.
    spare: RefCell<Vec<f64>>,
}

impl ValuesBuffer {
    /// Turns to other values.
    pub(crate) fn turn_to(&mut self, values: &CompactValues) {
        if let Some(all) = self.all.take() {
            self.spare.replace(all);
        }
        self.newest.clear();
        let len = values.len();
        values.write(len.saturating_sub(NEWEST)..len, &mut self.newest);
    }

    /// The newest `count` of the values it was turned to, oldest first, all if there are fewer.
    pub(crate) fn newest(&self, values: &CompactValues, count: usize) -> &[f64] {
        let from = match count <= NEWEST {
            true => &self.newest,
            false => self.all(values),
        };
        &from[from.len().saturating_sub(count)..]
    }

    /// All the values it was turned to.
    pub(crate) fn all(&self, values: &CompactValues) -> &[f64] {
        if values.len() == self.newest.len() {
            return &self.newest;
        }
        self.all.get_or_init(|| {
            let mut all = self.spare.take();
            all.clear();
            values.write(0..values.len(), &mut all);
            all
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn written(values: &CompactValues) -> Vec<u64> {
        let mut all = Vec::new();
        values.write(0..values.len(), &mut all);
        all.iter().map(|value| value.to_bits()).collect()
    }

    fn compact(values: &[f64]) -> CompactValues {
        let mut compact = CompactValues::default();
        compact.store(values);
        compact
    }

    #[test]
    fn each_form_takes_what_it_should() {
        let day = |value: fn(f64) -> f64| (0..1440).map(|at| value(f64::from(at))).collect::<Vec<f64>>();
        let widths = [
            (day(|at| at % 250.0), 1),
            (day(|at| (at * 7.0) % 10_000.0 / 100.0), 2),
            (day(|at| 1.7e9 + at * 1_000.0), 3),
            (day(|at| at * 12_345.0 + 0.25), 4),
            (day(|at| f64::from((at * 0.37).sin() as f32)), 4),
            (day(|at| (at * 0.37).sin()), 8),
            (day(|at| -0.0 * at), 4),
        ];
        for (values, width) in widths {
            let compact = compact(&values);
            assert_eq!(compact.width(), width, "{:?}", &values[..3]);
            assert!(compact.heap_bytes() <= width * (1440 + 1440 / 16 + 4));
            let bits: Vec<u64> = values.iter().map(|value| value.to_bits()).collect();
            assert_eq!(written(&compact), bits);
        }
    }

    #[test]
    fn a_growing_count_finds_another_form_rarely() {
        let mut compact = compact(&[0.0]);
        let mut changes = 0;
        for at in 1..100_000 {
            let before = compact.form;
            compact.push(f64::from(at) * 100.0);
            compact.skip(compact.len().saturating_sub(1440));
            changes += usize::from(before != compact.form);
        }
        assert!(changes < 20, "{changes} forms");
    }

    /// Values of all forms, and the borders between them.
    fn value() -> impl Strategy<Value = f64> {
        prop_oneof![
            4 => (-300i32..300).prop_map(f64::from),
            4 => (-40_000i32..40_000).prop_map(|cents| f64::from(cents) / 100.0),
            2 => any::<i32>().prop_map(|whole| f64::from(whole) / 1e4),
            1 => any::<f32>().prop_filter("finite", |value| value.is_finite()).prop_map(f64::from),
            1 => any::<f64>().prop_filter("finite", |value| value.is_finite()),
            1 => prop::sample::select(vec![0.0, -0.0, f64::MIN_POSITIVE, LARGEST, -LARGEST, f64::MAX, 9_007_199_254_740_993.0]),
        ]
    }

    proptest! {
        /// Whatever is pushed, replaced and dropped: what is written out is what a plain vector holds, to the bit.
        #[test]
        fn it_is_a_vector(
            start in prop::collection::vec(value(), 0..300),
            steps in prop::collection::vec((value(), 0u8..4, 0usize..20), 0..200),
        ) {
            let mut plain = start.clone();
            let mut compact = compact(&start);
            for (value, kind, count) in steps {
                match kind {
                    0 => {
                        let count = count.min(plain.len());
                        plain.drain(..count);
                        compact.skip(count);
                    }
                    1 => {
                        if let Some(last) = plain.last_mut() {
                            *last = value;
                        }
                        compact.replace_last(value);
                    }
                    _ => {
                        plain.push(value);
                        compact.push(value);
                    }
                }
                let bits: Vec<u64> = plain.iter().map(|value| value.to_bits()).collect();
                prop_assert_eq!(written(&compact), bits);
                prop_assert_eq!(compact.len(), plain.len());
                prop_assert_eq!(compact.last().map(f64::to_bits), plain.last().map(|last| last.to_bits()));
            }
            let mut buffer = ValuesBuffer::default();
            buffer.turn_to(&compact);
            for count in [0, 1, 3, NEWEST, NEWEST + 1, plain.len()] {
                let newest = &plain[plain.len().saturating_sub(count)..];
                prop_assert_eq!(buffer.newest(&compact, count), newest);
            }
        }
    }
}
