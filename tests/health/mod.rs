//! The health plane through the binary: a session of the original's command line, a client in another language, a kill, and
//! what must not end a server.

mod access;
mod joined;
mod peers;
mod zookeeper;

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::common::python::python;
use crate::common::skywatch::{Setup, Skywatch};

/// A server by the settings, and where it is.
fn serve(setup: &Setup) -> (Skywatch, String) {
    let server = setup.start(&["health", "serve"]);
    let line = server.line("health plane on ");
    let address = line.rsplit("health plane on ").next().unwrap().trim();
    let address = address.split(' ').next().unwrap().to_owned();
    (server, address)
}

fn setup() -> Setup {
    Setup::new()
        .with("health.listen", "127.0.0.1:0")
        .with("health.id", "a")
}

/// What a client says on standard output and standard error, and its exit code.
fn client(setup: &Setup, server: &str, words: &[&str]) -> (String, String, i32) {
    tool(setup, &[&["client", "-server", server], words].concat())
}

/// The same of any of the tools.
fn tool(setup: &Setup, words: &[&str]) -> (String, String, i32) {
    let output = setup
        .bare_command(&[&["health"], words].concat())
        .output()
        .unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (
        text(output.stdout),
        text(output.stderr),
        output.status.code().unwrap(),
    )
}

