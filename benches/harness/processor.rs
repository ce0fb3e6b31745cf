//! What a process has cost.

/// Ticks in a second, which is fixed for programs on Linux.
const TICKS: f64 = 100.0;

/// User and system time of a process that runs, seconds.
pub(crate) fn processor_seconds(pid: u32) -> f64 {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("the process runs");
    let (_, fields) = text.rsplit_once(") ").expect("a name in brackets");
    let ticks = fields.split(' ').skip(11).take(2);
    ticks.filter_map(|field| field.parse::<f64>().ok()).sum::<f64>() / TICKS
}
