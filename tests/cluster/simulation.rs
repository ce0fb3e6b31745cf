//! Random schedules: nodes come, die, are paused, cut off and stopped, messages are late or lost, clocks run apart or stand still.
//! Whatever happens, what the [`ShardModel`] and the [`LeadModel`] hold stays true.

use super::lead_model::LeadModel;
use super::model::Model;
use super::shard_model::ShardModel;
use super::world::World;

/// Schedules of 80 seconds each, unless `SCHEDULES` says how many.
const SCHEDULES: u64 = 100;
/// Schedules within which a flaw must show; each shows within a few dozen.
const FLAWED: u64 = 500;

fn schedules() -> u64 {
    std::env::var("SCHEDULES").map_or(SCHEDULES, |number| number.parse().expect("a number"))
}

/// Histories without a flaw, each handed to `each`; what must never be ends the test. How many there were, and how many writes were taken and
/// refused.
fn histories<M: Model>(mut each: impl FnMut(&M)) -> (u64, u64, u64) {
    let (schedules, mut taken, mut refused) = (schedules(), 0, 0);
    for seed in 0..schedules {
        let mut world = World::new(seed, M::new(M::Flaws::default()));
        world.run().unwrap_or_else(|wrong| panic!("seed {seed}: {wrong}"));
        taken += world.writes_taken;
        refused += world.writes_refused;
        each(&world.model);
    }
    (schedules, taken, refused)
}

/// Looks for a history in which a flaw shows in this way.
fn shows<M: Model>(flaw: &str, shows: &str, set: fn(&mut M::Flaws)) {
    let mut flaws = M::Flaws::default();
    set(&mut flaws);
    let mut otherwise = None;
    for seed in 0..FLAWED {
        match World::new(seed, M::new(flaws)).run() {
            Err(wrong) if wrong.contains(shows) => return,
            Err(wrong) => otherwise = Some(wrong),
            Ok(()) => {}
        }
    }
    panic!("{flaw} never shows by `{shows}`, but by {otherwise:?}");
}

#[test]
fn no_schedule_gives_a_shard_two_owners_or_none_for_long() {
    let mut longest = 0;
    let (schedules, taken, refused) =
        histories(|model: &ShardModel| longest = longest.max(model.longest_unowned));
    // Schedules in which nothing happens would show nothing.
    assert!(
        taken > 100 * schedules && refused > schedules,
        "{taken} taken, {refused} refused"
    );
    assert!(longest > 8_000, "leases did run out: {longest} ms");
}

#[test]
fn each_flaw_of_shard_leases_shows_in_some_schedule() {
    let flawed = shows::<ShardModel>;
    flawed("no fence", "was taken after one of", |flaws| {
        flaws.no_fence = true
    });
    flawed("the same epoch", "were taken", |flaws| flaws.same_epoch = true);
    flawed("a lease counted too long", "two nodes think", |flaws| {
        flaws.trusting = true;
    });
    flawed("nobody takes over", "nobody has owned", |flaws| flaws.idle = true);
}

#[test]
fn no_schedule_has_two_nodes_lead_or_none_for_long() {
    let (mut longest, mut went_on, mut led_over) = (0, 0, 0);
    let (schedules, taken, refused) = histories(|model: &LeadModel| {
        longest = longest.max(model.longest_unled);
        went_on += model.went_on;
        led_over += model.led_over;
    });
    assert!(
        taken > 30 * schedules && refused > schedules / 2,
        "{taken} taken, {refused} refused"
    );
    assert!(longest > 8_000, "leases did run out: {longest} ms");
    assert!(
        went_on > 0 && led_over > 0,
        "{went_on} went on under a later epoch, {led_over} led again after another one"
    );
}

#[test]
fn each_flaw_of_the_lead_shows_in_some_schedule() {
    let flawed = shows::<LeadModel>;
    flawed("no fence", "was taken after one of", |flaws| {
        flaws.no_fence = true
    });
    flawed("the same epoch", "were taken", |flaws| flaws.same_epoch = true);
    flawed("a lease counted too long", "two nodes think", |flaws| {
        flaws.trusting = true;
    });
    flawed(
        "a leader between is not seen, by what it says",
        "was given between",
        |flaws| flaws.goes_on_always = true,
    );
    flawed(
        "a leader between is not seen, by what it writes",
        "led between",
        |flaws| flaws.goes_on_always = true,
    );
    flawed("a lead given up is counted on", "two nodes think", |flaws| {
        flaws.resigns_aside = true;
    });
    flawed("nobody takes over", "nobody has led", |flaws| flaws.idle = true);
}
