use std::os::unix::fs::FileExt as _;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use proptest::prelude::*;
use skywatch_algorithms::streaming::{Adaptive, Hour, InMemoryHours, LongMemory};

use super::days::KEPT_DAYS;
use super::*;

/// 14 November 2023, 0 h.
const FIRST: u32 = 472_200;

fn hour(number: u32, value: f32) -> Hour {
    Hour {
        number,
        min: value - 1.0,
        mean: value,
        max: value + 1.0,
    }
}

fn name(n: usize) -> Arc<str> {
    Arc::from(format!("metric.{n}"))
}

fn append(
    handle: &mut BaselineHandle,
    metric: &Arc<str>,
    slot: &mut Option<MetricSlot>,
    hours: &[Hour],
) -> Vec<Hour> {
    let mut memory = handle.of(metric, slot);
    let mut recalled = Vec::new();
    for &hour in hours {
        memory.append(hour);
        memory.recall(&mut recalled);
    }
    recalled
}

#[test]
fn a_disk_remembers_what_ram_does() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut oracle: Vec<InMemoryHours> = vec![InMemoryHours::default(); 40];
    let mut numbers = FIRST..FIRST + 1_500;
    for _ in 0..3 {
        // Each round another process, that has forgotten where anything lies.
        let memory = Baseline::open(folder.path()).expect("room");
        let mut handle = memory.handle();
        let mut slots = [None; 40];
        for number in numbers.by_ref().take(500) {
            for (n, slot) in slots
                .iter_mut()
                .enumerate()
                .filter(|(n, _)| !(number as usize + n).is_multiple_of(7))
            {
                let turned = hour(number, n as f32 + number as f32 / 8.0);
                let (mut ours, mut theirs) = (Vec::new(), Vec::new());
                let metric = name(n);
                let mut kept = handle.of(&metric, slot);
                kept.append(turned);
                kept.recall(&mut ours);
                oracle[n].append(turned);
                oracle[n].recall(&mut theirs);
                assert_eq!(ours, theirs, "metric {n}, hour {number}");
            }
            memory.tend(f64::from(number) * 3_600.0 + 3_700.0);
        }
        assert_eq!(memory.losses().counts(), [0; 3]);
    }
    let files = std::fs::read_dir(folder.path()).expect("a folder");
    let hours = files.filter(|entry| {
        entry
            .as_ref()
            .is_ok_and(|entry| entry.path().extension().is_some_and(|e| e == "hours"))
    });
    assert!(hours.count() <= KEPT_DAYS as usize);
}

#[test]
fn an_hour_that_is_kept_stays_and_later_ones_are_not_recalled() {
    let folder = tempfile::tempdir().expect("a folder");
    let memory = Baseline::open(folder.path()).expect("room");
    let (mut handle, metric, mut slot) = (memory.handle(), name(1), None);
    append(
        &mut handle,
        &metric,
        &mut slot,
        &[hour(FIRST, 1.0), hour(FIRST + 30, 2.0)],
    );
    let recalled = append(&mut handle, &metric, &mut slot, &[hour(FIRST, 9.0)]);
    assert_eq!(recalled, [hour(FIRST, 1.0)]);
    assert_eq!(
        memory.hours_of("metric.1"),
        [hour(FIRST, 1.0), hour(FIRST + 30, 2.0)]
    );
}

