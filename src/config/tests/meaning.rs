//! What the keys under `sidecar` mean, and the rules that span several.

use std::time::Duration;

use serde_json::{Value, json};

use super::{accepted, assert_refused, file};
use crate::{
    caller::{SslRequired, TrustedPeer},
    login::ResponseMode,
    proxy::{Access, IdentityValue, PathPattern, Upstream},
    session::SameSite,
    telemetry::{AuditTo, LogFormat},
};

fn sidecar(keys: Value) -> Value {
    file(json!({}), keys)
}

#[test]
fn the_smallest_file_has_safe_defaults() {
    let config = accepted(&sidecar(json!({})));
    assert_eq!(config.warnings, Vec::<String>::new());
    assert_eq!(config.admin.listen.to_string(), "127.0.0.1:9080");
    assert_eq!((config.telemetry.format, config.telemetry.audit), (LogFormat::Text, AuditTo::Stdout));
    assert_eq!(config.login.path_prefix, "/oauth2");
    assert_eq!(config.login.response_mode, ResponseMode::Query);
    assert_eq!(config.login.attempt_ttl, Duration::from_secs(900));
    let cookie = &config.session.cookie;
    assert_eq!((cookie.name.as_str(), cookie.path.as_str()), ("KEYCLOAK_ADAPTER_STATE", "/"));
    assert!(cookie.secure && cookie.same_site == SameSite::Lax && cookie.keys.len() == 1);
    assert_eq!(config.session.lifetimes.idle, Duration::from_secs(1800));
    assert_eq!(config.session.lifetimes.max, Duration::from_secs(36_000));
    let proxy = &config.proxy;
    assert_eq!(config.caller.allowed_hosts, ["shop.example.com"]);
    assert_eq!(config.caller.ssl_required, SslRequired::External);
    assert!(config.caller.trusted_proxies.is_empty() && proxy.rules.is_empty() && !proxy.forward_access_token);
    assert_eq!((proxy.limits.header_bytes, proxy.limits.body_bytes), (65_536, None));
    assert_eq!(config.oidc.scopes, ["openid"]);
    assert!(config.oidc.userinfo);
}

#[test]
fn some_origin_must_be_fixed() {
    let tree = sidecar(json!({"public-url": null}));
    assert_refused(&tree, "sidecar.public-url", "allowed-hosts");
    let tree = sidecar(json!({"public-url": null, "allowed-hosts": []}));
    assert_refused(&tree, "sidecar.public-url", "allowed-hosts");
    let config = accepted(&sidecar(json!({"public-url": null, "allowed-hosts": ["A.example.com:8443"]})));
    assert_eq!(config.caller.allowed_hosts, ["a.example.com:8443"]);
    assert!(!config.session.cookie.secure);
    assert!(config.warnings[0].starts_with("sidecar.cookie.secure"), "{:?}", config.warnings);
    for url in ["https://a/b", "https://a?x", "https://u@a", "ftp://a", "a", "https://a/#f"] {
        assert_refused(&sidecar(json!({"public-url": url})), "sidecar.public-url", "must");
    }
}

#[test]
fn cookies_are_secure_whenever_users_come_by_https() {
    assert_refused(&sidecar(json!({"cookie": {"secure": false}})), "sidecar.cookie.secure", "https");
    assert_refused(&sidecar(json!({"cookie": {"secure": "false"}})), "sidecar.cookie.secure", "https");
    let http = "http://localhost:8080";
    assert!(!accepted(&sidecar(json!({"public-url": http}))).session.cookie.secure);
    let none = json!({"public-url": http, "cookie": {"same-site": "none"}});
    assert_refused(&sidecar(none), "sidecar.cookie.same-site", "secure");
    let post = json!({"public-url": http, "response-mode": "form_post"});
    assert_refused(&sidecar(post), "sidecar.response-mode", "secure");
    let all = file(json!({"ssl-required": "all"}), json!({"public-url": http}));
    assert_refused(&all, "sidecar.public-url", "ssl-required");
}

#[test]
fn cookie_names_leave_the_prefix_to_us() {
    for name in ["__Host-a", "__secure-a", "a b", "a=b", "a;b", "ä"] {
        assert_refused(&sidecar(json!({"cookie": {"name": name}})), "sidecar.cookie.name", "must");
    }
}

