//! `hview-server`: a server by flags, or by a configuration file of the original.

use std::collections::BTreeMap;
use std::net::{TcpListener, ToSocketAddrs as _};

use serde_json::json;

use super::config::{Config, FILE};
use super::flags::{self, Flag, GivenFlags, JSON_FLAG, switch, value};
use super::mkrc::random_port;
use super::terminal::{ToolError, complain, print};
use crate::health::serve::{ServeOptions, serve};
use crate::health::server::ServerOptions;
use crate::log;
use crate::net::access::ListenerAccess;
use crate::stop::Stop;

const FLAGS: &[Flag] = &[
    value("config", "", "configuration file, as hview-mkrc makes it"),
    value("addr", "localhost", "address; without a port one is made up"),
    value("dbfile", FILE, "file in which is kept what is known"),
    value("port_start", "10000", "least port, where one is made up"),
    value("port_end", "30000", "end of ports, where one is made up"),
    value("cpuprofile", "", "without effect"),
    switch("mem_usage", "false", "without effect"),
    JSON_FLAG,
    switch(
        "open",
        "false",
        "listen where other machines reach it, though nobody has to prove who they are",
    ),
];
const USAGE: &str = "hview-server [options] [ID]";
/// Connections open at once.
const CONNECTIONS: usize = 1_024;

/// Runs the tool until stop is said.
pub(super) fn run(arguments: Vec<String>, stop: &Stop) -> Result<(), ToolError> {
    let given = flags::parse(FLAGS, USAGE, arguments)?;
    let (config, mut options) = read(&given)?;
    let address = options.address.clone();
    let found: Vec<_> = address
        .to_socket_addrs()
        .map_err(|error| ToolError::Failed(format!("`{address}` is no address of this machine: {error}")))?
        .collect();
    if !given.is_on("open")? && found.iter().any(|address| !address.ip().is_loopback()) {
        return Err(ToolError::Usage(format!(
            "`{address}` is open to other machines, and nobody has to prove who they are\n\
             hint: if that is meant, say so a second time with `-open`"
        )));
    }
    let listener = TcpListener::bind(&*found)
        .map_err(|error| ToolError::Failed(format!("cannot listen on `{address}`: {error}")))?;
    log::start(&skywatch_settings::Log::default());
    if address.ends_with(":0") {
        options.address = listener.local_addr().map_err(ToolError::failed)?.to_string();
    }
    if given.is_on("json")? {
        print(&format!(
            "{}\n",
            json!({"address": options.address, "config": config})
        ))?;
    } else {
        print(&format!(
            "Starting health service at {} with config {}\n",
            options.address,
            config.text()?
        ))?;
    }
    let options = ServeOptions {
        server: options,
        access: ListenerAccess::default(),
        max_connections: CONNECTIONS,
        state_dir: None,
        findings: None,
        figures: None,
    };
    serve(listener, options, stop).map_err(ToolError::failed)
}

fn read(given: &GivenFlags) -> Result<(Config, ServerOptions), ToolError> {
    for ignored in ["cpuprofile", "mem_usage"] {
        if !matches!(given.text(ignored), "" | "false") {
            complain(&format!("-{ignored} has no effect"));
        }
    }
    if let file @ [_, ..] = given.text("config").as_bytes() {
        let file = String::from_utf8_lossy(file).into_owned();
        let text = std::fs::read_to_string(&file)
            .map_err(|error| ToolError::Failed(format!("`{file}` cannot be read: {error}")))?;
        let config = Config::parse(&text)?;
        let options = config.options(config.address()?);
        return Ok((config, options));
    }
    let [id] = &given.rest[..] else {
        return Err(ToolError::Usage(format!("Usage: {USAGE}\none ID is needed")));
    };
    let mut address = given.text("addr").to_owned();
    if !address.contains(':') {
        let port = random_port(given.number("port_start")?, given.number("port_end")?)?;
        address = format!("{address}:{port}");
    }
    let config = Config {
        addr: address.clone(),
        id: id.clone(),
        db_file: given.text("dbfile").to_owned(),
        ..Config::default()
    };
    let options = ServerOptions {
        peers: BTreeMap::new(),
        ..config.options(&address)
    };
    Ok((config, options))
}
