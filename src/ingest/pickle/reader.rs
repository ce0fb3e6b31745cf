//! A reader of so much of Python's pickles as points are made of, and no more.
//!
//! Taken are numbers, texts, bytes, `None`, tuples, lists and the memo, of protocols 0 to 2 and what a Python 3 needs to
//! write the same in protocols 3 and 4; dictionaries and sets are read and are no points, so that one among points costs
//! only itself. Every other opcode is refused, above all those that name or call something
//! (GLOBAL, REDUCE, BUILD, INST, OBJ, NEWOBJ, EXT, PERSID): nothing in a pickle is ever run. Objects lie flat in one list
//! and refer to each other by number, so a deep nest costs no stack and a list that holds itself no end.

use std::collections::HashMap;
use std::ops::Range;

use super::operands::{self, Operands};

/// A pickle that cannot be read, and where.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(in crate::ingest) enum PickleError {
    /// An opcode that points do not need.
    #[error("refused opcode {opcode:#04x} at byte {at}")]
    Opcode { opcode: u8, at: usize },
    /// An opcode whose operands are missing or make no sense.
    #[error("malformed opcode {opcode:#04x} at byte {at}")]
    Operand { opcode: u8, at: usize },
    /// More memo entries, objects or open marks than any list of points has.
    #[error("more objects than allowed at byte {at}")]
    TooMany { at: usize },
    /// It ends without its end.
    #[error("cut off")]
    CutOff,
    /// It is something else than a list.
    #[error("no list of points")]
    NoList,
}

/// An element of the list that is no point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::ingest) struct NotAPoint;

/// An element of the list: a point, not judged yet.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::ingest) struct PickledPoint<'r> {
    /// Bytes of the name, of which nothing is known yet.
    pub name: &'r [u8],
    pub time: f64,
    pub value: f64,
}

/// Most objects a pickle may make, a bound on memory. A point takes five and at least thirty bytes, so that the default
/// frame of a megabyte stays below.
const MOST_OBJECTS: usize = 1 << 18;
/// Marks open at a time: one for the list, one for a tuple, and some to spare.
const MOST_MARKS: usize = 64;

/// Number of an object.
type Id = u32;

#[derive(Debug, Clone)]
enum PickleObject {
    Number(f64),
    /// A text or bytes in the frame.
    Here(Range<u32>),
    /// A text that had to be decoded, in `texts`.
    Decoded(Range<u32>),
    /// Members, in `tuples`.
    Tuple(Range<u32>),
    /// Members, in `lists`.
    List(u32),
    /// `None`: something, but no number.
    Nothing,
}

/// A pickle that was read: its objects, among them a list.
#[derive(Debug)]
pub(in crate::ingest) struct PickleReader<'f> {
    operands: Operands<'f>,
    objects: Vec<PickleObject>,
    tuples: Vec<Id>,
    lists: Vec<Vec<Id>>,
    texts: Vec<u8>,
    stack: Vec<Id>,
    /// Heights of the stack at the open marks.
    marks: Vec<usize>,
    /// The usual memo is numbered from 0 without gaps; what is not goes aside.
    memo: Vec<Id>,
    sparse_memo: HashMap<u32, Id>,
    /// A place of the memo was written twice: legal, though no known pickler does it.
    pub(in crate::ingest) memo_rewritten: bool,
    /// Whether there is a set in it, which serde-pickle gives out like a tuple.
    pub(in crate::ingest) has_sets: bool,
}

