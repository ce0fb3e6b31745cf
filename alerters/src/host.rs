//! What this machine is called.

/// The name the kernel has for this machine; empty if it has none or one that is no text.
#[must_use]
pub fn name() -> String {
    let system = rustix::system::uname();
    system.nodename().to_str().unwrap_or_default().trim().to_owned()
}

#[cfg(test)]
mod tests {
    #[test]
    fn it_is_the_kernels() {
        let known = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
        assert_eq!(super::name(), known.trim());
    }
}
