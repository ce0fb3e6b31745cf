//! Carbon plaintext: lines out of a stream, and out of a datagram.
//!
//! A line of any length costs at most one buffer: what is longer is skipped to the next line break and counted.

use super::counters::DropReason;
use super::intake::{BatchBuilder, Intake};
use super::line;
use super::stream::{BUFFER, Broken, Framer, IDLE_BUFFER};

/// What a line holds beside its name: value, time, blanks.
const BESIDE_NAME: usize = 128;

/// Takes one line without its line break.
#[inline]
fn take_line(line: &[u8], longest: usize, into: &mut BatchBuilder<'_>) {
    if line.len() > longest {
        into.refuse(DropReason::LineTooLong, line);
        return;
    }
    match line::parse(line, into.now()) {
        Ok(point) => into.point(point.name, point.time, point.value, line),
        Err(DropReason::Malformed) if line.trim_ascii().is_empty() => {}
        Err(reason) => into.refuse(reason, line),
    }
}

/// Takes the lines of a datagram; its end ends the last one.
pub(super) fn datagram(bytes: &[u8], into: &mut BatchBuilder<'_>) {
    for line in bytes.split(|&byte| byte == b'\n') {
        take_line(line, usize::MAX, into);
    }
}

/// Cuts a stream into lines.
pub(super) struct LineFramer {
    buffer: Vec<u8>,
    /// Bytes of an unfinished line at the front of the buffer.
    held: usize,
    /// Whether the line under way is too long and only its end is looked for.
    skipping: bool,
    longest: usize,
}

impl LineFramer {
    /// At the beginning of a stream.
    pub(super) fn new(intake: &Intake) -> Self {
        Self {
            buffer: vec![0; IDLE_BUFFER],
            held: 0,
            skipping: false,
            longest: intake.max_name() + BESIDE_NAME,
        }
    }

    /// A client that fills its buffer gets a large one; one that has little to say gives it back.
    fn resize(&mut self, read: usize) {
        if self.held + read >= self.buffer.len() && self.buffer.len() < BUFFER {
            self.buffer.resize(BUFFER, 0);
        } else if self.buffer.len() == BUFFER && read < IDLE_BUFFER / 2 && self.held < IDLE_BUFFER / 2 {
            self.buffer.truncate(IDLE_BUFFER);
            self.buffer.shrink_to_fit();
        }
        if self.held == self.buffer.len() {
            self.buffer.resize(self.buffer.len() + self.longest, 0);
        }
    }
}

impl Framer for LineFramer {
    fn room(&mut self) -> &mut [u8] {
        &mut self.buffer[self.held..]
    }

    fn take(&mut self, read: usize, into: &mut BatchBuilder<'_>) -> Result<(), Broken> {
        let filled = self.held + read;
        let mut begin = 0;
        // The held bytes were looked through before: they have no line break.
        let mut look_from = self.held;
        while let Some(at) = memchr::memchr(b'\n', &self.buffer[look_from..filled]) {
            let end = look_from + at;
            if self.skipping {
                self.skipping = false;
            } else {
                take_line(&self.buffer[begin..end], self.longest, into);
            }
            begin = end + 1;
            look_from = begin;
        }
        self.buffer.copy_within(begin..filled, 0);
        self.held = filled - begin;
        if self.held > self.longest {
            if !self.skipping {
                into.refuse(DropReason::LineTooLong, &self.buffer[..self.held]);
            }
            self.skipping = true;
            self.held = 0;
        } else if self.skipping {
            self.held = 0;
        }
        self.resize(read);
        Ok(())
    }

    fn end(&mut self, into: &mut BatchBuilder<'_>) {
        let rest = &self.buffer[..self.held];
        if !rest.is_empty() && !self.skipping {
            // Carbon, too, drops a line that has no end: half a value must not become a point.
            into.refuse(DropReason::Unfinished, rest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{counter, read_stream, time};
    use super::*;
    use proptest::prelude::*;

    fn run(pieces: &[&[u8]]) -> (Vec<(String, f64)>, Intake) {
        let (points, intake) = read_stream(pieces, LineFramer::new);
        (
            points.into_iter().map(|(name, _, value)| (name, value)).collect(),
            intake,
        )
    }

    #[test]
    fn a_line_of_any_length_is_one_counted_drop() {
        let long = vec![b'x'; 300_000];
        let at = time();
        let (points, intake) = run(&[
            format!("a 1 {at}\n").as_bytes(),
            &long,
            format!(" 5 {at}\n").as_bytes(),
            format!("b 2 {at}\n\r\nhalf 3").as_bytes(),
        ]);
        assert_eq!(points, [("a".to_owned(), 1.0), ("b".to_owned(), 2.0)]);
        assert_eq!(counter(&intake, "dropped.line_too_long"), 1);
        assert_eq!(
            counter(&intake, "dropped.unfinished"),
            1,
            "the line without an end"
        );
        assert_eq!(counter(&intake, "received"), 4);
    }

    #[test]
    fn every_drop_has_its_reason() {
        let (at, old, ahead) = (time(), time() - 10_000, time() + 10_000);
        let text = format!(
            "a 1\na nan {at}\na -inf {at}\na 1 0\na 1 -7\na 1 inf\na\0b 1 {at}\n{} 1 {at}\na 1 {old}\na 1 {ahead}\na;b 1 {at}\n\
             skywatch.x 1 {at}\nok;b=1;a=2 1 {at}\nnow 1 -1\n",
            "n".repeat(101)
        );
        let (points, intake) = run(&[text.as_bytes(), b"\xff 1 1\n"]);
        let names: Vec<&str> = points.iter().map(|point| point.0.as_str()).collect();
        assert_eq!(names, ["ok;a=2;b=1", "now"]);
        for (reason, n) in [
            ("malformed", 1),
            ("not_finite", 2),
            ("bad_time", 3),
            ("bad_name", 2),
            ("name_too_long", 1),
            ("too_old", 1),
            ("too_far_ahead", 1),
            ("skipped", 1),
            ("not_utf8", 1),
        ] {
            assert_eq!(counter(&intake, &format!("dropped.{reason}")), n, "{reason}");
        }
        assert_eq!(counter(&intake, "received"), 15);
        assert_eq!(counter(&intake, "accepted"), 2);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        /// However the network cuts the stream, the same points come out.
        #[test]
        fn cuts_do_not_matter(cuts in prop::collection::vec(1usize..3000, 1..20)) {
            let at = time();
            let text: String = (0..400).map(|n| format!("some.metric.{n} {n} {at}\n")).collect();
            let mut pieces = Vec::new();
            let mut rest = text.as_bytes();
            for cut in cuts {
                let (piece, after) = rest.split_at(cut.min(rest.len()));
                pieces.push(piece);
                rest = after;
            }
            pieces.push(rest);
            let (points, _) = run(&pieces);
            prop_assert_eq!(points.len(), 400);
            prop_assert!(points.iter().enumerate().all(|(n, point)| point.1 == n as f64));
        }
    }
}
