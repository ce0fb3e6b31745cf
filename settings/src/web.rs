//! The pages and the REST interface.

use std::net::{Ipv4Addr, SocketAddr};

use crate::check::Check;
use crate::section::Section;

options! {
    /// The pages and the REST interface.
    pub Web {
        /// Whether `skywatch run` starts the web child.
        enabled: bool = true,
        /// Where pages are served; only this machine's own addresses unless `insecure_listen` is set as well.
        listen: SocketAddr = SocketAddr::from((Ipv4Addr::LOCALHOST, 1500)),
        /// Says a second time that pages may be served, without a login, to whoever reaches `listen`.
        insecure_listen: bool = false,
        /// Connections open at once.
        max_connections: usize = 256 => 1..,
        /// Names under which pages may be asked for, beside those that are known; `*` is any.
        hosts: Vec<String> = Vec::new(),
    }
}

impl Section for Web {
    fn check(&self, check: &mut Check<'_>) {
        if self.enabled {
            check.listens(
                "listen",
                self.listen,
                self.insecure_listen,
                "a login",
                "listen on `127.0.0.1` behind a proxy that asks for a login",
            );
        }
    }
}
