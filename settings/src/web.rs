//! The pages and the REST interface.

use std::net::{Ipv4Addr, SocketAddr};

use crate::check::Check;

section! {
    /// The pages and the REST interface.
    Web in "web" {
        /// Whether `skywatch run` starts the web child.
        enabled: bool = true,
        /// Where pages are served; only this machine's own addresses unless `insecure_listen` is set as well.
        listen: SocketAddr = SocketAddr::from((Ipv4Addr::LOCALHOST, 1500)),
        /// Says a second time that pages may be served, without a login, to whoever reaches `listen`.
        insecure_listen: bool = false,
        /// Connections open at once.
        max_connections: usize = 256,
        /// Names under which pages may be asked for, beside those that are known; `*` is any.
        hosts: Vec<String> = Vec::new(),
    }
}

impl Web {
    pub(crate) fn check(&self, check: &mut Check<'_>) {
        check.within("web.max_connections", &self.max_connections, Some(1), None);
        if self.enabled {
            check.listens(
                ["web.listen", "web.insecure_listen"],
                self.listen,
                self.insecure_listen,
                "a login",
                "listen on `127.0.0.1` behind a proxy that asks for a login",
            );
        }
    }
}