#[test]
fn rules_are_read_in_their_order() {
    let rules = json!([
        {"path": "/assets/*", "methods": ["GET"], "access": "public"},
        {"path": "/admin/*", "roles": ["admin", "app:owner"], "groups": ["/staff"]},
    ]);
    let rules = accepted(&sidecar(json!({"rules": rules}))).proxy.rules;
    assert_eq!(rules[0].path, PathPattern::Below("/assets".to_owned()));
    assert_eq!((rules[0].access, rules[0].methods.join(",")), (Access::Public, "GET,HEAD".to_owned()));
    assert_eq!((rules[1].access, rules[1].roles.len(), rules[1].groups.len()), (Access::Login, 2, 1));
}

#[test]
fn a_rule_that_could_mean_less_than_it_says_is_refused() {
    let cases = [
        (json!({"path": "/a", "access": "public", "roles": ["x"]}), "roles"),
        (json!({"path": "/a", "access": "public", "groups": ["x"]}), "groups"),
        (json!({"path": "/a", "access": "token"}), "access"),
        (json!({"path": "/a", "roles": [""]}), "roles[0]"),
        (json!({"path": "/a", "groups": []}), "groups"),
        (json!({"path": "/a", "methods": []}), "methods"),
        (json!({"path": "/a", "methods": ["get"]}), "methods[0]"),
        (json!({"path": "/a", "methods": "GET"}), "methods"),
        (json!({"path": "/a/../b"}), "path"),
        (json!({"roles": ["x"]}), "path"),
    ];
    for (rule, key) in cases {
        assert_refused(&sidecar(json!({"rules": [rule]})), &format!("sidecar.rules[0].{key}"), "");
    }
}

#[test]
fn origins_of_websockets_are_written_as_browsers_write_them() {
    let config = accepted(&sidecar(json!({"websocket-origins": ["HTTPS://Partner.example.com:443", "http://a:81/"]})));
    assert_eq!(config.proxy.websocket_origins, ["https://partner.example.com", "http://a:81"]);
    assert_eq!(config.proxy.limits.tunnel_max, None);
    for origin in ["*", "partner.example.com", "https://a/b", "null", ""] {
        let tree = sidecar(json!({"websocket-origins": [origin]}));
        assert_refused(&tree, "sidecar.websocket-origins[0]", "must");
    }
    let limited = accepted(&sidecar(json!({"limits": {"tunnel-max": "8h"}})));
    assert_eq!(limited.proxy.limits.tunnel_max, Some(Duration::from_secs(8 * 3600)));
}

#[test]
fn headers_change_drop_and_add() {
    let headers = json!({"x_forwarded_user": "preferred_username", "X-Forwarded-Groups": null, "X-Team": "team"});
    let headers = accepted(&sidecar(json!({"headers": headers}))).proxy.headers;
    let told: Vec<_> = headers.iter().map(|header| (header.name.as_str(), header.value.clone())).collect();
    let expected = [
        ("x_forwarded_user", IdentityValue::Username),
        ("x-forwarded-preferred-username", IdentityValue::Username),
        ("x-forwarded-email", IdentityValue::Email),
        ("x-forwarded-roles", IdentityValue::Roles),
        ("x-team", IdentityValue::Claim("team".to_owned())),
    ];
    assert_eq!(told, expected);
}

#[test]
fn headers_that_frame_or_steer_a_request_carry_no_claim() {
    for name in ["Host", "content-length", "Transfer_Encoding", "Cookie", "Authorization", "Sec-Fetch-Site", "a b", ""]
    {
        let faults = super::refused(&sidecar(json!({"headers": {name: "sub"}})));
        assert_eq!(faults.len(), 1, "{name}: {faults:?}");
    }
    let twice = json!({"headers": {"X-A": "sub", "x_a": "email"}});
    assert_eq!(super::refused(&sidecar(twice)).len(), 1);
}

#[test]
fn listeners_and_the_application_are_three_places() {
    let unix = accepted(&sidecar(json!({"listen": "unix:/run/d.sock", "upstream": "unix:/run/a.sock"})));
    assert_eq!(unix.proxy.upstream, Upstream::Unix("/run/a.sock".into()));
    assert_refused(&sidecar(json!({"listen": "127.0.0.1:9080"})), "sidecar.admin.listen", "public listener");
    assert_refused(&sidecar(json!({"upstream": "http://localhost:8080"})), "sidecar.upstream", "listener itself");
    assert_refused(&sidecar(json!({"upstream": "https://localhost:8080"})), "sidecar.upstream", "listener itself");
    assert_refused(&sidecar(json!({"listen": "localhost:80"})), "sidecar.listen", "IP address");
}

