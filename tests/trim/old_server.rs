//! A Redis older than 7 cannot read the first line of the script, and says so in these words.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc;

use skywatch::store::Connect as _;
use skywatch::store::trim::Trimmed;

use super::world::{BEFORE, connect, encoded, minutes, trim};

const REFUSAL: &str =
    "-ERR Error compiling script (new function): user_script:1: unexpected symbol near '#'\r\n";

/// Answers as much as a trim asks; tells the scripts it was sent.
fn serve(stream: TcpStream, value: &[u8], scripts: &mpsc::Sender<String>) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut stream = stream;
    let number = |reader: &mut BufReader<TcpStream>| {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
        line.get(1..)?.trim().parse::<usize>().ok()
    };
    loop {
        let mut words = Vec::new();
        for _ in 0..number(&mut reader)? {
            let mut word = vec![0; number(&mut reader)? + 2];
            reader.read_exact(&mut word).ok()?;
            word.truncate(word.len() - 2);
            words.push(word);
        }
        let bulk = |bytes: &[u8]| [format!("${}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat();
        let reply = match str::from_utf8(&words[0]).unwrap() {
            "PING" => b"+PONG\r\n".to_vec(),
            "TIME" => b"*2\r\n$10\r\n1700000000\r\n$1\r\n1\r\n".to_vec(),
            "STRLEN" => format!(":{}\r\n", value.len()).into_bytes(),
            "GETRANGE" => bulk(value),
            "EVAL" => {
                let script = String::from_utf8(words[1].clone()).unwrap();
                let reply = if script.starts_with('#') {
                    REFUSAL
                } else {
                    ":1\r\n"
                };
                scripts.send(script).unwrap();
                reply.as_bytes().to_vec()
            }
            other => panic!("{other}"),
        };
        stream.write_all(&reply).unwrap();
    }
}

#[test]
fn an_old_redis_gets_the_script_without_its_first_line() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let value = encoded(&minutes(20, BEFORE + 600.0));
    let (tell, scripts) = mpsc::channel();
    std::thread::spawn(move || serve(listener.accept().unwrap().0, &value, &tell));
    let mut store = connect(&format!("redis://{address}")).connect().unwrap();
    let trimmed = trim(&mut store, &["a", "b"]);
    assert_eq!(
        trimmed,
        [Trimmed::Cut { bytes: 150 }, Trimmed::Cut { bytes: 150 }]
    );
    // It is asked once and remembered.
    trim(&mut store, &["a"]);
    let sent: Vec<bool> = scripts.try_iter().map(|script| script.starts_with('#')).collect();
    assert_eq!(sent, [true, true, false, false, false]);
}