#[test]
fn what_is_damaged_is_dropped_and_counted() {
    let folder = tempfile::tempdir().expect("a folder");
    let day = FIRST / 24;
    let path = folder.path().join(format!("{day}.hours"));
    let fill = || {
        let memory = Baseline::open(folder.path()).expect("room");
        let mut handle = memory.handle();
        for n in 0..3 {
            append(
                &mut handle,
                &name(n),
                &mut None,
                &[hour(FIRST, n as f32), hour(FIRST + 24, n as f32)],
            );
        }
    };
    fill();
    let file = std::fs::File::options().write(true).open(&path).expect("a file");
    file.write_all_at(b"?", 16 + days::RECORD as u64 + 5)
        .expect("room");
    file.set_len(16 + 3 * days::RECORD as u64 - 7).expect("room");
    let memory = Baseline::open(folder.path()).expect("room");
    assert_eq!(memory.hours_of("metric.0").len(), 2);
    assert_eq!(memory.hours_of("metric.1"), [hour(FIRST + 24, 1.0)]);
    assert_eq!(memory.hours_of("metric.2"), [hour(FIRST + 24, 2.0)]);
    assert_eq!(memory.losses().dropped.load(Ordering::Relaxed), 2);
    drop(memory);
    // The list of names: what stands before the damage is kept.
    let names = folder.path().join("names");
    let mut bytes = std::fs::read(&names).expect("a list");
    bytes.truncate(bytes.len() - 3);
    std::fs::write(&names, bytes).expect("room");
    let memory = Baseline::open(folder.path()).expect("room");
    assert_eq!(memory.losses().dropped.load(Ordering::Relaxed), 1);
    let known = (0..3).filter(|&n| !memory.hours_of(&name(n)).is_empty()).count();
    assert_eq!(known, 2);
    drop(memory);
    // A whole file of something else.
    std::fs::write(&path, b"something else").expect("room");
    let memory = Baseline::open(folder.path()).expect("room");
    assert_eq!(memory.losses().dropped.load(Ordering::Relaxed), 1);
    assert!(!path.exists());
}

#[test]
fn metrics_that_went_away_leave_their_place_to_others() {
    let folder = tempfile::tempdir().expect("a folder");
    let memory = Baseline::open(folder.path()).expect("room");
    let mut handle = memory.handle();
    let (mut gone, mut stays) = (None, None);
    append(&mut handle, &name(0), &mut gone, &[hour(FIRST, 0.0)]);
    for day in 0..=KEPT_DAYS {
        append(&mut handle, &name(1), &mut stays, &[hour(FIRST + 24 * day, 1.0)]);
        memory.tend(f64::from(FIRST + 24 * day) * 3_600.0);
    }
    assert!(memory.hours_of("metric.0").is_empty());
    let mut fresh = None;
    drop(handle);
    let mut handle = memory.handle();
    append(
        &mut handle,
        &name(2),
        &mut fresh,
        &[hour(FIRST + 24 * KEPT_DAYS, 2.0)],
    );
    assert!(
        [gone, fresh]
            .iter()
            .all(|slot| format!("{slot:?}").contains("number: 0,")),
        "{gone:?} {fresh:?}"
    );
    // It speaks again, and its old place is not its own.
    append(
        &mut handle,
        &name(0),
        &mut gone,
        &[hour(FIRST + 24 * KEPT_DAYS, 5.0)],
    );
    assert_eq!(memory.hours_of("metric.0"), [hour(FIRST + 24 * KEPT_DAYS, 5.0)]);
    assert_eq!(memory.hours_of("metric.2"), [hour(FIRST + 24 * KEPT_DAYS, 2.0)]);
    assert_eq!(memory.losses().counts(), [0; 3]);
}

#[test]
fn hours_of_another_process_come_through_the_inbox() {
    let folder = tempfile::tempdir().expect("a folder");
    let hours: Vec<Hour> = (0..840).map(|n| hour(FIRST + n, n as f32)).collect();
    let leave = |n: usize| {
        let mut inbox = InboxWriter::new(folder.path()).expect("room");
        inbox.add(&name(n), &hours).expect("room");
        assert_eq!(inbox.finish().expect("room"), 840);
    };
    leave(0);
    let memory = Baseline::open(folder.path()).expect("room");
    let (mut handle, mut slot) = (memory.handle(), None);
    append(&mut handle, &name(1), &mut slot, &[hour(FIRST + 839, 1.0)]);
    memory.tend(f64::from(FIRST + 840) * 3_600.0);
    assert_eq!(memory.hours_of("metric.0"), hours);
    // What is there stays, what is missing is added, and the handle sees it.
    leave(1);
    memory.tend(f64::from(FIRST + 840) * 3_600.0);
    let recalled = append(&mut handle, &name(1), &mut slot, &[hour(FIRST + 839, 7.0)]);
    assert_eq!(
        (recalled.len(), recalled[839], recalled[838]),
        (840, hour(FIRST + 839, 1.0), hours[838])
    );
    let left = std::fs::read_dir(folder.path().join("inbox")).expect("a folder");
    assert_eq!(left.count(), 0);
    std::fs::write(folder.path().join("inbox/x.inbox"), b"skyw-inbox\x01\nnonsense").expect("room");
    memory.tend(f64::from(FIRST + 840) * 3_600.0);
    assert_eq!(memory.losses().dropped.load(Ordering::Relaxed), 1);
}

