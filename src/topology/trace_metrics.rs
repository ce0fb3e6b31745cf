//! The service graph of traces, by the names of its metrics: `traces.CALLER.calls.CALLED.requests`, which the role that takes traces in
//! writes for every pair it has seen within an hour.

/// The call that a metric is about, if it is about one.
pub(super) fn call(metric: &str) -> Option<(String, String)> {
    let rest = metric.strip_prefix("traces.")?.strip_suffix(".requests")?;
    let mut parts = rest.split('.');
    match [parts.next(), parts.next(), parts.next(), parts.next()] {
        [Some(caller), Some("calls"), Some(called), None] => Some((caller.to_owned(), called.to_owned())),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_metrics_of_calls_are_calls() {
        let called = call("traces.shop.calls.cart-db.requests");
        assert_eq!(called, Some(("shop".to_owned(), "cart-db".to_owned())));
        for other in [
            "traces.shop.requests",
            "traces.shop.calls.db.errors",
            "traces.shop.calls.db.x.requests",
            "shop.calls.db.requests",
        ] {
            assert_eq!(call(other), None, "{other}");
        }
    }
}
