use super::*;

fn span(service: &str, operation: &str, failed: bool) -> TraceSpan {
    TraceSpan {
        service: service.to_owned(),
        operation: operation.to_owned(),
        failed,
        ..TraceSpan::default()
    }
}

/// Templates of one service that has made these calls, by their texts.
fn folded(operations: impl IntoIterator<Item = String>) -> Vec<String> {
    let mut templates = SpanTemplates::default();
    for operation in operations {
        templates.learn(&span("s", &operation, false));
    }
    templates.settle();
    let texts = (0..templates.len() as TemplateId).map(|id| templates.text(id).to_owned());
    texts.collect()
}

/// A word of letters only, another one for each number.
fn word(number: u32) -> String {
    (0..4)
        .map(|place| char::from(b'a' + (number / 26_u32.pow(place) % 26) as u8))
        .collect()
}

#[test]
fn templates_come_back_as_they_were_kept_and_go_on() {
    let mut templates = SpanTemplates::default();
    let ids = [("a", false), ("b", false), ("a", true), ("a", false)]
        .map(|(service, failed)| templates.learn(&span(service, "GET /x/1", failed)));
    assert_eq!(ids, [0, 1, 2, 0]);
    let user = |number: u32| {
        span(
            "a",
            &format!("GET /users/{}", word(number)),
            number.is_multiple_of(7),
        )
    };
    (0..45).for_each(|number| {
        templates.learn(&user(number));
    });
    let text = serde_json::to_string(&templates).unwrap();
    let mut back: SpanTemplates = serde_json::from_str(&text).unwrap();
    assert_eq!(serde_json::to_string(&back).unwrap(), text);
    assert_eq!(back.find(&span("a", "GET /x/77", true)), 2);
    assert_eq!(back.text(2), "a GET /x/<*> (error)");
    assert_eq!((back.seen(0), back.seen(1)), (2, 1));
    assert_eq!(back.service("b"), templates.service("b"));
    assert_eq!(back.find(&span("c", "GET /x/1", false)), UNKNOWN_TEMPLATE);
    // Both find out at the same one that it is a parameter.
    for number in 45..60 {
        assert_eq!(back.learn(&user(number)), templates.learn(&user(number)));
    }
    // The operation that proves it was never one of its own.
    assert_eq!((back.folds(), templates.folds()), (48, 48));
    assert_eq!(
        serde_json::to_string(&back).unwrap(),
        serde_json::to_string(&templates).unwrap()
    );
    let torn =
        text.replace("\"part_of\":", "\"part\":")
            .replacen("\"seen\":", "\"part_of\":9999,\"seen\":", 1);
    assert!(serde_json::from_str::<SpanTemplates>(&torn).is_err());
}

#[test]
fn what_varies_without_end_is_folded() {
    let names = |form: fn(u32) -> String| folded((0..200).map(form));
    assert_eq!(
        names(|n| format!("GET /users/{n}/cart")),
        ["s GET /users/<*>/cart"]
    );
    assert_eq!(names(|n| format!("HSET key:{n}")), ["s HSET key:<*>"]);
    assert_eq!(
        names(|n| format!("GET /users/{}/cart", word(n))),
        ["s GET /users/<*>/cart"]
    );
    assert_eq!(names(|n| format!("GET session:u{n}x")), ["s GET session:<*>"]);
    assert_eq!(
        names(|n| format!(
            "SELECT * FROM carts WHERE user = '{}' AND item = '{}'",
            word(n),
            word(n * 7)
        )),
        ["s SELECT * FROM carts WHERE user = '<*>' AND item = '<*>'"]
    );
}

#[test]
fn what_is_written_in_code_is_not_folded() {
    let methods = [
        "Add", "Get", "Empty", "List", "Move", "Merge", "Find", "Ship", "Charge", "Quote", "Refund",
    ];
    assert_eq!(
        folded(methods.map(|method| format!("shop.Cart/{method}"))).len(),
        11
    );
    assert_eq!(folded((1..6).map(|n| format!("GET /api/v{n}/cart"))).len(), 5);
    assert_eq!(folded((0..100).map(|n| format!("path{n}"))).len(), 100);
    let beside = folded(["GET /orders/17", "GET /orders/search", "GET /orders/18"].map(str::to_owned));
    assert_eq!(beside, ["s GET /orders/<*>", "s GET /orders/search"]);
    // Of a hundred names in one place, each in another service, none is a parameter.
    let mut templates = SpanTemplates::default();
    for number in 0..100 {
        templates.learn(&span(&word(number), &format!("GET /{}/all", word(number)), false));
    }
    assert_eq!((templates.folds(), templates.len()), (0, 100));
}

#[test]
fn ids_that_were_used_mean_the_whole_after_a_fold() {
    let mut templates = SpanTemplates::default();
    let user = |number: u32, failed| span("s", &format!("GET /users/{}", word(number)), failed);
    let ids: Vec<_> = (0..49)
        .map(|number| templates.learn(&user(number, false)))
        .collect();
    let failed = templates.learn(&user(7, true));
    assert_eq!((ids[48], failed, templates.folds()), (48, 49, 0));
    assert_eq!(
        templates.name(&user(90, false)),
        "s GET /users/maya".replace("maya", &word(90))
    );
    templates.learn(&user(49, false));
    for id in ids {
        assert_eq!((templates.current(id), templates.seen(id)), (0, 50));
        assert_eq!(templates.text(id), "s GET /users/<*>");
    }
    assert_eq!(templates.text(failed), "s GET /users/<*> (error)");
    assert_eq!(
        [false, true].map(|failed| templates.find(&user(99, failed))),
        [0, failed]
    );
    assert_eq!(templates.name(&user(90, true)), "s GET /users/<*> (error)");
    // One that comes while nothing was used yet leaves no gaps.
    templates.settle();
    assert_eq!((templates.len(), templates.find(&user(99, true))), (2, 1));
}

#[test]
fn operations_of_a_service_are_bounded_and_the_oldest_gives_way() {
    let mut templates = SpanTemplates::default();
    // As many words as numbers: no two are alike.
    let odd = |number: usize| span("s", &vec!["x"; number + 1].join("/"), false);
    (0..2_001).for_each(|number| {
        templates.learn(&odd(number));
    });
    assert_eq!(templates.find(&odd(0)), UNKNOWN_TEMPLATE);
    assert_eq!(templates.find(&odd(2_000)), 2_000);
    assert_eq!(templates.text(0), "s x");
}