impl<'f> PickleReader<'f> {
    /// Reads the pickle in `frame`; what follows its end is passed over, as Python does.
    ///
    /// # Errors
    /// [`PickleError`].
    pub(in crate::ingest) fn read(frame: &'f [u8]) -> Result<Self, PickleError> {
        let mut reader = Self {
            operands: Operands::of(frame),
            objects: Vec::with_capacity(frame.len() / 8),
            tuples: Vec::with_capacity(frame.len() / 16),
            lists: Vec::new(),
            texts: Vec::new(),
            stack: Vec::new(),
            marks: Vec::new(),
            memo: Vec::with_capacity(frame.len() / 16),
            sparse_memo: HashMap::new(),
            memo_rewritten: false,
            has_sets: false,
        };
        loop {
            let at = reader.operands.at();
            let opcode = reader.operands.byte().ok_or(PickleError::CutOff)?;
            if opcode == b'.' {
                break;
            }
            let known = reader.step(opcode);
            match known {
                Some(true) => {}
                Some(false) => return Err(PickleError::Opcode { opcode, at }),
                None if reader.operands.is_at_end() => return Err(PickleError::CutOff),
                None => return Err(PickleError::Operand { opcode, at }),
            }
            if reader.objects.len() > MOST_OBJECTS
                || reader.memo.len() + reader.sparse_memo.len() > MOST_OBJECTS
                || reader.marks.len() > MOST_MARKS
                || reader.tuples.len() + reader.stack.len() > 4 * MOST_OBJECTS
            {
                return Err(PickleError::TooMany { at });
            }
        }
        match reader.top() {
            Some(PickleObject::List(_) | PickleObject::Tuple(_)) => Ok(reader),
            _ => Err(PickleError::NoList),
        }
    }

    /// Hands out the elements, in order. Their forms are carbon's: tuple or list alike, numbers also as text.
    pub(in crate::ingest) fn items(&self, mut each: impl FnMut(Result<PickledPoint<'_>, NotAPoint>)) {
        let Some(&last) = self.stack.last() else { return };
        for &id in self.members(last).unwrap_or_default() {
            each(self.item(id).ok_or(NotAPoint));
        }
    }

    fn item(&self, id: Id) -> Option<PickledPoint<'_>> {
        let &[name, point] = self.members(id)? else {
            return None;
        };
        let &[time, value] = self.members(point)? else {
            return None;
        };
        Some(PickledPoint {
            name: self.text(name)?,
            time: self.number(time)?,
            value: self.number(value)?,
        })
    }

    fn object(&self, id: Id) -> Option<&PickleObject> {
        self.objects.get(id as usize)
    }

    fn top(&self) -> Option<&PickleObject> {
        self.object(*self.stack.last()?)
    }

    fn members(&self, id: Id) -> Option<&[Id]> {
        match self.object(id)? {
            PickleObject::Tuple(range) => self.tuples.get(range.start as usize..range.end as usize),
            PickleObject::List(list) => self.lists.get(*list as usize).map(Vec::as_slice),
            _ => None,
        }
    }

    fn text(&self, id: Id) -> Option<&[u8]> {
        let (texts, range) = match self.object(id)? {
            PickleObject::Here(range) => (self.operands.frame(), range),
            PickleObject::Decoded(range) => (self.texts.as_slice(), range),
            _ => return None,
        };
        texts.get(range.start as usize..range.end as usize)
    }

    fn number(&self, id: Id) -> Option<f64> {
        match self.object(id)? {
            PickleObject::Number(number) => Some(*number),
            _ => std::str::from_utf8(self.text(id)?).ok()?.trim().parse().ok(),
        }
    }

