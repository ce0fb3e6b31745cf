//! Carbon's pickle protocol: frames of a 32-bit big-endian length and a pickled list of `(name, (time, value))`.
//!
//! A frame that cannot be read is dropped as a whole and the next one read, as carbon does; one that claims to be longer
//! than allowed ends the connection, for what follows it cannot be found. A frame's room grows with the bytes that
//! really come, never with what a length promises.

mod operands;
mod reader;

use super::counters::DropReason;
use super::intake::{BatchBuilder, Intake};
use super::stream::{BUFFER, Broken, Framer, IDLE_BUFFER};
pub(super) use reader::{NotAPoint, PickleReader, PickledPoint};

/// The length before each frame.
const HEADER: usize = 4;

/// Cuts a stream into frames.
pub(super) struct PickleFramer {
    buffer: Vec<u8>,
    /// Bytes of unfinished frames at the front of the buffer.
    held: usize,
    longest: usize,
}

impl PickleFramer {
    /// At the beginning of a stream.
    pub(super) fn new(intake: &Intake) -> Self {
        Self {
            buffer: vec![0; IDLE_BUFFER],
            held: 0,
            longest: intake.max_frame,
        }
    }

    fn resize(&mut self, read: usize) {
        if self.held + read >= self.buffer.len() {
            // All of it was filled: twice the room, up to one frame and one more read.
            let most = self.longest + HEADER + BUFFER;
            self.buffer
                .resize((self.buffer.len() * 2).max(BUFFER).min(most), 0);
        } else if self.buffer.len() > IDLE_BUFFER && self.held + read < IDLE_BUFFER / 2 {
            self.buffer.truncate(IDLE_BUFFER);
            self.buffer.shrink_to_fit();
        }
    }
}

impl Framer for PickleFramer {
    fn room(&mut self) -> &mut [u8] {
        &mut self.buffer[self.held..]
    }

    fn take(&mut self, read: usize, into: &mut BatchBuilder<'_>) -> Result<(), Broken> {
        let filled = self.held + read;
        let mut begin = 0;
        while let Some((header, rest)) = self.buffer[begin..filled].split_first_chunk::<HEADER>() {
            let length = u32::from_be_bytes(*header) as usize;
            if length > self.longest {
                into.refuse(DropReason::FrameTooLong, &self.buffer[begin..filled]);
                self.held = 0;
                return Err(Broken);
            }
            let Some(frame) = rest.get(..length) else { break };
            take_frame(frame, into);
            begin += HEADER + length;
        }
        self.buffer.copy_within(begin..filled, 0);
        self.held = filled - begin;
        self.resize(read);
        Ok(())
    }

    fn end(&mut self, into: &mut BatchBuilder<'_>) {
        if self.held > 0 {
            into.refuse(DropReason::Unfinished, &self.buffer[..self.held]);
        }
    }
}