#[test]
fn who_only_looks_changes_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let none = Baseline::open_read_only(&folder.path().join("none")).expect("it is empty");
    assert!(none.hours_of("metric.0").is_empty());
    let memory = Baseline::open(folder.path()).expect("room");
    append(&mut memory.handle(), &name(0), &mut None, &[hour(FIRST, 1.0)]);
    let guest = Baseline::open_read_only(folder.path()).expect("it is there");
    let recalled = append(&mut guest.handle(), &name(0), &mut None, &[hour(FIRST + 1, 2.0)]);
    assert_eq!(recalled, [hour(FIRST, 1.0), hour(FIRST + 1, 2.0)]);
    assert_eq!(memory.hours_of("metric.0"), [hour(FIRST, 1.0)]);
}

#[test]
fn who_asks_for_one_metric_finds_what_who_reads_all_finds() {
    let folder = tempfile::tempdir().expect("a folder");
    let memory = Baseline::open(folder.path()).expect("room");
    for at in 0..100 {
        append(
            &mut memory.handle(),
            &name(at),
            &mut None,
            &[hour(FIRST, at as f32)],
        );
    }
    memory.tend(f64::from(FIRST) * 3_600.0);
    // A log that is cut off has all that stands before.
    let mut names = std::fs::read(folder.path().join("names")).expect("a list");
    names.extend([7; 20]);
    std::fs::write(folder.path().join("names"), names).expect("room");
    for metric in ["metric.0", "metric.57", "metric.99", "metric.100", ""] {
        let of_one = Baseline::open_for(folder.path(), metric).expect("it is there");
        let of_all = Baseline::open_read_only(folder.path()).expect("it is there");
        assert_eq!(of_one.hours_of(metric), of_all.hours_of(metric), "{metric}");
    }
    let of_one = Baseline::open_for(folder.path(), "metric.57").expect("it is there");
    assert_eq!(of_one.hours_of("metric.57"), [hour(FIRST, 57.0)]);
    assert!(of_one.hours_of("metric.56").is_empty());
}

fn learnt(n: usize) -> Adaptive {
    let mut state = Adaptive::default();
    for minute in 0..200 + n {
        state.observe(
            60.0 * minute as f64,
            (minute * n % 17) as f64,
            &mut InMemoryHours::default(),
        );
    }
    state
}

fn save(folder: &std::path::Path, part: &str, metrics: std::ops::Range<usize>) {
    let states = Arc::new(States::open(folder).expect("room"));
    let saver = states.saver(100).expect("a thread");
    let mut saved = StatePart::new(part);
    for n in metrics {
        saved.add(&name(n), &learnt(n), 60.0, |bytes| bytes.extend([n as u8; 3]));
    }
    saver.save(saved);
}

#[test]
fn states_are_found_again_to_the_bit_and_once() {
    let folder = tempfile::tempdir().expect("a folder");
    assert_eq!(
        States::open(&folder.path().join("none")).expect("none").counts(),
        StateCounts::default()
    );
    save(folder.path(), "0-of-2.0", 0..5);
    save(folder.path(), "1-of-2.0", 5..9);
    let states = States::open(folder.path()).expect("readable");
    assert_eq!(
        states.counts(),
        StateCounts {
            states: 9,
            ..StateCounts::default()
        }
    );
    for n in 0..9 {
        assert_eq!(states.take(&name(n)), Some((learnt(n), vec![n as u8; 3])));
        assert_eq!(states.take(&name(n)), None);
    }
}

