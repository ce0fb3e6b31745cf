//! What people read when receivers and routes are wrong. The texts are snapshots; change them on purpose.

use insta::assert_snapshot;

use crate::{error, error_with, loaded};

#[test]
fn a_receivers_type_decides_which_keys_it_has() {
    assert_snapshot!(error(
        "receivers.c = 1\n[receivers.a]\ntype = \"slack\"\nchanel = \"#x\"\nwebhook_url = \"https://a\"\n[receivers.b]\nto = [\"a@b\"]\n\
             [receivers.d]\ntype = \"pager\"\n[receivers.e]\ntype = 3\n[receivers.\"f g\"]\ntype = \"syslog\"\n\
             [receivers.A]\ntype = \"syslog\"\n[receivers.h]\ntype = \"pagerduty\"\nrouting_key = \"x\"\nto = [\"a@b\"]\n"
    ));
    // Of a receiver whose type is not known nothing more is said, and routes may name it.
    assert_eq!(
        error_with(
            "[receivers.a]\nx = 1\n[[routes]]\nname = \"r\"\nreceivers = [\"a\"]\n",
            &[("SKYWATCH__RECEIVERS__A__TOKEN", "x")]
        )
        .matches("hint")
        .count(),
        1
    );
}

#[test]
fn tables_that_are_no_tables_are_named() {
    assert_snapshot!(error("receivers = 1\nroutes = 2\n[receiver.a]\n[[route]]\n"));
    assert_eq!(
        error(
            "[receivers.a]\ntype = \"syslog\"\n[[routes]]\nname = \"a\"\nreceivers = [\"a\"]\n[routes.routes]\nname = \"b\"\n"
        ),
        "`routes[1].routes` is a list of tables, in skywatch.toml line 6\n\
         hint: write `[[routes.routes]]`, with two brackets, for each"
    );
    assert!(
        error("routes = [1]\n").starts_with("`routes[1]` is a table, not a value, in skywatch.toml line 1\n")
    );
}

#[test]
fn every_type_says_what_it_lacks() {
    assert_snapshot!(error(
        "[receivers.a]\ntype = \"email\"\n[receivers.b]\ntype = \"slack\"\n[receivers.c]\ntype = \"pagerduty\"\n\
             [receivers.d]\ntype = \"alertmanager\"\n[receivers.e]\ntype = \"webhook\"\n\
             [receivers.f]\ntype = \"slack\"\ntoken = \"x\"\n[receivers.g]\ntype = \"ntfy\"\n"
    ));
    // What was refused already is not missed as well.
    assert_eq!(
        error("[receivers.c]\ntype = \"pagerduty\"\nrouting_key_file = \"/nowhere\"\n")
            .matches("hint")
            .count(),
        1
    );
    assert_eq!(
        error("[email]\nserver = \"mail\"\n[receivers.a]\ntype = \"email\"\nto = [\"a@b\"]\n"),
        "`email.server` is set, but `email.from` is not in skywatch.toml line 2\n\
         hint: name the sender, such as `from = \"skywatch@example.org\"`"
    );
}

#[test]
fn logins_and_ways_exclude_each_other() {
    assert_snapshot!(error(
        "[receivers.a]\ntype = \"slack\"\nwebhook_url = \"https://x\"\ntoken = \"x\"\n\
             [receivers.b]\ntype = \"alertmanager\"\nurl = \"https://x\"\nusername = \"u\"\n\
             [receivers.c]\ntype = \"alertmanager\"\nurl = \"https://x\"\nusername = \"u\"\ntoken = \"x\"\n\
             [receivers.d]\ntype = \"webhook\"\nurl = \"https://x\"\ntoken = \"x\"\nheaders = [\"authorization: x\"]\n\
             [receivers.e]\ntype = \"webhook\"\nurl = \"https://x\"\ntoken = \"x\"\ntoken_file = \"/dev/null\"\n"
    ));
}

