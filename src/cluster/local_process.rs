//! Which process a session is of. One that was killed on this very machine need not be waited for: whoever starts beside it, with
//! another state folder, sees that it is gone.

use std::path::Path;

use xxhash_rust::xxh3::xxh3_64;

use super::node_name::random;

/// A name for a run of this process: machine, process, when that began, and a number that no other run has. Where the system says
/// nothing of processes, the number alone.
pub(super) fn run_name() -> String {
    let number = format!("{:08x}", random() as u32);
    let this = std::process::id();
    match (machine(), began(this)) {
        (Some(machine), Some(began)) => format!("{machine:016x}-{this}-{began}-{number}"),
        _ => number,
    }
}

/// Whether the process of a run is known to have ended: it was one of this machine, since it was last booted and among the processes
/// that this one can see.
pub(super) fn has_ended(run: &str) -> bool {
    let parts: Vec<&str> = run.split('-').collect();
    let &[of, process, since, _] = parts.as_slice() else {
        return false;
    };
    let is_of_here = machine().is_some_and(|here| format!("{here:016x}") == of);
    match (process.parse(), since.parse()) {
        (Ok(process), Ok(since)) => is_of_here && began(process) != Some(since),
        _ => false,
    }
}

/// The same for all processes that see each other: of one boot, in one namespace.
fn machine() -> Option<u64> {
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let namespace = std::fs::read_link("/proc/self/ns/pid").ok()?;
    Some(xxh3_64(format!("{boot}{}", namespace.display()).as_bytes()))
}

/// Clock ticks from the boot to the beginning of a process; `None` for one that is not there, or has ended and is not waited for
/// yet.
fn began(process: u32) -> Option<u64> {
    let stat = std::fs::read_to_string(Path::new("/proc").join(process.to_string()).join("stat")).ok()?;
    // The name, in brackets, may hold anything.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    let state = fields.next()?;
    // proc(5): the state is the third field, the time of the start the twenty-second.
    let began = fields.nth(18)?.parse().ok()?;
    (!matches!(state, "Z" | "X")).then_some(began)
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn only_a_process_of_here_that_is_gone_has_ended() {
        let own = run_name();
        assert!(!has_ended(&own), "{own}");
        assert_ne!(own, run_name());
        let mut child = Command::new("sleep")
            .arg("60")
            .stdin(Stdio::null())
            .spawn()
            .expect("a process");
        let of =
            |process: u32, since: u64| format!("{:016x}-{process}-{since}-1", machine().expect("a machine"));
        let run = of(child.id(), began(child.id()).expect("it runs"));
        assert!(!has_ended(&run), "{run}");
        assert!(has_ended(&of(child.id(), 1)), "its number was another's before");
        child.kill().expect("it runs");
        // Before it is waited for, too.
        let ended = (0..1_000).any(|_| {
            std::thread::sleep(std::time::Duration::from_millis(5));
            has_ended(&run)
        });
        assert!(ended, "{run}");
        child.wait().expect("it has ended");
        assert!(has_ended(&run), "{run}");
        let elsewhere = run.replacen(|digit: char| digit.is_ascii_hexdigit(), "x", 1);
        for other in [elsewhere.as_str(), "1", "a-b-c-d", ""] {
            assert!(!has_ended(other), "{other}");
        }
    }
}
