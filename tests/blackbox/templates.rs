//! `skywatch templates`: a row for each line of a file, whatever is in it.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;

use crate::common::skywatch::Setup;

const LOG: &[u8] = b"connection from 10.0.0.1, port 80\n\nconnection from 10.0.0.2, port 443\r\nsaid \"no\"\n\xff\xfe broken\nlast";
const ROWS: &str = "LineId,ClusterId,Template\n\
    1,1,\"connection from <*>, port <*>\"\n\
    2,2,\n\
    3,1,\"connection from <*>, port <*>\"\n\
    4,3,\"said \"\"no\"\"\"\n\
    5,4,\u{fffd}\u{fffd} broken\n\
    6,5,last\n";

#[test]
fn every_line_has_a_row_with_its_template_as_after_the_last_line() {
    let setup = Setup::new();
    let plain = setup.path("plain.log");
    std::fs::write(&plain, LOG).unwrap();
    let ended = setup.run(&["templates", plain.to_str().unwrap()]);
    assert_eq!((ended.code(), ended.log.as_str()), (0, ""));
    assert_eq!(ended.stdout, ROWS);

    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    packed.write_all(LOG).unwrap();
    let packed = packed.finish().unwrap();
    let (whole, out) = (setup.path("packed.log.gz"), setup.path("out.csv"));
    std::fs::write(&whole, &packed).unwrap();
    let ended = setup.run(&[
        "templates",
        whole.to_str().unwrap(),
        "--output",
        out.to_str().unwrap(),
    ]);
    assert_eq!((ended.code(), ended.stdout.as_str()), (0, ""), "{}", ended.log);
    assert_eq!(std::fs::read_to_string(&out).unwrap(), ROWS);

    let torn = setup.path("torn.gz");
    std::fs::write(&torn, &packed[..packed.len() - 12]).unwrap();
    let ended = setup.run(&["templates", torn.to_str().unwrap()]);
    assert_eq!((ended.code(), ended.stdout.as_str()), (1, ""));
    assert!(
        ended.log.contains("cannot read") && ended.log.contains("torn.gz"),
        "{}",
        ended.log
    );
}

#[test]
fn settings_choose_masks_and_grouping() {
    let setup = Setup::new();
    let (log, settings) = (setup.path("a.log"), setup.path("templates.toml"));
    std::fs::write(&log, "case a-b closed by ann\ncase c-d closed by bob\n").unwrap();
    std::fs::write(
        &settings,
        "[templates]\ngrouping = \"drain\"\nmasks = ['CASE=case (?<value>\\w+-\\w+)']\n",
    )
    .unwrap();
    let arguments = [
        "templates",
        log.to_str().unwrap(),
        "--settings",
        settings.to_str().unwrap(),
    ];
    let ended = setup.run(&arguments);
    assert_eq!(ended.code(), 0, "{}", ended.log);
    assert_eq!(
        ended.stdout,
        "LineId,ClusterId,Template\n1,1,case <CASE> closed by <*>\n2,1,case <CASE> closed by <*>\n"
    );

    std::fs::write(&settings, "[templates]\nmasks = ['CASE=(?<=case )x']\n").unwrap();
    let ended = setup.run(&arguments);
    assert_eq!(ended.code(), 2, "{}", ended.log);
    assert!(
        ended.log.contains("templates.masks") && ended.log.contains("look-around"),
        "{}",
        ended.log
    );
}
