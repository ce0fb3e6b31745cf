//! The store, black box: one suite for all backends, and for Redis everything that goes wrong
//! between a client and a server. The server is a real one.

mod access;
pub(crate) mod backends;
mod codec_laws;
mod embedded_only;
mod faults;
mod histories;
mod on_cluster;
mod secured_cluster;
mod skyline;
mod suite;
mod unreadable;

use backends::{Backend, Embedded, Redis};

/// Makes a test of every case of the suite for every backend.
macro_rules! for_every_backend {
    ($($module:ident :: $case:ident),* $(,)?) => {
        mod on_redis {
            $(#[test] fn $case() { super::$module::$case(&mut <super::Redis as super::Backend>::start()); })*
        }
        mod on_embedded {
            $(#[test] fn $case() { super::$module::$case(&mut <super::Embedded as super::Backend>::start()); })*
        }
        /// All on one, which takes seconds to begin.
        #[test]
        fn every_case_holds_on_a_cluster() {
            let mut cluster = <on_cluster::Cluster as Backend>::start();
            $(
                println!(stringify!($case));
                cluster.servers.flush();
                $module::$case(&mut cluster);
            )*
        }
    };
}

for_every_backend!(
    suite::points_come_back_as_they_were_stored,
    suite::an_append_says_nothing_about_other_metrics,
    suite::duplicates_vanish_in_the_canonical_window,
    suite::of_equal_times_the_last_stored_is_read_last,
    suite::names_appear_with_their_first_point,
    suite::names_can_be_added_and_removed,
    suite::whoever_watches_the_names_learns_that_one_came,
    suite::a_removed_name_comes_back_with_the_next_point,
    suite::a_tail_is_what_came_after,
    suite::a_late_point_is_in_the_tail,
    suite::a_burst_is_new_or_lost_but_never_missed,
    suite::a_tail_of_nothing_is_missing,
    suite::a_trim_of_the_front_does_not_disturb_tails,
    suite::thousands_of_metrics_in_one_call,
    suite::every_metric_is_answered_once,
    suite::nothing_asked_is_nothing_done,
    suite::keys_are_set_read_and_removed,
    suite::keys_expire,
    suite::what_is_stored_outlives_the_store,
    suite::handles_see_what_others_wrote,
    suite::points_that_are_no_numbers_are_never_read,
    histories::tails_add_up_to_whole_reads,
);
