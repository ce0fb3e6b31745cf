//! The other side: points out, in each of the protocols that are taken in.
//!
//! Small and blocking, for replaying files, for tests and for load. It loses nothing that it could know of: after a broken
//! connection everything written in the last two seconds is written again, as what the system had taken and the other
//! side not is unknown; a remote write is sent until it is answered. Datagrams are sent once; they are not answered.

use std::collections::VecDeque;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpStream, UdpSocket};
use std::time::{Duration, Instant};

use prost::Message as _;

use super::remote_write::{RemoteLabel, RemoteSample, TimeSeries, WriteRequest};
use crate::store::codec;

/// How far back written bytes are written again after a broken connection.
const AGAIN: Duration = Duration::from_secs(2);
/// Points in one frame of pickled points, as carbon's relay has it.
const FRAME_POINTS: usize = 500;
/// Points in one remote write, as a Prometheus has it.
const REQUEST_POINTS: usize = 2_000;
/// Bytes of lines in one datagram: what passes any network whole.
const DATAGRAM_BYTES: usize = 1_400;
/// How long one write or answer may take.
const TIMEOUT: Duration = Duration::from_secs(40);
/// Pause before the next try to connect.
const RETRY_EACH: Duration = Duration::from_millis(100);

/// How points are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Protocol {
    /// Carbon plaintext lines over TCP.
    Carbon,
    /// Carbon plaintext lines as UDP datagrams.
    CarbonUdp,
    /// Carbon's frames of pickled points.
    Pickle,
    /// Skyline's msgpack datagrams.
    Msgpack,
    /// Prometheus' remote write.
    RemoteWrite,
}

/// A point on its way out: name, Unix seconds, value.
pub type SentPoint<'p> = (&'p str, f64, f64);

/// Sends points to one address.
#[derive(Debug)]
pub struct Client {
    protocol: Protocol,
    to: SocketAddr,
    /// How long a listener that is away is waited for.
    patience: Duration,
    way: Option<ClientSocket>,
    /// What was written of late, for a connection that may turn out to be broken.
    recent: VecDeque<(Instant, Vec<u8>)>,
    /// Connections that broke.
    broken: u64,
}

#[derive(Debug)]
enum ClientSocket {
    Stream(TcpStream),
    Datagrams(UdpSocket),
}

impl Client {
    /// A client that has not connected yet.
    pub fn new(protocol: Protocol, to: SocketAddr, patience: Duration) -> Self {
        Self {
            protocol,
            to,
            patience,
            way: None,
            recent: VecDeque::new(),
            broken: 0,
        }
    }

    /// Connections that broke so far.
    pub fn broken(&self) -> u64 {
        self.broken
    }

    /// Sends points; blocks while the other side takes none.
    ///
    /// # Errors
    /// The listener stayed away for longer than the patience, or refuses what it is sent.
    pub fn send(&mut self, points: &[SentPoint<'_>]) -> io::Result<()> {
        match self.protocol {
            Protocol::Carbon => {
                let mut lines = Vec::with_capacity(points.len() * 64);
                points.iter().for_each(|point| line(point, &mut lines));
                self.write(lines)
            }
            Protocol::Pickle => points
                .chunks(FRAME_POINTS)
                .try_for_each(|points| self.write(frame(points))),
            Protocol::RemoteWrite => points
                .chunks(REQUEST_POINTS)
                .try_for_each(|points| self.request(&compressed(points)?)),
            Protocol::CarbonUdp => {
                let mut datagram = Vec::new();
                for point in points {
                    let before = datagram.len();
                    line(point, &mut datagram);
                    if datagram.len() > DATAGRAM_BYTES && before > 0 {
                        self.datagram(&datagram[..before])?;
                        datagram.drain(..before);
                    }
                }
                if datagram.is_empty() {
                    Ok(())
                } else {
                    self.datagram(&datagram)
                }
            }
            Protocol::Msgpack => {
                let mut datagram = Vec::new();
                points.iter().try_for_each(|&(name, time, value)| {
                    datagram.clear();
                    datagram.push(0x92);
                    // A text of up to 65,535 bytes; a longer name is refused by every listener.
                    datagram.push(0xda);
                    datagram.extend(u16::try_from(name.len()).unwrap_or(u16::MAX).to_be_bytes());
                    datagram.extend(name.as_bytes());
                    codec::encode(time, value, &mut datagram);
                    self.datagram(&datagram)
                })
            }
        }
    }

    /// Waits until the other side has read everything, and closes.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub fn finish(&mut self) -> io::Result<()> {
        if !matches!(self.protocol, Protocol::Carbon | Protocol::Pickle) {
            self.way = None;
            return Ok(());
        }
        loop {
            let Some(ClientSocket::Stream(stream)) = &mut self.way else {
                return Ok(());
            };
            // Nothing is ever said to us: the end says that all was read, a reset that it was not.
            let read = stream
                .shutdown(Shutdown::Write)
                .and_then(|()| stream.read(&mut [0]));
            self.way = None;
            if matches!(read, Ok(0)) {
                self.recent.clear();
                return Ok(());
            }
            self.broken += 1;
            self.connect()?;
        }
    }

