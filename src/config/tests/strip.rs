//! Which headers clients may not send besides, and which gaps a list leaves.

use serde_json::{Value, json};

use super::{accepted, assert_refused, file};
use crate::proxy::StrippedHeader;

fn sidecar(keys: Value) -> Value {
    file(json!({}), keys)
}

fn list(items: &Value) -> Value {
    sidecar(json!({ "strip-headers": items }))
}

fn warnings(stripped: &Value, headers: &Value) -> Vec<String> {
    let config = accepted(&sidecar(json!({ "strip-headers": stripped, "headers": headers })));
    config.warnings.into_iter().filter(|line| line.starts_with("sidecar.strip-headers")).collect()
}

#[test]
fn names_and_prefixes_are_read_and_nothing_is_stripped_by_default() {
    let read = accepted(&list(&json!(["OIDC_*", "X-Auth-Token"]))).proxy.strip_headers;
    let expected = [StrippedHeader::Prefix("oidc-".to_owned()), StrippedHeader::Exact("x-auth-token".to_owned())];
    assert_eq!(read, expected);
    assert_eq!(accepted(&sidecar(json!({}))).proxy.strip_headers, []);
}

#[test]
fn an_item_that_names_no_header_or_all_of_them_is_a_fault() {
    for (item, what) in [
        (json!(""), "empty"),
        (json!("*"), "alone"),
        (json!("X-*-Token"), "end only"),
        (json!("OIDC_**"), "end only"),
        (json!("a b"), "header's name"),
        (json!(7), "text"),
        (json!(null), "required"),
    ] {
        assert_refused(&list(&json!(["X-Auth-Token", item])), "sidecar.strip-headers[1]", what);
    }
    assert_refused(&list(&json!("OIDC_*")), "sidecar.strip-headers", "list");
}

#[test]
fn what_requests_need_cannot_be_stripped_in_any_spelling_nor_by_a_prefix() {
    for name in [
        "Host",
        "Cookie",
        "AUTHORIZATION",
        "Content-Length",
        "Content_Type",
        "Transfer-Encoding",
        "Connection",
        "Upgrade",
        "Origin",
        "Sec-WebSocket-Key",
        "Sec-Fetch-*",
        "Sec*",
        "se*",
        "X-Request-Id",
        "X-Forwarded-For",
        "X_Forwarded_Proto",
        "X-Forwarded-Uri",
        "X-Original-*",
        "X-Forwarded-*",
        "X-*",
        "H*",
        "co*",
    ] {
        assert_refused(&list(&json!([name])), "sidecar.strip-headers[0]", "would take out");
    }
    for name in ["Hosts", "X-Forwarded-User", "X-Auth-*", "Second", "X-Doorward-*", "Cookie2"] {
        accepted(&list(&json!([name])));
    }
}

#[test]
fn an_application_that_is_told_in_anothers_headers_is_warned_of_the_others() {
    for (header, written) in [
        ("OIDC_CLAIM_sub", "`OIDC_*`"),
        ("oidc-claim-sub", "`OIDC_*`"),
        ("X-Auth-Request-User", "`X-Auth-Request-*`"),
        ("X-Auth-Userid", "`X-Auth-*`"),
    ] {
        let headers = json!({ header: "sub" });
        for gap in [json!(null), json!([]), json!([header])] {
            let told = warnings(&gap, &headers);
            assert!(told.len() == 1 && told[0].contains(written), "{header}: {told:?}");
            assert!(told[0].contains(&format!("`{}`", header.to_ascii_lowercase())), "{told:?}");
        }
        assert_eq!(warnings(&json!(["oidc*", "X_Auth-*"]), &headers), Vec::<String>::new(), "{header}");
    }
    let both = json!({ "OIDC_a": "sub", "X-Auth-Request-User": "sub", "X-Auth-Email": "email" });
    assert_eq!(warnings(&json!(["OIDC_*", "X-Auth-Request-*"]), &both).len(), 1, "X-Auth-* is more than that");
    assert_eq!(warnings(&json!(null), &json!({ "X-Who": "sub", "X-Authority": "sub" })), Vec::<String>::new());
}