/// `text` with `T` for each time, so that what is left can be compared.
fn without_times(text: &str) -> String {
    let time =
        regex::Regex::new(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(Z| \+0000 UTC)|seconds:\d+ nanos:\d+");
    time.unwrap().replace_all(text, "T").into_owned()
}

#[test]
fn the_originals_session_gives_its_answers() {
    let setup = setup();
    let (_server, address) = serve(&setup);
    let mut session = setup
        .bare_command(&["health", "client", "--server", &address])
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = "me\nme peer@2\nme\nreport peer@1 snapshot:u:30\nget report peer@1\nget view peer@2 peer@1\n\
                 get panorama peer@1\nget inference peer@1\ndump inference\ndump panorama\nlist subject\nping\nexit\n";
    session.stdin.take().unwrap().write_all(lines.as_bytes()).unwrap();
    let output = session.wait_with_output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    insta::assert_snapshot!(without_times(&String::from_utf8(output.stdout).unwrap()), @r#"
    > client
    > > peer@2
    > Accepted
    > observer:"peer@2" subject:"peer@1" observation:<ts:<T > metrics:<key:"snapshot" value:<name:"snapshot" value:<status:UNHEALTHY score:30 > > > > 
    >   |peer@2| T {snapshot: UNHEALTHY, 30.0; }
    > [[... peer@2->peer@1 (1 observations) ...]]
      |peer@2| T {snapshot: UNHEALTHY, 30.0; }
    > [peer@2] ==> peer@1: T {snapshot: UNHEALTHY, 30.0; }
    > =============peer@1=============
    [peer@2] ==> peer@1: T {snapshot: UNHEALTHY, 30.0; }
    > =============peer@1=============
    [[... peer@2->peer@1 (1 observations) ...]]
      |peer@2| T {snapshot: UNHEALTHY, 30.0; }
    > a	T
    client	T
    peer@1	T
    peer@2	T
    > ping reply at time T
    >
    "#);
}

#[test]
fn exit_codes_mean_something_and_answers_can_be_json() {
    let setup = setup();
    let (_server, address) = serve(&setup);
    assert_eq!(
        client(&setup, &address, &["report", "s", "cpu:u:30", "mem:h:90"]),
        ("Accepted\n".to_owned(), String::new(), 0)
    );
    let (out, err, code) = client(&setup, &address, &["report", "s", "cpu:u:30", "bad:z:1"]);
    assert_eq!((&*out, &*err, code), ("", "invalid health metric bad:z:1\n\n", 2));
    let (out, err, code) = client(&setup, &address, &["get", "inference", "nobody"]);
    assert_eq!(
        (&*out, &*err, code),
        ("", "inference does not exist for view\n", 1)
    );
    assert_eq!(client(&setup, &address, &["frobnicate"]).2, 2);
    assert_eq!(client(&setup, &address, &["get"]).2, 2);
    assert_eq!(client(&setup, "127.0.0.1:1", &["ping"]).2, 1);
    let (out, _, _) = client(&setup, &address, &["-json", "get", "verdict", "s"]);
    let verdict: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(
        (&verdict["state"], &verdict["evidence"][0]["metric"]),
        (&"gray".into(), &"cpu".into())
    );
    let (out, _, code) = tool(&setup, &["mkrc", "-id", "DHS_0", "-json"]);
    let made: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!((&made["Id"], code), (&"DHS_0".into(), 0));
    // By the original's name, as a link to the binary.
    let link = setup.path("hview-client");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_skywatch"), &link).unwrap();
    let output = Command::new(link)
        .args(["-server", &address, "get", "view", "client", "s"])
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(
        without_times(&text),
        "  |client| T {cpu: UNHEALTHY, 30.0; mem: HEALTHY, 90.0; }\n"
    );
}

#[test]
fn what_was_accepted_is_there_after_a_kill() {
    let setup = setup();
    let (server, address) = serve(&setup);
    for (subject, metric) in [("s", "cpu:u:30"), ("s", "cpu:h:90"), ("t", "disk:d:1")] {
        assert_eq!(
            client(&setup, &address, &["report", subject, metric]).0,
            "Accepted\n"
        );
    }
    let all = |address: &str| {
        [["dump", "inference"], ["dump", "panorama"], ["list", "subject"]]
            .map(|words| client(&setup, address, &words).0)
    };
    let before = all(&address);
    // A kill, not a stop.
    drop(server);
    let (_server, address) = serve(&setup);
    assert_eq!(all(&address), before);
    let (_, err, code) = client(&setup, &address, &["report", "s", "cpu:u:30"]);
    assert_eq!((&*err, code), ("", 0));
}

#[test]
fn garbage_on_the_port_ends_nothing() {
    let setup = setup();
    let (_server, address) = serve(&setup);
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    for bytes in [
        &b"\0\xff\xfe garbage"[..],
        b"GET / HTTP/1.1\r\n\r\n",
        preface,
        &[&preface[..], &[0xff; 4_096]].concat(),
    ] {
        let mut stream = TcpStream::connect(&address).unwrap();
        stream
            .set_read_timeout(Some(std::time::Duration::from_secs(1)))
            .unwrap();
        stream.write_all(bytes).unwrap();
        // It may be told that this is nothing, or nothing at all.
        let _ = stream.read(&mut [0; 100]);
    }
    assert_eq!(client(&setup, &address, &["ping"]).2, 0);
}

/// Has the client in Python speak every call to a server; `access` is a certificate and a token, or nothing.
fn speak_every_call(setup: &Setup, address: &str, access: &[&str]) {
    by_python(
        setup,
        "tests/health/client.py",
        &[],
        &[&[address], access].concat(),
    );
}

/// Runs a script of ours with these folders, one with stubs made from our `.proto` files, and what else it is to be told.
fn by_python(setup: &Setup, script: &str, folders: &[&Path], more: &[&str]) {
    let (python, stubs) = (python(), setup.path("stubs"));
    std::fs::create_dir(&stubs).unwrap();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let out = |kind: &str| format!("--{kind}={}", stubs.display());
    let made = Command::new(&python)
        .args(["-m", "grpc_tools.protoc", "-I"])
        .arg(root.join("src/health/idl"))
        .args([out("python_out"), out("grpc_python_out")])
        .args(["health.proto", "service.proto", "verdicts.proto"])
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let spoken = Command::new(&python)
        .arg(root.join(script))
        .args(folders)
        .arg(&stubs)
        .args(more)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&spoken.stderr);
    assert!(spoken.status.success(), "{said}");
}

#[test]
fn a_client_in_another_language_speaks_every_call() {
    let setup = setup();
    let (_server, address) = serve(&setup);
    speak_every_call(&setup, &address, &[]);
}

#[test]
fn what_the_plane_has_counted_is_in_the_metrics_of_the_pages() {
    let port = crate::common::redis::free_port();
    let listen = format!("127.0.0.1:{port}");
    let setup = setup()
        .with("health.enabled", "true")
        .with("health.listen", &listen)
        .with("analyzer.enabled", "false")
        .with("ingest.enabled", "false");
    let running = setup.start(&["run"]);
    let line = running.line("pages on http://");
    let pages: std::net::SocketAddr = line.rsplit("http://").next().unwrap().trim().parse().unwrap();
    crate::common::wait_for("a report that is taken", || {
        (client(&setup, &listen, &["report", "s", "cpu:u:30"]).2 == 0).then_some(())
    });
    let shown = crate::common::wait_for("the plane's counters", || {
        let text = crate::common::http::get(pages, "/metrics").body;
        text.contains("skywatch_health_accepted_total 1\n")
            .then_some(text)
    });
    assert!(
        shown.contains("skywatch_health_states{state=\"unhealthy\"} 1.0\n"),
        "{shown}"
    );
}

#[test]
fn the_observer_for_python_is_seen_as_ours_are() {
    let setup = setup();
    let (_server, address) = serve(&setup);
    let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts");
    by_python(&setup, "tests/health/observer.py", &[&scripts], &[&address]);
}