/// Takes the points of one frame. All of it is read before the first of them is taken.
fn take_frame(frame: &[u8], into: &mut BatchBuilder<'_>) {
    match PickleReader::read(frame) {
        Ok(reader) => reader.items(|item| match item {
            Ok(PickledPoint { name, time, value }) => match std::str::from_utf8(name) {
                Ok(text) => into.point(text, time, value, name),
                Err(_) => into.refuse(DropReason::NotUtf8, name),
            },
            Err(NotAPoint) => into.refuse(DropReason::Malformed, b"an element of a pickle"),
        }),
        Err(wrong) => into.refuse(DropReason::BadFrame, wrong.to_string().as_bytes()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{counter, read_stream, time};
    use super::*;
    use proptest::prelude::*;

    type Points = Vec<(String, (f64, f64))>;

    fn framed(pickle: &[u8]) -> Vec<u8> {
        let length = u32::try_from(pickle.len()).expect("a short pickle");
        [&length.to_be_bytes()[..], pickle].concat()
    }

    fn pickled(points: &Points) -> Vec<u8> {
        framed(
            &serde_pickle::to_vec(points, serde_pickle::SerOptions::new().proto_v2())
                .expect("serde-pickle writes"),
        )
    }

    fn flat(points: &Points) -> Vec<(String, f64, f64)> {
        points
            .iter()
            .map(|(name, (time, value))| (name.clone(), *time, *value))
            .collect()
    }

    #[test]
    fn a_bad_frame_costs_only_itself() {
        let at = time() as f64;
        let good: Points = vec![("a".to_owned(), (at, 1.0)), ("b".to_owned(), (at, 2.0))];
        let stream = [
            pickled(&good),
            framed(b"cos\nsystem\n."),
            pickled(&good),
            b"\0\0\0\x09half".to_vec(),
        ]
        .concat();
        let (points, intake) = read_stream(&[&stream], PickleFramer::new);
        assert_eq!(points, [flat(&good), flat(&good)].concat());
        assert_eq!(counter(&intake, "dropped.bad_frame"), 1);
        assert_eq!(counter(&intake, "dropped.unfinished"), 1);
    }

    #[test]
    fn lines_sent_to_this_port_end_the_connection() {
        let (points, intake) = read_stream(&[b"some.metric 1 1700000000\n"], PickleFramer::new);
        assert_eq!(points, []);
        assert_eq!(counter(&intake, "dropped.frame_too_long"), 1);
    }

    fn oracle(bytes: &[u8]) -> Option<super::super::oracle::OraclePoints> {
        serde_pickle::from_slice(bytes, serde_pickle::DeOptions::new().decode_strings()).ok()
    }

    /// Opcodes and operands that are likely to make something together.
    fn piece() -> impl Strategy<Value = Vec<u8>> {
        let usual: [&[u8]; 26] = [
            b"]",
            b"(",
            b")",
            b"l",
            b"t",
            b"a",
            b"e",
            b"\x85",
            b"\x86",
            b"\x87",
            b"K\x07",
            b"M\x01\x02",
            b"J\xff\xff\xff\xff",
            b"G?\xf8\0\0\0\0\0\0",
            b"U\x01a",
            b"X\x01\0\0\0b",
            b"I12\n",
            b"L-7L\n",
            b"F1.5\n",
            b"Vx\\u00df\n",
            b"S'q\\x41\\n'\n",
            b"q\0",
            b"h\0",
            b"\x94",
            b"\x8a\x02\0\xff",
            b"N",
        ];
        prop_oneof![
            20 => prop::sample::select(usual.to_vec()).prop_map(<[u8]>::to_vec),
            3 => Just(b"U\x01aK\x01K\x02\x86\x86".to_vec()),
            1 => prop::collection::vec(any::<u8>(), 1..4),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]
        #[test]
        fn any_bytes_keep_the_laws(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            super::super::laws::pickle(&bytes, oracle);
        }

        #[test]
        fn likely_bytes_keep_the_laws(pieces in prop::collection::vec(piece(), 0..20)) {
            let inside = [&b"]("[..], &pieces.concat(), b"e."].concat();
            super::super::laws::pickle(&inside, oracle);
            super::super::laws::pickle(&[&pieces.concat()[..], b"."].concat(), oracle);
        }

        #[test]
        fn what_serde_pickle_writes_is_read(points in prop::collection::vec((".{0,30}", (any::<f64>(), any::<f64>())), 0..20)) {
            for options in [serde_pickle::SerOptions::new(), serde_pickle::SerOptions::new().proto_v2()] {
                let bytes = serde_pickle::to_vec(&points, options).expect("serde-pickle writes");
                let mut read = Vec::new();
                PickleReader::read(&bytes).expect("a list").items(|item| {
                    let item = item.expect("a point");
                    read.push((item.name.to_vec(), item.time.to_bits(), item.value.to_bits()));
                });
                let written: Vec<_> = points.iter().map(|(n, (t, v))| (n.as_bytes().to_vec(), t.to_bits(), v.to_bits())).collect();
                prop_assert_eq!(read, written);
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]
        /// However the network cuts the stream, the same points come out.
        #[test]
        fn cuts_do_not_matter(cuts in prop::collection::vec(1usize..9_000, 1..20), sizes in prop::collection::vec(0usize..800, 1..5)) {
            let at = time() as f64;
            let frames: Vec<Points> = sizes
                .iter()
                .map(|&size| (0..size).map(|n| (format!("some.metric.{n}"), (at, n as f64))).collect())
                .collect();
            let stream: Vec<u8> = frames.iter().flat_map(pickled).collect();
            let mut pieces = Vec::new();
            let mut rest = &stream[..];
            for cut in cuts {
                let (piece, after) = rest.split_at(cut.min(rest.len()));
                pieces.push(piece);
                rest = after;
            }
            pieces.push(rest);
            let (points, _) = read_stream(&pieces, PickleFramer::new);
            prop_assert_eq!(points, frames.iter().flat_map(flat).collect::<Vec<_>>());
        }
    }
}