    /// Does one opcode. `Some(false)` is one that is refused, `None` one whose operands are wrong.
    fn step(&mut self, opcode: u8) -> Option<bool> {
        match opcode {
            // PROTO, FRAME: the opcodes decide, not what they are announced as.
            0x80 => drop(self.operands.bytes(1)?),
            0x95 => drop(self.operands.bytes(8)?),
            b'(' => self.marks.push(self.stack.len()),
            b']' => self.list(Vec::new())?,
            b'l' => {
                let members = self.since_mark()?;
                self.list(members)?;
            }
            b'a' => {
                let member = self.pop()?;
                self.extend(&[member])?;
            }
            b'e' => {
                let members = self.since_mark()?;
                self.extend(&members)?;
            }
            b')' => self.tuple(&[])?,
            b't' => {
                let members = self.since_mark()?;
                self.tuple(&members)?;
            }
            0x85 => self.tuple_of::<1>()?,
            0x86 => self.tuple_of::<2>()?,
            0x87 => self.tuple_of::<3>()?,
            b'N' => self.make(PickleObject::Nothing)?,
            // EMPTY_DICT, EMPTY_SET
            b'}' | 0x8f => {
                self.has_sets |= opcode == 0x8f;
                self.make(PickleObject::Nothing)?;
            }
            // DICT, FROZENSET
            b'd' | 0x91 => {
                self.has_sets |= opcode == 0x91;
                self.since_mark()?;
                self.make(PickleObject::Nothing)?;
            }
            // SETITEMS, ADDITEMS
            b'u' | 0x90 => {
                self.since_mark()?;
                self.is_nothing()?;
            }
            // SETITEM
            b's' => {
                self.pop()?;
                self.pop()?;
                self.is_nothing()?;
            }
            0x88 => self.make(PickleObject::Number(1.0))?,
            0x89 => self.make(PickleObject::Number(0.0))?,
            b'I' => self.decimal(true)?,
            b'L' => self.decimal(true)?,
            b'F' => self.decimal(false)?,
            b'J' => {
                let number = i32::from_le_bytes(self.operands.array()?);
                self.make(PickleObject::Number(f64::from(number)))?;
            }
            b'K' => {
                let number = self.operands.byte()?;
                self.make(PickleObject::Number(f64::from(number)))?;
            }
            b'M' => {
                let number = u16::from_le_bytes(self.operands.array()?);
                self.make(PickleObject::Number(f64::from(number)))?;
            }
            0x8a => {
                let length = usize::from(self.operands.byte()?);
                self.long(length)?;
            }
            0x8b => {
                let length = u32::from_le_bytes(self.operands.array()?);
                self.long(usize::try_from(length).ok()?)?;
            }
            b'G' => {
                let number = f64::from_be_bytes(self.operands.array()?);
                self.make(PickleObject::Number(number))?;
            }
            // SHORT_BINSTRING, SHORT_BINBYTES, SHORT_BINUNICODE
            b'U' | b'C' | 0x8c => {
                let length = usize::from(self.operands.byte()?);
                self.here(length)?;
            }
            // BINUNICODE8, BINBYTES8, BYTEARRAY8
            0x8d | 0x8e | 0x96 => {
                let length = u64::from_le_bytes(self.operands.array()?);
                self.here(usize::try_from(length).ok()?)?;
            }
            // BINSTRING, BINBYTES, BINUNICODE
            b'T' | b'B' | b'X' => {
                let length = u32::from_le_bytes(self.operands.array()?);
                self.here(usize::try_from(length).ok()?)?;
            }
            b'S' => self.decoded(operands::unquote)?,
            b'V' => self.decoded(operands::unescape)?,
            b'p' => {
                let key = self.memo_key()?;
                self.remember(key)?;
            }
            b'q' => {
                let key = u32::from(self.operands.byte()?);
                self.remember(key)?;
            }
            b'r' => {
                let key = u32::from_le_bytes(self.operands.array()?);
                self.remember(key)?;
            }
            // MEMOIZE
            0x94 => {
                let key = u32::try_from(self.memo.len() + self.sparse_memo.len()).ok()?;
                self.remember(key)?;
            }
            b'g' => {
                let key = self.memo_key()?;
                self.recall(key)?;
            }
            b'h' => {
                let key = u32::from(self.operands.byte()?);
                self.recall(key)?;
            }
            b'j' => {
                let key = u32::from_le_bytes(self.operands.array()?);
                self.recall(key)?;
            }
            _ => return Some(false),
        }
        Some(true)
    }

    fn make(&mut self, object: PickleObject) -> Option<()> {
        self.stack.push(u32::try_from(self.objects.len()).ok()?);
        self.objects.push(object);
        Some(())
    }

    fn pop(&mut self) -> Option<Id> {
        // What lies below the last mark is not to be had.
        let floor = self.marks.last().copied().unwrap_or(0);
        if self.stack.len() > floor {
            self.stack.pop()
        } else {
            None
        }
    }

