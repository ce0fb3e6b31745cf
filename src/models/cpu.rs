//! What this CPU can do that changes the last bits of a matrix product.

/// The instruction sets that are here and that products are written for, in order. Two machines with the same list give
/// the same weights for the same seed.
#[must_use]
pub fn cpu_features() -> Vec<String> {
    let mut found = vec![std::env::consts::ARCH.to_owned()];
    #[cfg(target_arch = "x86_64")]
    {
        let mut ask = |name: &str, is_here: bool| {
            if is_here {
                found.push(name.to_owned());
            }
        };
        ask("fma", std::arch::is_x86_feature_detected!("fma"));
        ask("avx2", std::arch::is_x86_feature_detected!("avx2"));
        ask("avx512f", std::arch::is_x86_feature_detected!("avx512f"));
    }
    #[cfg(target_arch = "aarch64")]
    if std::arch::is_aarch64_feature_detected!("neon") {
        found.push("neon".to_owned());
    }
    found
}