#[test]
fn zero_and_absurd_limits_are_refused() {
    let cases = [
        (json!({"session": {"idle": 0}}), "sidecar.session.idle"),
        (json!({"session": {"idle": "11h"}}), "sidecar.session.idle"),
        (json!({"attempt-ttl": "2h"}), "sidecar.attempt-ttl"),
        (json!({"limits": {"header-count": 97}}), "sidecar.limits.header-count"),
        (json!({"limits": {"connect-timeout": "0ms"}}), "sidecar.limits.connect-timeout"),
        (json!({"limits": {"body-bytes": 0}}), "sidecar.limits.body-bytes"),
        (json!({"provider": {"clock-skew": "1h"}}), "sidecar.provider.clock-skew"),
        (json!({"log": {"filter": "a=b=c"}}), "sidecar.log.filter"),
    ];
    for (keys, path) in cases {
        assert_refused(&sidecar(keys), path, "must");
    }
    let limits = json!({"limits": {"connect-timeout": "500ms", "body-bytes": "10m"}, "session": {"max": "5m"}});
    let config = accepted(&sidecar(limits));
    assert_eq!(config.proxy.limits.connect_timeout, Duration::from_millis(500));
    assert_eq!(config.proxy.limits.body_bytes, Some(10 << 20));
    assert_eq!(config.session.lifetimes.idle, Duration::from_secs(300));
}

#[test]
fn parameters_of_the_authorization_request_are_fixed_or_forwarded_never_ours() {
    let params = json!({"provider": {"params": {"kc_idp_hint": "github"}}});
    let oidc = accepted(&sidecar(params)).oidc;
    assert_eq!(oidc.authorization_params.len(), 1);
    assert!(!oidc.forwarded_params.contains("kc_idp_hint") && oidc.forwarded_params.contains("login_hint"));
    for name in ["state", "redirect_uri", "code_challenge", "a b", ""] {
        let fixed = json!({"provider": {"params": {name: "x"}}});
        assert_eq!(super::refused(&sidecar(fixed)).len(), 1, "{name}");
        let forwarded = json!({"provider": {"forwarded-params": [name]}});
        assert_refused(&sidecar(forwarded), "sidecar.provider.forwarded-params[0]", "");
    }
    let both = json!({"provider": {"params": {"prompt": "login"}, "forwarded-params": ["prompt"]}});
    assert_refused(&sidecar(both), "sidecar.provider.forwarded-params[0]", "fixed");
    let scopes = json!({"provider": {"scopes": ["email", "openid", "email"]}});
    assert_eq!(accepted(&sidecar(scopes)).oidc.scopes, ["openid", "email"]);
}

/// What `serve` would refuse later, `check` has to tell.
#[test]
fn cookies_that_cannot_work_are_faults() {
    let key = "cGxhbnRlZC1jb29raWUta2V5LTAxMjM0NTY3ODlhYmM";
    assert_refused(&sidecar(json!({"cookie": {"keys": [key, key]}})), "sidecar.cookie.keys", "same");
    assert_refused(&sidecar(json!({"cookie": {"same-site": "strict"}})), "sidecar.cookie.same-site", "sent again");
    assert_refused(&sidecar(json!({"cookie": {"name": "__x"}})), "sidecar.cookie.name", "__");
}

#[test]
fn gateways_are_answered_when_that_is_asked_for_and_one_is_trusted() {
    let trusting = |auth: Value| sidecar(json!({"trusted-proxies": ["10.0.0.7"], "auth": auth}));
    let gateway = |auth: Value| accepted(&trusting(auth)).proxy.gateway.map(|gateway| gateway.set_cookie);
    assert_eq!(gateway(json!(null)), None);
    assert_eq!(gateway(json!({"enabled": false, "set-cookie": true})), None);
    assert_eq!(gateway(json!({})), Some(false));
    assert_eq!(gateway(json!({"enabled": true, "set-cookie": "true"})), Some(true));
    assert_refused(&sidecar(json!({"auth": {}})), "sidecar.auth", "`trusted-proxies`");
    assert_refused(&trusting(json!({"set-cookies": true})), "sidecar.auth.set-cookies", "`set-cookie`");
    assert_refused(&trusting(json!({"enabled": "maybe"})), "sidecar.auth.enabled", "true or false");
    accepted(&sidecar(json!({"auth": {"enabled": false}})));
}