#[test]
fn secrets_do_not_travel_in_the_clear_unless_it_is_said_twice() {
    assert_snapshot!(error(
        "[receivers.a]\ntype = \"slack\"\nwebhook_url = \"http://chat/x\"\n\
             [receivers.b]\ntype = \"slack\"\ntoken = \"x\"\nchannel = \"#x\"\napi_url = \"http://chat\"\n\
             [receivers.c]\ntype = \"alertmanager\"\nurl = \"http://am:9093\"\nusername = \"u\"\npassword = \"x\"\n\
             [receivers.d]\ntype = \"webhook\"\nurl = \"http://hook\"\ntoken = \"x\"\nheaders = [\"X-Key: x\"]\n"
    ));
    for right in [
        "type = \"slack\"\nwebhook_url = \"http://localhost/x\"",
        "type = \"slack\"\nwebhook_url = \"http://chat/x\"\ninsecure = true",
        "type = \"webhook\"\nurl = \"http://hook\"\nsecret = \"what signs does not travel\"",
        "type = \"alertmanager\"\nurl = \"http://am:9093\"",
    ] {
        loaded(&format!("[receivers.a]\n{right}\n"));
    }
}

#[test]
fn values_of_receivers_are_judged() {
    assert_snapshot!(error(
        "[email]\nserver = \"mail\"\nfrom = \"a@b\"\n\
             [receivers.a]\ntype = \"email\"\nto = [\"ops\"]\nfrom = \"x\"\ntimeout = \"0s\"\nmax_notices = 0\nper = \"500ms\"\ngive_up_after = \"0s\"\n\
             [receivers.b]\ntype = \"alertmanager\"\nurl = \"https://u@am\"\nlabels = [\"1=x\"]\nvalid_for = \"30s\"\n\
             [receivers.c]\ntype = \"webhook\"\nurl = \"ftp://x\"\nheaders = [\"Host: x\"]\n\
             [receivers.d]\ntype = \"syslog\"\ntarget = \"udp://x\"\nfacility = \"local8\"\napp = \"my sky\"\n\
             [receivers.e]\ntype = \"slack\"\nwebhook_url = \"https://x/#y\"\napi_url = \"https://x?y\"\n"
    ));
}

#[test]
fn values_of_routes_are_judged() {
    assert_snapshot!(error(
        "[receivers.a]\ntype = \"syslog\"\n[[routes]]\nname = \" x\"\nreceivers = [\"a\"]\nmetrics = [\"~(\"]\ntags = [\"dc\", \"dc=~(\"]\n\
             severity = \"fatal\"\ndetectors = [\"a b\"]\ndays = [\"mon-\"]\nhours = \"8-18\"\nzone = \"Europe/Berln\"\n\
             direction = \"upp\"\nmin_value = inf\nmin_change = -1\nmin_relative_change = \"x\"\ncooldwon = \"1s\"\nroute = 1\n"
    ));
}

#[test]
fn routes_have_names_of_their_own_and_somebody_to_tell() {
    assert_snapshot!(error(
        "[receivers.ops]\ntype = \"syslog\"\n\n[[routes]]\nreceivers = [\"osp\"]\n[[routes.routes]]\nname = \"a\"\n\
             [[routes]]\nname = \"a\"\nreceivers = [\"monkey\"]\n[[routes]]\nname = \"b\"\n[[routes.routes]]\nname = \"c\"\n\
             [[routes.routes]]\nname = \"d\"\nreceivers = [\"ops\"]\n"
    ));
    assert_eq!(
        error("[[routes]]\nname = \"a\"\n"),
        "route `a` tells nobody: it has no `receivers`, and no route above it has any, in skywatch.toml line 1\n\
         hint: there are no receivers; declare one with `[receivers.NAME]`, or set `email.server` and `email.to`"
    );
}

#[test]
fn alerts_have_limits() {
    assert_snapshot!(error(
        "[alerts]\nseen = 4\nof = 3\ndigest_from = 0\ndaily_digest = \"8\"\nzone = \"\"\nkeep_history = \"60m\"\n\
             min_relative_change = -0.1\nheartbeat_url = \"hc\"\n"
    ));
    assert!(error("[alerts]\nseen = 65\nof = 65\n").contains("expected a value from `1` to `64`"));
    assert!(error("[alerts]\nseen = 0\n").contains("expected a value from `1` to `64`"));
}
