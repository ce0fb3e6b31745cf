//! Traces as the network reads them: tokens, depths, and where each span's caller is.

use crate::traces::SpanSequence;

/// Symbols beside the templates.
pub(super) const PAD: u32 = 0;
/// Before the first span.
pub(super) const START: u32 = 1;
/// After the last span.
pub(super) const STOP: u32 = 2;
/// In place of a span that is to be predicted.
pub(super) const MASK: u32 = 3;
/// A template the network never saw.
pub(super) const UNKNOWN: u32 = 4;
/// The token of template 0.
pub(super) const FIRST_TEMPLATE: u32 = 5;

/// Depths told apart; all deeper ones are one.
pub(super) const DEPTHS: usize = 16;

/// The parent of what has none.
pub(super) const NO_PARENT: u32 = u32::MAX;

/// A trace, or a window of one, as tokens.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub(super) struct TokenWindow {
    /// START, spans in canonical order, STOP; a window in the middle of a trace has neither.
    pub(super) tokens: Vec<u32>,
    /// For each token the place of its caller among them, [`NO_PARENT`] for none or one outside of the window.
    pub(super) parents: Vec<u32>,
    /// For each token how deep it is, below [`DEPTHS`].
    pub(super) depths: Vec<u32>,
    /// For each token its place among the spans of the trace; that of START and STOP means nothing.
    pub(super) spans: Vec<u32>,
}

impl TokenWindow {
    /// Which tokens are spans.
    pub(super) fn is_span(&self, place: usize) -> bool {
        !matches!(self.tokens[place], START | STOP)
    }

    pub(super) fn len(&self) -> usize {
        self.tokens.len()
    }
}

impl TokenWindow {
    /// The windows of a trace of at most `most` tokens, half of each in the next; `known` is how many templates there are.
    pub(super) fn windows(sequence: &SpanSequence, known: usize, most: usize) -> Vec<Self> {
        let spans = sequence.templates.len();
        let total = spans + 2;
        let step = (most / 2).max(1);
        let mut windows = Vec::new();
        let mut first = 0;
        loop {
            let end = (first + most).min(total);
            windows.push(Self::window(sequence, first, end, known));
            if end == total {
                return windows;
            }
            first += step;
        }
    }

    /// TokenWindow `first..end` of START, all spans, STOP.
    fn window(sequence: &SpanSequence, first: usize, end: usize, known: usize) -> Self {
        let spans = sequence.templates.len();
        let mut window = Self::default();
        for place in first..end {
            let span = place.wrapping_sub(1);
            let (token, parent, depth) = if place == 0 {
                (START, NO_PARENT, 0)
            } else if span == spans {
                (STOP, NO_PARENT, 0)
            } else {
                let template = sequence.templates[span];
                let token = if (template as usize) < known {
                    template + FIRST_TEMPLATE
                } else {
                    UNKNOWN
                };
                let caller = (sequence.parents[span] as usize).wrapping_add(1);
                let inside = sequence.parents[span] != NO_PARENT && caller >= first && caller < end;
                let parent = if inside {
                    (caller - first) as u32
                } else {
                    NO_PARENT
                };
                (token, parent, sequence.depths[span].min(DEPTHS as u32 - 1))
            };
            window.tokens.push(token);
            window.parents.push(parent);
            window.depths.push(depth);
            window.spans.push(span as u32);
        }
        window
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_overlap_by_half_and_hold_all() {
        let sequence = SpanSequence {
            templates: vec![7, u32::MAX, 8, 9, 7],
            parents: vec![NO_PARENT, 0, 0, 2, 2],
            depths: vec![0, 1, 1, 2, 99],
        };
        let windows = TokenWindow::windows(&sequence, 9, 4);
        let tokens: Vec<_> = windows.iter().map(|window| window.tokens.clone()).collect();
        assert_eq!(
            tokens,
            [
                vec![START, 12, UNKNOWN, 13],
                vec![UNKNOWN, 13, UNKNOWN, 12],
                vec![UNKNOWN, 12, STOP]
            ]
        );
        assert_eq!(windows[0].parents, [NO_PARENT, NO_PARENT, 1, 1]);
        assert_eq!(windows[1].parents, [NO_PARENT, NO_PARENT, 1, 1]);
        assert_eq!(windows[1].depths, [1, 1, 2, 15]);
        assert_eq!(
            TokenWindow::windows(&SpanSequence::default(), 9, 4)[0].tokens,
            [START, STOP]
        );
    }
}