    /// Whether what lies on top of the stack is a dictionary or a set, of which nothing is kept.
    fn is_nothing(&self) -> Option<()> {
        matches!(self.top()?, PickleObject::Nothing).then_some(())
    }

    fn since_mark(&mut self) -> Option<Vec<Id>> {
        let mark = self.marks.pop()?;
        (mark <= self.stack.len()).then(|| self.stack.split_off(mark))
    }

    fn list(&mut self, members: Vec<Id>) -> Option<()> {
        let list = u32::try_from(self.lists.len()).ok()?;
        self.lists.push(members);
        self.make(PickleObject::List(list))
    }

    fn extend(&mut self, members: &[Id]) -> Option<()> {
        let Some(&PickleObject::List(list)) = self.top() else {
            return None;
        };
        self.lists.get_mut(list as usize)?.extend_from_slice(members);
        Some(())
    }

    fn tuple(&mut self, members: &[Id]) -> Option<()> {
        let begin = u32::try_from(self.tuples.len()).ok()?;
        self.tuples.extend_from_slice(members);
        let end = u32::try_from(self.tuples.len()).ok()?;
        self.make(PickleObject::Tuple(begin..end))
    }

    fn tuple_of<const N: usize>(&mut self) -> Option<()> {
        let mut members = [0; N];
        for member in members.iter_mut().rev() {
            *member = self.pop()?;
        }
        self.tuple(&members)
    }

    /// A text or bytes as they lie in the frame.
    fn here(&mut self, length: usize) -> Option<()> {
        self.operands.bytes(length)?;
        let end = u32::try_from(self.operands.at()).ok()?;
        let length = u32::try_from(length).ok()?;
        self.make(PickleObject::Here(end - length..end))
    }

    /// INT, LONG and FLOAT as text. What is no number ends with its line all the same.
    fn decimal(&mut self, is_whole: bool) -> Option<()> {
        let text = std::str::from_utf8(self.operands.line()?).ok()?;
        self.make(operands::decimal(text, is_whole).map_or(PickleObject::Nothing, PickleObject::Number))
    }

    fn long(&mut self, length: usize) -> Option<()> {
        let bytes = self.operands.bytes(length)?;
        self.make(operands::long(bytes).map_or(PickleObject::Nothing, PickleObject::Number))
    }

    /// A text that is not there as it stands in the frame.
    fn decoded(&mut self, decode: fn(&[u8], &mut Vec<u8>) -> Option<()>) -> Option<()> {
        let begin = u32::try_from(self.texts.len()).ok()?;
        decode(self.operands.line()?, &mut self.texts)?;
        let end = u32::try_from(self.texts.len()).ok()?;
        self.make(PickleObject::Decoded(begin..end))
    }

    fn memo_key(&mut self) -> Option<u32> {
        std::str::from_utf8(self.operands.line()?).ok()?.parse().ok()
    }

    fn remember(&mut self, key: u32) -> Option<()> {
        let id = *self.stack.last()?;
        let index = key as usize;
        if index < self.memo.len() {
            self.memo_rewritten = true;
            self.memo[index] = id;
        } else if index == self.memo.len() && !self.sparse_memo.contains_key(&key) {
            self.memo.push(id);
        } else {
            self.memo_rewritten |= self.sparse_memo.insert(key, id).is_some();
        }
        Some(())
    }