#[test]
fn the_later_state_counts_and_files_of_other_workers_go() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut old = StatePart::new("0-of-1.0");
    let mut early = Adaptive::default();
    early.observe(60.0, 1.0, &mut InMemoryHours::default());
    old.add("m", &early, 60.0, |_| {});
    let states = Arc::new(States::open(folder.path()).expect("room"));
    states.saver(100).expect("a thread").save(old);
    let mut new = StatePart::new("0-of-2.0");
    new.add("m", &learnt(3), 120.0, |_| {});
    states.saver(100).expect("a thread").save(new);
    let states = Arc::new(States::open(folder.path()).expect("readable"));
    assert_eq!(states.take("m"), Some((learnt(3), Vec::new())));
    // Once every part was saved, those of the earlier run are removed.
    let saver = states.saver(2).expect("a thread");
    saver.save(StatePart::new("0-of-2.0"));
    saver.save(StatePart::new("1-of-2.0"));
    drop(saver);
    let mut left: Vec<_> = std::fs::read_dir(folder.path())
        .expect("a folder")
        .map(|entry| entry.expect("a file").file_name())
        .collect();
    left.sort();
    assert_eq!(left, ["0-of-2.0.states", "1-of-2.0.states"]);
}

#[test]
fn states_that_nobody_takes_are_kept_for_whoever_takes_them_later() {
    let folder = tempfile::tempdir().expect("a folder");
    save(folder.path(), "0-of-1.0", 0..6);
    for round in 0..3 {
        let states = Arc::new(States::open(folder.path()).expect("readable"));
        let saver = states.saver(1).expect("a thread");
        // Two are watched, and one of them leaves; the parts of those that stay take the place of all there was.
        let (stays, leaves) = (round, 5);
        let (state, extra) = states.take(&name(leaves)).expect("it is kept");
        assert_eq!((&state, &extra), (&learnt(leaves), &vec![leaves as u8; 3]));
        let mut part = StatePart::new("0-of-1.0");
        let (watched, beside) = states.take(&name(stays)).expect("it is kept");
        part.add(&name(stays), &watched, 60.0, |bytes| bytes.extend(&beside));
        saver.save(part);
        states.release(&name(leaves), &state, 60.0, |bytes| bytes.extend(&extra));
        assert_eq!(states.peek(&name(leaves)), Some((state, extra)), "at once");
        saver.save_unclaimed();
        drop(saver);
        assert_eq!(states.peek(&name(stays)), None);
        // Also of the one before, which is watched no more and whose part is written over.
        for kept in (0..6).filter(|kept| *kept != stays) {
            assert!(states.peek(&name(kept)).is_some(), "{kept} after round {round}");
        }
    }
    let states = States::open(folder.path()).expect("readable");
    assert_eq!(states.counts().damaged, 0);
    for kept in 0..6 {
        assert_eq!(
            states.take(&name(kept)),
            Some((learnt(kept), vec![kept as u8; 3]))
        );
    }
}

#[test]
fn a_state_of_another_version_is_not_read() {
    let folder = tempfile::tempdir().expect("a folder");
    save(folder.path(), "a", 0..3);
    let path = folder.path().join("a.states");
    let mut bytes = std::fs::read(&path).expect("a file");
    bytes[12] ^= 1;
    std::fs::write(&path, bytes).expect("room");
    let states = States::open(folder.path()).expect("readable");
    assert_eq!(
        states.counts(),
        StateCounts {
            other_versions: 1,
            ..StateCounts::default()
        }
    );
    assert_eq!(states.take(&name(0)), None);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever happens to a file, a state is the one saved or none, and damage is counted.
    #[test]
    fn a_damaged_file_gives_no_wrong_state(at in 0_usize..2_000, bit in 0_u32..8, cut in prop::option::of(0_usize..2_000)) {
        let folder = tempfile::tempdir().expect("a folder");
        save(folder.path(), "a", 0..20);
        let path = folder.path().join("a.states");
        let mut bytes = std::fs::read(&path).expect("a file");
        let at = at % bytes.len();
        bytes[at] ^= 1 << bit;
        if let Some(cut) = cut {
            let length = bytes.len();
            bytes.truncate(cut % length);
        }
        std::fs::write(&path, bytes).expect("room");
        let states = States::open(folder.path()).expect("readable");
        let mut found = 0;
        for n in 0..20 {
            if let Some((state, extra)) = states.take(&name(n)) {
                prop_assert_eq!((state, extra), (learnt(n), vec![n as u8; 3]));
                found += 1;
            }
        }
        let counts = states.counts();
        prop_assert!(found < 20 && counts.damaged + counts.other_versions > 0, "{} {:?}", found, counts);
    }
}
