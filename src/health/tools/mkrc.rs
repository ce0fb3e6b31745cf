//! `hview-mkrc`: writes the configuration of one of several servers.

use serde_json::json;
use skywatch_algorithms::random::Random;

use super::config::{Config, FILE};
use super::flags::{self, Flag, GivenFlags, JSON_FLAG, switch, value};
use super::terminal::{ToolError, print};
use crate::health::clock::now;

const FLAGS: &[Flag] = &[
    value(
        "id",
        "",
        "id of the server this is for; one of the names that are made",
    ),
    value("nserver", "3", "number of servers"),
    switch("localhost", "true", "without effect, as in the original"),
    value(
        "addressp",
        "",
        "pattern of addresses with one %d; localhost if it is not given",
    ),
    value("namep", "DHS_%d", "pattern of names with one %d"),
    value("namestart", "0", "number of the first name"),
    value("sidstart", "0", "number of the first address"),
    value("port_start", "10000", "least port, where ports are made up"),
    value("port_end", "30000", "end of ports, where ports are made up"),
    value(
        "fix_port",
        "-1",
        "port of all servers; made up if it is not given",
    ),
    value(
        "subjects",
        "",
        "subjects that are watched, with commas between them",
    ),
    switch(
        "filter",
        "false",
        "take only reports about subjects that are watched",
    ),
    JSON_FLAG,
    value("dbfile", FILE, "file in which is kept what is known"),
    value(
        "output",
        "",
        "file to write to; standard output if it is not given",
    ),
];
const USAGE: &str = "hview-mkrc -id ID [options]";

/// Runs the tool.
pub(super) fn run(arguments: Vec<String>) -> Result<(), ToolError> {
    let given = flags::parse(FLAGS, USAGE, arguments)?;
    let config = make(&given)?;
    let text = config.text()?;
    let as_json = given.is_on("json")?;
    match given.text("output") {
        "" if as_json => print(&format!("{}\n", json!(config))),
        "" => print(&format!("{text}\n")),
        file => {
            if !as_json {
                print(&format!("Saving to {file}\nConfig:\n{text}\n"))?;
            }
            std::fs::write(file, &text)
                .map_err(|error| ToolError::Failed(format!("`{file}` cannot be written: {error}")))?;
            match as_json {
                true => print(&format!("{}\n", json!({"saved": file, "config": config}))),
                false => print("Saved\n"),
            }
        }
    }
}

fn make(given: &GivenFlags) -> Result<Config, ToolError> {
    let count = given.number("nserver")?;
    let (names, servers) = (given.number("namestart")?, given.number("sidstart")?);
    let (pattern, addresses) = (given.text("namep"), given.text("addressp"));
    let fixed = given.number("fix_port")?;
    let base = match fixed {
        -1 => random_port(given.number("port_start")?, given.number("port_end")?)?,
        fixed => port(fixed)?,
    };
    let mut config = Config {
        id: given.text("id").to_owned(),
        filter_submission: given.is_on("filter")?,
        db_file: given.text("dbfile").to_owned(),
        ..Config::default()
    };
    for index in 0..count {
        let host = match addresses {
            "" => "localhost".to_owned(),
            pattern => numbered(pattern, servers + index)?,
        };
        let port = if fixed == -1 {
            port(i64::from(base) + index)?
        } else {
            base
        };
        config
            .peers
            .insert(numbered(pattern, names + index)?, format!("{host}:{port}"));
    }
    if config.id.is_empty() {
        return Err(ToolError::Usage("flag -id is needed".to_owned()));
    }
    let own = config.peers.get(&config.id);
    let own = own.ok_or_else(|| ToolError::Usage(format!("id `{}` is none of the servers'", config.id)))?;
    config.addr = own.clone();
    let subjects = given
        .text("subjects")
        .split(',')
        .filter(|subject| !subject.is_empty());
    let subjects: Vec<_> = subjects.map(str::to_owned).collect();
    config.subjects = (!subjects.is_empty()).then_some(subjects);
    Ok(config)
}

/// The pattern with a number for its `%d`.
fn numbered(pattern: &str, number: i64) -> Result<String, ToolError> {
    let (before, after) = pattern
        .split_once("%d")
        .ok_or_else(|| ToolError::Usage(format!("pattern `{pattern}` has no %d")))?;
    Ok(format!("{before}{number}{after}"))
}

fn port(number: i64) -> Result<u16, ToolError> {
    u16::try_from(number).map_err(|_| ToolError::Usage(format!("{number} is no port")))
}

/// A port from `start` on and below `end`.
pub(super) fn random_port(start: i64, end: i64) -> Result<u16, ToolError> {
    let span = usize::try_from(end - start).ok().filter(|span| *span > 0);
    let span =
        span.ok_or_else(|| ToolError::Usage(format!("there is no port from {start} on and below {end}")))?;
    // Any will do: the clock is random enough.
    port(start + Random::new(now().cast_unsigned()).below(span) as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(line: &str) -> Result<Config, ToolError> {
        let arguments = line.split_whitespace().map(str::to_owned).collect();
        flags::parse(FLAGS, USAGE, arguments).and_then(|given| make(&given))
    }

    #[test]
    fn the_readmes_file_is_made() {
        let config = made(
            "-fix_port 6688 -nserver 3 -addressp razor%d -namep pano%d -id pano0 -filter -subjects nn1,dn1",
        )
        .expect("a configuration");
        let text = config.text().expect("text");
        assert_eq!(
            text,
            r#"{
    "Addr": "razor0:6688",
    "Id": "pano0",
    "Subjects": [
        "nn1",
        "dn1"
    ],
    "Peers": {
        "pano0": "razor0:6688",
        "pano1": "razor1:6688",
        "pano2": "razor2:6688"
    },
    "FilterSubmission": true,
    "LogLevel": "",
    "DumpMemUsage": false,
    "DBFile": "deephealth.db",
    "GCConfig": {
        "Enable": false,
        "Frequency": 0,
        "Threshold": 0,
        "Relative": false
    },
    "BufConfig": {
        "HoldTime": 0,
        "HoldListLen": 0
    }
}"#
        );
        assert_eq!(Config::parse(&text).expect("it reads its own"), config);
        let typed =
            Config::parse(r#"{"ADDR": "", "id": "a", "peers": {"a": "h:1"}, "subjects": null, "more": 1}"#);
        assert_eq!(typed.expect("any case").address().expect("its own"), "h:1");
    }

    #[test]
    fn ports_are_made_up_in_their_range_one_after_the_other() {
        let config = made("-id DHS_5 -namestart 5 -nserver 2 -port_start 20000 -port_end 20002")
            .expect("a configuration");
        let ports: Vec<u16> = config
            .peers
            .values()
            .map(|address| {
                address
                    .strip_prefix("localhost:")
                    .expect("a host")
                    .parse()
                    .expect("a port")
            })
            .collect();
        assert!(
            (20_000..20_002).contains(&ports[0]) && ports[1] == ports[0] + 1,
            "{ports:?}"
        );
        assert_eq!(config.subjects, None);
        for refused in [
            "",
            "-id x",
            "-id DHS_0 -namep x",
            "-id DHS_0 -fix_port 99999",
            "-id DHS_0 -port_start 5 -port_end 5",
        ] {
            assert!(matches!(made(refused), Err(ToolError::Usage(_))), "{refused}");
        }
        let strange = Config::parse(r#"{"Id": "a", "Addr": "x:1", "Peers": {"a": "h:1"}}"#).expect("JSON");
        assert!(strange.address().is_err());
        assert!(Config::parse(r#"{"Id": "a",}"#).is_err());
    }
}
