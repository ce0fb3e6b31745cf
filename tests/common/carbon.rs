//! A carbon client.

use std::fmt::Write as _;
use std::io::Write as _;
use std::net::{SocketAddr, TcpStream};

/// Sends bytes over a connection of their own, which is closed behind them.
pub(crate) fn send(to: SocketAddr, bytes: &[u8]) {
    let mut stream = TcpStream::connect(to).expect("the carbon port takes connections");
    stream.write_all(bytes).expect("the carbon port takes bytes");
}

/// The lines of one metric, oldest first.
pub(crate) fn lines(metric: &str, points: &[(f64, f64)]) -> String {
    points.iter().fold(String::new(), |mut text, (time, value)| {
        writeln!(text, "{metric} {value} {time}").expect("a string takes everything");
        text
    })
}
