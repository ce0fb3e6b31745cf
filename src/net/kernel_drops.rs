//! What the kernel itself has thrown away of the datagrams sent to a socket.
//!
//! A datagram that finds the socket's buffer full vanishes before anybody could count it; Linux tells the number in
//! `/proc/net/udp`, in the row with the socket's inode. Without such a file nothing is counted.

use std::os::fd::AsRawFd;

/// The kernel's counter of one socket.
#[derive(Debug)]
pub(crate) struct KernelDrops {
    inode: Option<u64>,
    seen: u64,
}

impl KernelDrops {
    /// The counter of `socket`.
    pub(crate) fn of(socket: &impl AsRawFd) -> Self {
        let link = std::fs::read_link(format!("/proc/self/fd/{}", socket.as_raw_fd()));
        let inode = link.ok().and_then(|link| {
            let inode = link.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?;
            inode.parse().ok()
        });
        Self { inode, seen: 0 }
    }

    /// Datagrams dropped since the last look.
    pub(crate) fn new_ones(&mut self) -> u64 {
        let Some(inode) = self.inode else { return 0 };
        let total = ["/proc/self/net/udp", "/proc/self/net/udp6"]
            .iter()
            .filter_map(|table| std::fs::read_to_string(table).ok())
            .find_map(|table| drops_in(&table, inode));
        let new = total.map_or(0, |total| total.saturating_sub(self.seen));
        self.seen += new;
        new
    }
}

/// The last column of the row whose tenth is `inode`.
fn drops_in(table: &str, inode: u64) -> Option<u64> {
    table.lines().skip(1).find_map(|row| {
        let mut columns = row.split_ascii_whitespace();
        let found = columns.nth(9)?.parse() == Ok(inode);
        found.then(|| columns.last()?.parse().ok()).flatten()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_row_is_found_by_its_inode() {
        let table = "   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops\n\
             \u{20}1234: 0100007F:07E9 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 55501 2 0000000000000000 3\n\
             \u{20}1235: 0100007F:07EA 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 55502 2 0000000000000000 17\n";
        assert_eq!(drops_in(table, 55502), Some(17));
        assert_eq!(drops_in(table, 2), None);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_full_buffer_is_told() {
        let socket = std::net::UdpSocket::bind("127.0.0.1:0").expect("a port");
        socket2::SockRef::from(&socket)
            .set_recv_buffer_size(4_096)
            .expect("a small buffer");
        let mut drops = KernelDrops::of(&socket);
        assert_eq!(drops.new_ones(), 0);
        let sender = std::net::UdpSocket::bind("127.0.0.1:0").expect("a port");
        let to = socket.local_addr().expect("an address");
        (0..100).for_each(|_| assert!(sender.send_to(&[0; 1_000], to).is_ok()));
        socket.set_nonblocking(true).expect("a socket");
        let held = std::iter::from_fn(|| socket.recv(&mut [0; 1_000]).ok()).count() as u64;
        assert_eq!(held + drops.new_ones(), 100);
        assert_eq!(drops.new_ones(), 0);
    }
}
