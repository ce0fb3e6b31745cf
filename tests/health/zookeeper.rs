//! A real ZooKeeper (Debian's package `zookeeper`) writes the log that `logtail` reads, in both layouts.

use std::path::Path;
use std::process::{Child, Command, Stdio};

use super::{client, serve, setup, tool};
use crate::common::redis::free_port;
use crate::common::wait_for;

/// The server, and what it logs with: Debian leaves that to whoever starts it.
const JARS: &str =
    "/usr/share/java/zookeeper.jar:/usr/share/java/slf4j-log4j12.jar:/usr/share/java/log4j-1.2.jar";
const LAYOUTS: [(&str, &str); 2] = [
    // Debian's own, and that of ZooKeeper's releases.
    ("plain", "%d{ISO8601} - %-5p [%t:%C{1}@%L] - %m%n"),
    ("myid", "%d{ISO8601} [myid:%X{myid}] - %-5p [%t:%C{1}@%L] - %m%n"),
];
const FILTER: &str = r#"{"FilterTree": [
    {"Chain": [{"Field": "tag_context", "Operator": "==", "Pattern": "RecvWorker"},
               {"Field": "content", "Operator": "~", "Pattern": "^Connection broken"}],
     "Classifier": {"Context": "", "Subject": "", "Status": "unhealthy", "Score": "30"}}]}"#;

/// Ends with the value.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts the server of a number in its folder, which gets a log in each layout.
fn start(folder: &Path, number: usize, ensemble: &str) -> Killed {
    let data = folder.join("data");
    std::fs::create_dir_all(&data).unwrap();
    std::fs::write(data.join("myid"), number.to_string()).unwrap();
    let config = format!(
        "{ensemble}dataDir={}\nclientPort={}\nclientPortAddress=127.0.0.1\n",
        data.display(),
        free_port()
    );
    std::fs::write(folder.join("zoo.cfg"), config).unwrap();
    let mut logging = "log4j.rootLogger=INFO, plain, myid\n".to_owned();
    for (name, layout) in LAYOUTS {
        let (appender, file) = (format!("log4j.appender.{name}"), folder.join(name));
        logging += &format!(
            "{appender}=org.apache.log4j.FileAppender\n{appender}.File={}\n\
             {appender}.layout=org.apache.log4j.PatternLayout\n{appender}.layout.ConversionPattern={layout}\n",
            file.display()
        );
    }
    std::fs::write(folder.join("log4j.properties"), logging).unwrap();
    let child = Command::new("java")
        // Less memory and no optimizing compiler: it lives for seconds.
        .args(["-Xmx64m", "-XX:TieredStopAtLevel=1", "-cp", JARS])
        .arg(format!(
            "-Dlog4j.configuration=file:{}",
            folder.join("log4j.properties").display()
        ))
        .arg("org.apache.zookeeper.server.quorum.QuorumPeerMain")
        .arg(folder.join("zoo.cfg"))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(std::fs::File::create(folder.join("err")).unwrap())
        .spawn();
    Killed(child.unwrap_or_else(|error| panic!("java: {error}; Debian: `apt install zookeeper`")))
}

#[test]
fn a_zookeeper_that_loses_its_peer_says_so_in_both_layouts() {
    let setup = setup();
    let (_server, address) = serve(&setup);
    let ports = [(); 4].map(|()| free_port());
    let ensemble = format!(
        "tickTime=500\ninitLimit=20\nsyncLimit=5\nadmin.enableServer=false\n\
         server.1=127.0.0.1:{}:{}\nserver.2=127.0.0.1:{}:{}\n",
        ports[0], ports[1], ports[2], ports[3]
    );
    let folder = |number: usize| setup.path(&format!("zookeeper{number}"));
    let lost = start(&folder(1), 1, &ensemble);
    let _other = start(&folder(2), 2, &ensemble);
    let log = |name: &str| std::fs::read_to_string(folder(2).join(name)).unwrap_or_default();
    wait_for("that the two are an ensemble", || {
        // It has ended if there is nothing it could run from.
        assert!(
            !log("err").contains("ClassNotFound"),
            "Debian: `apt install zookeeper`"
        );
        ["LEADING", "FOLLOWING"]
            .iter()
            .any(|word| log("myid").contains(word))
            .then_some(())
    });
    let filter = setup.path("filter.json");
    std::fs::write(&filter, FILTER).unwrap();
    let path = |path: &Path| path.display().to_string();
    let reads = |name: &str, flags: &[&str]| -> Vec<String> {
        let flags = flags.iter().map(|flag| (*flag).to_owned());
        let plugin = [
            "-log".to_owned(),
            path(&folder(2).join(name)),
            "zookeeper".to_owned(),
            "-ensemble".to_owned(),
            path(&folder(2).join("zoo.cfg")),
            "-myid".to_owned(),
            path(&folder(2).join("data/myid")),
            "-filter".to_owned(),
            path(&filter),
        ];
        let tool = ["health".to_owned(), "logtail".to_owned()];
        tool.into_iter().chain(flags).chain(plugin).collect()
    };
    // Without merging: a connection that broke while the two began would hide the break that is waited for.
    let arguments = reads("myid", &["-server", &address, "-merge", "0"]);
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let mut tail = setup.bare_command(&arguments);
    let _tail = Killed(tail.stdout(Stdio::null()).spawn().unwrap());
    let killed = jiff::Timestamp::now();
    drop(lost);
    wait_for("a report about the server that was killed", || {
        let (view, _, code) = client(&setup, &address, &["-json", "get", "view", "peer@2", "peer@1"]);
        let view: serde_json::Value = serde_json::from_str(&view).ok().filter(|_| code == 0)?;
        let newest = view["observations"].as_array()?.last()?;
        let at: jiff::Timestamp = newest["ts"].as_str()?.parse().unwrap();
        assert_eq!(newest["metrics"]["RecvWorker"]["status"], "UNHEALTHY", "{view}");
        // What it said while it began is no news; its clock is ours, cut to milliseconds.
        (at.as_millisecond() >= killed.as_millisecond()).then_some(())
    });
    let events = LAYOUTS.map(|(name, _)| {
        let arguments = reads(name, &["-json", "-report=false", "-follow=false"]);
        let arguments: Vec<&str> = arguments.iter().skip(1).map(String::as_str).collect();
        let (out, err, code) = tool(&setup, &arguments);
        assert_eq!((code, &*err), (0, ""));
        let events = out.lines().filter(|line| line.contains("\"subject\":\"peer@1\""));
        events.map(str::to_owned).collect::<Vec<_>>()
    });
    assert!(!events[0].is_empty());
    assert_eq!(events[0], events[1]);
}
