//! Random schedules: nodes come, die, are paused, cut off and stopped, messages are late or lost, clocks run apart or stand still.
//! Whatever happens, what the [`ShardModel`] and the [`LeadModel`] hold stays true.

use super::lead_model::{LeadFlaws, LeadModel};
use super::model::Model;
use super::shard_model::{ShardFlaws, ShardModel};
use super::world::World;

/// Schedules of 80 seconds each, unless `SCHEDULES` says how many.
const SCHEDULES: u64 = 100;
/// Schedules within which a flaw must show; each shows within a few dozen.
const FLAWED: u64 = 500;

fn schedules() -> u64 {
    std::env::var("SCHEDULES").map_or(SCHEDULES, |number| number.parse().expect("a number"))
}

/// One history; what must never be ends the test.
fn passed<M: Model>(seed: u64, model: M) -> World<M> {
    let mut world = World::new(seed, model);
    world.run().unwrap_or_else(|wrong| panic!("seed {seed}: {wrong}"));
    world
}

/// Looks for a history in which a flaw shows in this way.
fn shows<M: Model>(flaw: &str, shows: &str, model: impl Fn() -> M) {
    let mut otherwise = None;
    for seed in 0..FLAWED {
        match World::new(seed, model()).run() {
            Err(wrong) if wrong.contains(shows) => return,
            Err(wrong) => otherwise = Some(wrong),
            Ok(()) => {}
        }
    }
    panic!("{flaw} never shows by `{shows}`, but by {otherwise:?}");
}

#[test]
fn no_schedule_gives_a_shard_two_owners_or_none_for_long() {
    let (mut taken, mut refused, mut longest) = (0, 0, 0);
    let schedules = schedules();
    for seed in 0..schedules {
        let world = passed(seed, ShardModel::new(ShardFlaws::default()));
        taken += world.writes_taken;
        refused += world.writes_refused;
        longest = longest.max(world.model.longest_unowned);
    }
    // Schedules in which nothing happens would show nothing.
    assert!(
        taken > 100 * schedules && refused > schedules,
        "{taken} taken, {refused} refused"
    );
    assert!(longest > 8_000, "leases did run out: {longest} ms");
}

#[test]
fn each_flaw_of_shard_leases_shows_in_some_schedule() {
    let flawed = |flaw: &str, how: &str, set: fn(&mut ShardFlaws)| {
        let mut flaws = ShardFlaws::default();
        set(&mut flaws);
        shows(flaw, how, || ShardModel::new(flaws));
    };
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
    let (mut taken, mut refused, mut longest, mut went_on, mut led_over) = (0, 0, 0, 0, 0);
    let schedules = schedules();
    for seed in 0..schedules {
        let world = passed(seed, LeadModel::new(LeadFlaws::default()));
        taken += world.writes_taken;
        refused += world.writes_refused;
        longest = longest.max(world.model.longest_unled);
        went_on += world.model.went_on;
        led_over += world.model.led_over;
    }
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
    let flawed = |flaw: &str, how: &str, set: fn(&mut LeadFlaws)| {
        let mut flaws = LeadFlaws::default();
        set(&mut flaws);
        shows(flaw, how, || LeadModel::new(flaws));
    };
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