    fn recall(&mut self, key: u32) -> Option<()> {
        let id = match self.memo.get(key as usize) {
            Some(id) => *id,
            None => *self.sparse_memo.get(&key)?,
        };
        self.stack.push(id);
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn items(pickle: &[u8]) -> Vec<Option<(String, f64, f64)>> {
        let mut all = Vec::new();
        PickleReader::read(pickle).expect("a list").items(|item| {
            all.push(
                item.ok()
                    .map(|i| (String::from_utf8_lossy(i.name).into_owned(), i.time, i.value)),
            );
        });
        all
    }

    /// `pickle.dumps([("a.b", (1700000000, 1.5)), (u"größe", (1700000060.5, 2**40))], protocol)` of Python 2.7 and 3.
    #[test]
    fn every_protocol_is_read() {
        let python2_0 = b"(lp0\n(S'a.b'\np1\n(I1700000000\nF1.5\ntp2\ntp3\na(Vgr\xf6\\u00dfe\np4\n(F1700000060.5\nL1099511627776L\ntp5\ntp6\na.";
        let python2_2 = b"\x80\x02]q\x00(U\x03a.bq\x01J\x00\xf1SeG?\xf8\0\0\0\0\0\0\x86q\x02\x86q\x03X\x07\0\0\0gr\xc3\xb6\xc3\x9feq\x04GA\xd9T\xfcO \0\0\x8a\x06\0\0\0\0\0\x01\x86q\x05\x86q\x06e.";
        let python3_4 = b"\x80\x04\x95\x44\0\0\0\0\0\0\0]\x94(\x8c\x03a.b\x94J\x00\xf1SeG?\xf8\0\0\0\0\0\0\x86\x94\x86\x94\x8c\x07gr\xc3\xb6\xc3\x9fe\x94GA\xd9T\xfcO \0\0\x8a\x06\0\0\0\0\0\x01\x86\x94\x86\x94e.";
        let expected = [
            Some(("a.b".to_owned(), 1_700_000_000.0, 1.5)),
            Some(("größe".to_owned(), 1_700_000_060.5, 1_099_511_627_776.0)),
        ];
        for pickle in [&python2_0[..], python2_2, python3_4] {
            assert_eq!(items(pickle), expected);
        }
    }

    #[test]
    fn the_memo_gives_the_same_object_again() {
        // [x, x] with x = ("a", (1, 2)), by a number out of order.
        let pickle = b"](U\x01aK\x01K\x02\x86\x86r\xff\xff\xff\0j\xff\xff\xff\0e.";
        assert_eq!(
            items(pickle),
            [Some(("a".to_owned(), 1.0, 2.0)), Some(("a".to_owned(), 1.0, 2.0))]
        );
        // The same by the numbers that MEMOIZE gives out: 0 the list, 1 the text, 2 and 3 the tuples.
        let pickle = b"\x80\x04]\x94(\x8c\x01a\x94K\x01K\x02\x86\x94\x86\x94h\x01h\x02\x86h\x03e.";
        assert_eq!(items(pickle), vec![Some(("a".to_owned(), 1.0, 2.0)); 3]);
        // A place that is written twice gives what it holds at the moment.
        let pickle = b"](U\x01aq\x01K\x01K\x02\x86\x86U\x01bq\x01K\x03K\x04\x86\x86h\x01K\x05K\x06\x86\x86e.";
        let point = |name: &str, time, value| Some((name.to_owned(), time, value));
        assert_eq!(
            items(pickle),
            [point("a", 1.0, 2.0), point("b", 3.0, 4.0), point("b", 5.0, 6.0)]
        );
        // A list that holds itself has no points, and no end is waited for.
        assert_eq!(items(b"]q\0h\0a."), [None]);
    }

    #[test]
    fn elements_that_are_no_points_are_told_one_by_one() {
        let pickle = b"](NK\x01U\x01a\x85U\x01aNK\x01\x86\x86U\x01aK\x01K\x02K\x03\x87\x86U\x01aU\x031.5K\x01\x86\x86e.";
        // None, 1, ("a",), ("a", (None, 1)), ("a", (1, 2, 3)) and ("a", ("1.5", 1))
        let point = Some(("a".to_owned(), 1.5, 1.0));
        assert_eq!(items(pickle), [None, None, None, None, None, point]);
    }

    /// What other than points may stand among points costs only itself.
    #[test]
    fn dictionaries_sets_and_numbers_beyond_all_numbers_are_elements_like_others() {
        let before = &b"U\x01aK\x01K\x02\x86\x86"[..];
        let after = &b"U\x01bK\x03K\x04\x86\x86"[..];
        let long = [&b"U\x01aK\x01\x8a\x28"[..], &[1; 40], b"\x86\x86"].concat();
        for bad in [
            &b"}"[..],
            b"}q\x05(U\x01kK\x01U\x01lNu",
            b"}U\x01kK\x01s",
            b"(U\x01kK\x01d",
            b"\x8f(K\x01K\x02\x90",
            b"(K\x01\x91",
            b"U\x01aK\x01}\x86\x86",
            b"U\x01aK\x01I1x\n\x86\x86",
            b"\x8d\x01\0\0\0\0\0\0\0x",
            b"\x96\x02\0\0\0\0\0\0\0xy",
            &long,
        ] {
            let pickle = [&b"]("[..], before, bad, after, b"e."].concat();
            let point = |name: &str, time, value| Some((name.to_owned(), time, value));
            assert_eq!(
                items(&pickle),
                [point("a", 1.0, 2.0), None, point("b", 3.0, 4.0)],
                "{bad:?}"
            );
        }
    }

    #[test]
    fn whole_numbers_of_any_length_are_read() {
        let digits = [&b"L"[..], &[b'9'; 500], b"L\n"].concat();
        let zeros = [&b"I"[..], &[b'0'; 500], b"7\n"].concat();
        for (number, value) in [
            (&b"L1_000_000L\n"[..], 1e6),
            (b"I-1_0\n", -10.0),
            (&digits, f64::INFINITY),
            (&zeros, 7.0),
            (&[&b"\x8a\x20\x05"[..], &[0; 31]].concat(), 5.0),
            (&[&b"\x8a\x20\xfb"[..], &[0xff; 31]].concat(), -5.0),
            (b"\x8a\0", 0.0),
        ] {
            let pickle = [b"](U\x01aK\x01", number, b"\x86\x86e."].concat();
            assert_eq!(items(&pickle), [Some(("a".to_owned(), 1.0, value))], "{number:?}");
        }
    }

    #[test]
    fn nothing_is_ever_named_or_called() {
        for (pickle, opcode) in [
            (&b"cos\nsystem\n(S'true'\ntR."[..], b'c'),
            (b"\x80\x04\x8c\x02os\x8c\x06system\x93.", 0x93),
            (b"(ios\nsystem\n.", b'i'),
            (b"]R.", b'R'),
            (b"]b.", b'b'),
            (b"(o.", b'o'),
            (b"]]\x81.", 0x81),
            (b"\x82\x01.", 0x82),
            (b"P1\n.", b'P'),
            (b"]Q.", b'Q'),
            (b"]2.", b'2'),
            (b"\x97.", 0x97),
        ] {
            assert!(
                matches!(PickleReader::read(pickle), Err(PickleError::Opcode { opcode: o, .. }) if o == opcode),
                "{pickle:?}"
            );
        }
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (pickle, wrong) in [
            (&b""[..], PickleError::CutOff),
            (b"]", PickleError::CutOff),
            (b"X\xff\xff\xff\xffa.", PickleError::CutOff),
            (b"K\x01.", PickleError::NoList),
            (b".", PickleError::NoList),
            (b"a]..", PickleError::Operand { opcode: b'a', at: 0 }),
            (b"h\x05..", PickleError::Operand { opcode: b'h', at: 0 }),
            (b"}.", PickleError::NoList),
            (b"]N(\x93.", PickleError::Opcode { opcode: 0x93, at: 3 }),
            (b"]K\x01K\x02s.", PickleError::Operand { opcode: b's', at: 5 }),
            (b"](K\x01u.", PickleError::Operand { opcode: b'u', at: 4 }),
            (b"K\x01(\x86..", PickleError::Operand { opcode: 0x86, at: 3 }),
        ] {
            assert_eq!(PickleReader::read(pickle).map(|_| ()), Err(wrong), "{pickle:?}");
        }
        let marks = vec![b'('; 1_000];
        assert_eq!(
            PickleReader::read(&marks).map(|_| ()),
            Err(PickleError::TooMany { at: MOST_MARKS })
        );
        let objects = vec![b']'; MOST_OBJECTS + 5];
        assert_eq!(
            PickleReader::read(&objects).map(|_| ()),
            Err(PickleError::TooMany { at: MOST_OBJECTS })
        );
    }
}
