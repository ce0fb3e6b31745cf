//! Random schedules: nodes come, die, are paused, cut off and stopped, messages are late or lost, clocks run apart or stand still.
//! Whatever happens, of each shard and epoch one owner's writes are taken, none of an earlier epoch after one of a later, no
//! two nodes whose clocks go think that they own a shard, and none is left without an owner for longer than the bound.

use super::world::{Flaws, World};

/// Schedules of 80 seconds each, unless `SCHEDULES` says how many.
const SCHEDULES: u64 = 100;
/// Schedules within which a flaw must show; each shows within a few dozen.
const FLAWED: u64 = 500;

#[test]
fn no_schedule_gives_a_shard_two_owners_or_none_for_long() {
    let (mut taken, mut refused, mut longest) = (0, 0, 0);
    let schedules = std::env::var("SCHEDULES").map_or(SCHEDULES, |number| number.parse().expect("a number"));
    for seed in 0..schedules {
        let mut world = World::new(seed, Flaws::default());
        world.run().unwrap_or_else(|wrong| panic!("seed {seed}: {wrong}"));
        taken += world.writes_taken;
        refused += world.writes_refused;
        longest = longest.max(world.longest_unowned);
    }
    // Schedules in which nothing happens would show nothing.
    assert!(
        taken > 100 * schedules && refused > schedules,
        "{taken} taken, {refused} refused"
    );
    assert!(longest > 8_000, "leases did run out: {longest} ms");
}

#[test]
fn each_flaw_shows_in_some_schedule() {
    for (flaws, shows) in [
        (
            Flaws {
                no_fence: true,
                ..Flaws::default()
            },
            "was taken after one of",
        ),
        (
            Flaws {
                same_epoch: true,
                ..Flaws::default()
            },
            "were taken",
        ),
        (
            Flaws {
                trusting: true,
                ..Flaws::default()
            },
            "two nodes think",
        ),
        (
            Flaws {
                idle: true,
                ..Flaws::default()
            },
            "nobody has owned",
        ),
    ] {
        let found = (0..FLAWED).find_map(|seed| World::new(seed, flaws).run().err());
        let found = found.unwrap_or_else(|| panic!("{flaws:?} never shows"));
        assert!(found.contains(shows), "{flaws:?}: {found}");
    }
}
