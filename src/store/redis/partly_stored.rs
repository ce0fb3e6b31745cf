//! What is stored of a batch that some nodes of a cluster have not taken. It comes again, whole; were it sent whole, each try would make
//! the values on the nodes that answer longer by what they have already.

use std::hash::Hasher as _;

use xxhash_rust::xxh3::Xxh3Default;

use super::Sample;

/// A batch, by what is in it, and how far it got.
#[derive(Default)]
pub(super) struct PartlyStored {
    fingerprint: u64,
    /// Which of its samples need not be sent again.
    pub(super) stored: Vec<bool>,
    /// Names that are not in the set yet, of samples that are stored.
    pub(super) unnamed: Vec<String>,
    /// Metrics that cannot take points, and why the first of them cannot.
    pub(super) refused: Vec<String>,
    pub(super) refusal: String,
}

impl PartlyStored {
    /// Of `batch`, with what is known from before if that was the same one.
    pub(super) fn of(batch: &[Sample<'_>], before: Option<Self>) -> Self {
        let unnamed = match before {
            Some(before) if before.fingerprint == fingerprint(batch) => return before,
            Some(before) => before.unnamed,
            None => Vec::new(),
        };
        Self {
            stored: vec![false; batch.len()],
            unnamed,
            ..Self::default()
        }
    }

    /// To be gone on with when the batch comes again.
    pub(super) fn kept_for(self, batch: &[Sample<'_>]) -> Self {
        Self {
            fingerprint: fingerprint(batch),
            ..self
        }
    }
}

fn fingerprint(batch: &[Sample<'_>]) -> u64 {
    let mut hasher = Xxh3Default::new();
    for sample in batch {
        hasher.write_usize(sample.metric.len());
        hasher.write(sample.metric.as_bytes());
        hasher.write_u64(sample.time.to_bits());
        hasher.write_u64(sample.value.to_bits());
    }
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_same_batch_goes_on() {
        let sample = |metric, value| Sample {
            metric,
            time: 1.0,
            value,
        };
        let batch = [sample("a", 1.0), sample("b", 2.0)];
        let mut partly = PartlyStored::of(&batch, None);
        partly.stored[0] = true;
        partly.unnamed.push("a".to_owned());
        let partly = PartlyStored::of(&batch, Some(partly.kept_for(&batch)));
        assert_eq!(partly.stored, [true, false]);
        let other = [sample("a", 1.0), sample("b", 3.0)];
        let partly = PartlyStored::of(&other, Some(partly.kept_for(&batch)));
        assert_eq!(partly.stored, [false, false]);
        assert_eq!(partly.unnamed, ["a"], "it is stored, and still to be named");
    }
}
