//! The kind of resource a metric belongs to, by its name.

/// The original's list, in its order, which counts: `gala_gopher_container_cpu…` is one of a process.
const KEYWORDS: [(&str, &[&str]); 6] = [
    ("process", &["proc", "thread", "container", "sli"]),
    ("disk", &["block", "disk"]),
    ("network", &["tcp_link", "nic", "qdisc", "endpoint"]),
    ("cpu", &["cpu"]),
    ("memory", &["mem"]),
    ("file system", &["fs"]),
];

/// The keyword of a metric; `None` for one that nothing in its name tells.
pub(super) fn keyword(metric: &str) -> Option<&'static str> {
    let mut found = KEYWORDS
        .iter()
        .filter(|(_, parts)| parts.iter().any(|part| metric.contains(part)));
    found.next().map(|(keyword, _)| *keyword)
}