#[test]
fn an_address_alone_is_a_network_of_one() {
    let proxies = json!({"trusted-proxies": ["10.0.0.7", "fd00::/8", "unix"]});
    let trusted = accepted(&sidecar(proxies)).caller.trusted_proxies;
    let network = |text: &str| TrustedPeer::Network(text.parse().unwrap());
    assert_eq!(trusted, [network("10.0.0.7/32"), network("fd00::/8"), TrustedPeer::UnixSocket]);
}

/// The warnings of `sidecar` over the smallest file, and `more` over its top level.
fn warned(more: Value, keys: Value) -> Vec<String> {
    accepted(&file(more, keys)).warnings
}

#[test]
fn a_rule_that_can_never_count_is_warned_of_with_the_one_that_takes_its_requests() {
    let rule = |path: &str, methods: &[&str]| match methods {
        [] => json!({"path": path}),
        methods => json!({"path": path, "methods": methods}),
    };
    for (earlier, later) in [
        (rule("/*", &[]), rule("/admin/*", &[])),
        (rule("/*", &[]), rule("/", &["POST"])),
        (rule("/a/*", &[]), rule("/a", &[])),
        (rule("/a/*", &["GET", "POST"]), rule("/a/b", &["HEAD"])),
        (rule("/a", &["POST"]), rule("/a", &["POST"])),
    ] {
        let warnings = warned(json!({}), json!({"rules": [{"path": "/other"}, earlier, later]}));
        let [one] = warnings.as_slice() else { panic!("{earlier} {later}: {warnings:?}") };
        assert!(one.starts_with("sidecar.rules[2]: never counts: sidecar.rules[1]"), "{one}");
        assert_eq!(one.contains("(`/*`)"), earlier["path"] == "/*", "{one}");
    }
    for (earlier, later) in [
        (rule("/admin/*", &[]), rule("/*", &[])),
        (rule("/*", &["GET"]), rule("/*", &[])),
        (rule("/*", &["GET"]), rule("/a", &["GET", "POST"])),
        (rule("/a/*", &[]), rule("/ab", &[])),
        (rule("/a", &[]), rule("/a/*", &[])),
        (rule("/a", &[]), rule("/a/", &[])),
    ] {
        let warnings = warned(json!({}), json!({"rules": [earlier, later]}));
        assert_eq!(warnings, Vec::<String>::new(), "{earlier} {later}");
    }
}

#[test]
fn without_cookie_keys_what_ends_with_the_process_is_said() {
    let none = || json!({"cookie": {}});
    for (more, keys, what) in [
        (json!({}), none(), "that sessions end"),
        (json!({"token-store": "session"}), none(), "that sign-ins under way end"),
        (
            json!({"bearer-only": true}),
            json!({"cookie": {}, "app-session-cookies": ["app"]}),
            "that the application's sessions end",
        ),
    ] {
        let warnings = warned(more, keys);
        let told = warnings.iter().filter(|line| line.starts_with("sidecar.cookie.keys: none;") && line.contains(what));
        assert_eq!(told.count(), 1, "{what}: {warnings:?}");
    }
    let warnings = warned(json!({"bearer-only": true}), none());
    assert!(warnings.iter().all(|line| !line.starts_with("sidecar.cookie")), "{warnings:?}");
}

#[test]
fn whoever_trusts_every_address_is_warned() {
    for network in ["0.0.0.0/0", "::/0"] {
        let warnings = warned(json!({}), json!({"trusted-proxies": ["10.0.0.0/8", network]}));
        assert!(
            matches!(warnings.as_slice(), [one] if one.starts_with("sidecar.trusted-proxies[1]: ")),
            "{warnings:?}"
        );
    }
    assert_eq!(warned(json!({}), json!({"trusted-proxies": ["10.0.0.0/8", "unix"]})), Vec::<String>::new());
}
