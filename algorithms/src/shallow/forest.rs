//! The isolation forest over what the smoother leaves, as rb-aioutliers has it.
//!
//! Of each point: the smooth value, the distance from it, its side, the time of day and of the week as one coordinate
//! each. A hundred trees split 256 of the points at random; what stands alone after few splits is odd (Liu, Ting, Zhou
//! 2008). The limit is the quantile `contamination` of the scores, then moved: offset := s·(1 + offset) − 1. Bit for bit
//! the answers are not scikit-learn's, whose random numbers are its own.

use super::smooth;
use crate::random::Random;

/// Trees, and points that each sees: the defaults of Liu, Ting and Zhou (Isolation Forest, 2008) and of scikit-learn.
const TREES: usize = 100;
const SAMPLE: usize = 256;
/// Columns of a point that a tree splits by.
const FEATURES: usize = 5;

/// How the forest is asked.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ForestOptions {
    /// 1 leaves the limit where the quantile is, 0 finds nothing.
    pub sensitivity: f64,
    /// The share of points that is taken to be odd.
    pub contamination: f64,
    /// What the splits follow from.
    pub seed: u64,
}

impl Default for ForestOptions {
    fn default() -> Self {
        Self {
            sensitivity: 0.95,
            contamination: 0.01,
            seed: 42,
        }
    }
}

type Features = [f64; FEATURES];

/// Expected, score and limit.
pub(super) fn judge(times: &[f64], values: &[f64], options: &ForestOptions) -> (Vec<f64>, Vec<f64>, f64) {
    let expected = smooth(values);
    let features = features(times, values, &expected);
    let scores = scores(&features, options.seed);
    let mut sorted = scores.clone();
    sorted.sort_unstable_by(f64::total_cmp);
    // The library's score is the negative of ours.
    let offset = -quantile(&sorted, 1.0 - options.contamination.clamp(0.0, 1.0));
    let offset = options.sensitivity * (1.0 + offset) - 1.0;
    (expected, scores, -offset)
}

fn quantile(sorted: &[f64], share: f64) -> f64 {
    let at = share * (sorted.len() - 1) as f64;
    let below = sorted[at.floor() as usize];
    below + (sorted[at.ceil() as usize] - below) * at.fract()
}

fn features(times: &[f64], values: &[f64], smooth: &[f64]) -> Vec<Features> {
    let point = |((time, value), smooth): ((&f64, &f64), &f64)| {
        let residual = value - smooth;
        let hour = (time.rem_euclid(86_400.0) / 60.0).floor() / 60.0;
        let weekday = ((time / 86_400.0).floor() + 3.0).rem_euclid(7.0) + hour / 24.0;
        [
            *smooth,
            residual.abs(),
            if residual == 0.0 { 0.0 } else { residual.signum() },
            (std::f64::consts::TAU * hour / 24.0).sin(),
            (std::f64::consts::TAU * weekday / 7.0).cos(),
        ]
    };
    times.iter().zip(values).zip(smooth).map(point).collect()
}

/// A tree as a list of nodes, the root first.
enum Node {
    Split {
        feature: usize,
        at: f64,
        left: usize,
        right: usize,
    },
    /// How deep a point is that ends here.
    Leaf { depth: f64 },
}

/// 2^(−mean depth / usual depth), 0 to 1, a point each.
fn scores(points: &[Features], seed: u64) -> Vec<f64> {
    let sample = points.len().min(SAMPLE);
    let mut random = Random::new(seed);
    let mut order: Vec<usize> = (0..points.len()).collect();
    let mut depths = vec![0.0; points.len()];
    let deepest = (sample.max(2) as f64).log2().ceil() as usize;
    for _ in 0..TREES {
        // The first of a shuffle, as far as it is needed.
        for place in 0..sample {
            let other = place + random.below(points.len() - place);
            order.swap(place, other);
        }
        let mut members: Vec<usize> = order[..sample].to_vec();
        let mut nodes = Vec::new();
        grow(points, &mut members, 0, deepest, &mut nodes, &mut random);
        for (point, depth) in points.iter().zip(&mut depths) {
            *depth += depth_of(point, &nodes);
        }
    }
    let usual = usual_depth(sample) * TREES as f64;
    let score = |depth: f64| {
        if usual == 0.0 {
            0.5
        } else {
            (-depth / usual).exp2()
        }
    };
    depths.into_iter().map(score).collect()
}

/// Mean depth of an unsuccessful search in a binary tree of `count` points.
fn usual_depth(count: usize) -> f64 {
    const EULER: f64 = 0.577_215_664_901_532_9;
    match count {
        0 | 1 => 0.0,
        2 => 1.0,
        _ => {
            let before = (count - 1) as f64;
            2.0 * (before.ln() + EULER) - 2.0 * before / count as f64
        }
    }
}

/// Grows the tree of `members` and returns its root's place in `nodes`.
fn grow(
    points: &[Features],
    members: &mut [usize],
    depth: usize,
    deepest: usize,
    nodes: &mut Vec<Node>,
    random: &mut Random,
) -> usize {
    let here = nodes.len();
    nodes.push(Node::Leaf {
        depth: depth as f64 + usual_depth(members.len()),
    });
    if depth == deepest || members.len() < 2 {
        return here;
    }
    let extent = |feature: usize| {
        let numbers = members.iter().map(|&member| points[member][feature]);
        numbers.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), x| {
            (low.min(x), high.max(x))
        })
    };
    let mut features: Vec<usize> = (0..FEATURES).collect();
    random.shuffle(&mut features);
    let differs = features.into_iter().map(|feature| (feature, extent(feature)));
    let Some((feature, (low, high))) = differs.into_iter().find(|(_, (low, high))| low < high) else {
        return here;
    };
    // Never the highest itself, so that both sides have a point; halves, as the extent itself may overflow.
    let share = random.unit();
    let mut at = low * (1.0 - share) + high * share;
    if at >= high {
        at = low;
    }
    let mut border = 0;
    for place in 0..members.len() {
        if points[members[place]][feature] <= at {
            members.swap(place, border);
            border += 1;
        }
    }
    let (below, above) = members.split_at_mut(border);
    let left = grow(points, below, depth + 1, deepest, nodes, random);
    let right = grow(points, above, depth + 1, deepest, nodes, random);
    nodes[here] = Node::Split {
        feature,
        at,
        left,
        right,
    };
    here
}

fn depth_of(point: &Features, nodes: &[Node]) -> f64 {
    let mut place = 0;
    loop {
        match nodes[place] {
            Node::Leaf { depth } => return depth,
            Node::Split {
                feature,
                at,
                left,
                right,
            } => {
                place = if point[feature] <= at { left } else { right };
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_depth_is_the_papers() {
        assert_eq!(usual_depth(2), 1.0);
        // c(256), as the reference implementation computes it.
        assert!((usual_depth(256) - 10.244_770_920_1).abs() < 1e-9);
    }

    #[test]
    fn sensitivity_moves_the_limit() {
        let times: Vec<f64> = (0..1000).map(|n| 300.0 * f64::from(n)).collect();
        let mut random = Random::new(5);
        let values: Vec<f64> = times.iter().map(|_| random.normal()).collect();
        let found = |sensitivity| {
            let options = ForestOptions {
                sensitivity,
                ..ForestOptions::default()
            };
            let (_, scores, limit) = judge(&times, &values, &options);
            scores.iter().filter(|score| **score > limit).count()
        };
        assert_eq!((found(1.0), found(0.0)), (10, 0));
        assert!(found(0.95) <= 10);
    }
}