    /// Connects, and writes again what may not have arrived.
    fn connect(&mut self) -> io::Result<()> {
        let begun = Instant::now();
        'again: loop {
            let stream = TcpStream::connect_timeout(&self.to, TIMEOUT).and_then(|stream| {
                stream.set_write_timeout(Some(TIMEOUT))?;
                stream.set_read_timeout(Some(TIMEOUT))?;
                stream.set_nodelay(true)?;
                Ok(stream)
            });
            match stream {
                Ok(mut stream) => {
                    for (_, bytes) in &self.recent {
                        if stream.write_all(bytes).is_err() {
                            continue 'again;
                        }
                    }
                    self.way = Some(ClientSocket::Stream(stream));
                    return Ok(());
                }
                Err(error) if begun.elapsed() > self.patience => return Err(error),
                Err(_) => std::thread::sleep(RETRY_EACH),
            }
        }
    }

    /// The connection, if it is there and the other side has not closed it.
    fn stream(&mut self) -> Option<&mut TcpStream> {
        if let Some(ClientSocket::Stream(stream)) = &self.way {
            let closed = stream.set_nonblocking(true).is_err()
                || !matches!(stream.peek(&mut [0]), Err(error) if error.kind() == io::ErrorKind::WouldBlock)
                || stream.set_nonblocking(false).is_err();
            if closed {
                self.way = None;
                self.broken += 1;
            }
        }
        match &mut self.way {
            Some(ClientSocket::Stream(stream)) => Some(stream),
            _ => None,
        }
    }

    fn write(&mut self, bytes: Vec<u8>) -> io::Result<()> {
        let now = Instant::now();
        if let Some(stream) = self.stream()
            && stream.write_all(&bytes).is_ok()
        {
            while self
                .recent
                .front()
                .is_some_and(|(at, _)| now.duration_since(*at) > AGAIN)
            {
                self.recent.pop_front();
            }
            self.recent.push_back((Instant::now(), bytes));
            return Ok(());
        }
        if self.way.take().is_some() {
            self.broken += 1;
        }
        // Connecting writes all of it.
        self.recent.push_back((now, bytes));
        self.connect()
    }

    fn datagram(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.way.is_none() {
            let any: SocketAddr = match self.to {
                SocketAddr::V4(_) => ([0, 0, 0, 0], 0).into(),
                SocketAddr::V6(_) => ([0u16; 8], 0).into(),
            };
            let socket = UdpSocket::bind(any)?;
            socket.connect(self.to)?;
            self.way = Some(ClientSocket::Datagrams(socket));
        }
        let Some(ClientSocket::Datagrams(socket)) = &self.way else {
            return Ok(());
        };
        let begun = Instant::now();
        loop {
            match socket.send(bytes) {
                Ok(_) => return Ok(()),
                // An answer to an earlier one is not waited for.
                Err(error)
                    if error.kind() == io::ErrorKind::ConnectionRefused
                        && begun.elapsed() < self.patience =>
                {
                    std::thread::sleep(RETRY_EACH);
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Sends a remote write until it is answered with yes or no.
    fn request(&mut self, body: &[u8]) -> io::Result<()> {
        let begun = Instant::now();
        loop {
            if self.stream().is_none() {
                self.connect()?;
            }
            let status = match &mut self.way {
                Some(ClientSocket::Stream(stream)) => exchange(stream, self.to, body),
                _ => Ok(0),
            };
            match status {
                Ok(200..=299) => return Ok(()),
                Ok(status @ 400..=499) => {
                    return Err(io::Error::other(format!("the listener answers {status}")));
                }
                answer if begun.elapsed() > self.patience => {
                    return Err(io::Error::other(format!("the listener answers {answer:?}")));
                }
                Ok(_) => std::thread::sleep(RETRY_EACH),
                Err(_) => {
                    self.broken += 1;
                    self.way = None;
                    std::thread::sleep(RETRY_EACH);
                }
            }
        }
    }
}

fn line((name, time, value): &SentPoint<'_>, into: &mut Vec<u8>) {
    // Writing to memory cannot fail.
    let _ = writeln!(into, "{name} {value} {time}");
}

/// One frame as carbon's relay writes it: protocol 2, without a memo.
fn frame(points: &[SentPoint<'_>]) -> Vec<u8> {
    let mut pickle = vec![0, 0, 0, 0, 0x80, 2, b']', b'('];
    for (name, time, value) in points {
        pickle.push(b'X');
        pickle.extend(u32::try_from(name.len()).unwrap_or(u32::MAX).to_le_bytes());
        pickle.extend(name.as_bytes());
        for number in [time, value] {
            pickle.push(b'G');
            pickle.extend(number.to_be_bytes());
        }
        pickle.extend([0x86, 0x86]);
    }
    pickle.extend(b"e.");
    let length = u32::try_from(pickle.len() - 4).unwrap_or(u32::MAX);
    pickle[..4].copy_from_slice(&length.to_be_bytes());
    pickle
}

fn compressed(points: &[SentPoint<'_>]) -> io::Result<Vec<u8>> {
    let label = |name: &str, value: &str| RemoteLabel {
        name: name.to_owned(),
        value: value.to_owned(),
    };
    let series = points.iter().map(|&(name, time, value)| {
        let mut parts = name.split(';');
        let mut labels = vec![label("__name__", parts.next().unwrap_or_default())];
        labels.extend(parts.map(|tag| match tag.split_once('=') {
            Some((key, value)) => label(key, value),
            None => label(tag, ""),
        }));
        TimeSeries {
            labels,
            samples: vec![RemoteSample {
                value,
                timestamp: (time * 1_000.0).round() as i64,
            }],
            histograms: Vec::new(),
        }
    });
    let request = WriteRequest {
        series: series.collect(),
    };
    snap::raw::Encoder::new()
        .compress_vec(&request.encode_to_vec())
        .map_err(io::Error::other)
}

/// One request and its answer's status.
fn exchange(stream: &mut TcpStream, host: SocketAddr, body: &[u8]) -> io::Result<u16> {
    let head = format!(
        "POST /api/v1/write HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/x-protobuf\r\n\
         Content-Encoding: snappy\r\nX-Prometheus-Remote-Write-Version: 0.1.0\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(&[head.as_bytes(), body].concat())?;
    let mut answer = BufReader::new(stream);
    let mut line = String::new();
    answer.read_line(&mut line)?;
    let status = line.split(' ').nth(1).and_then(|status| status.parse().ok());
    let status = status.ok_or(io::ErrorKind::UnexpectedEof)?;
    let mut length = 0;
    loop {
        line.clear();
        answer.read_line(&mut line)?;
        if line.trim_end().is_empty() {
            break;
        }
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse().map_err(io::Error::other)?;
        }
    }
    io::copy(&mut answer.take(length), &mut io::sink())?;
    Ok(status)
}
