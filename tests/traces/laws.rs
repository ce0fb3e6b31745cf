//! The bytes kept for the fuzz target of the readers of spans: whole, cut at every byte, and changed for as long as there is time.

use skywatch::traces::laws;

use crate::common::bytes;

#[test]
fn kept_spans_obey_the_laws() {
    bytes::hold_kept("spans", 11, laws::spans);
}

#[test]
fn changed_spans_obey_the_laws() {
    bytes::hold("spans", laws::spans);
}
