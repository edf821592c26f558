//! Attributes as browsers see them, and the names that the application must never see.

use super::*;

fn config() -> CookieConfig {
    CookieConfig {
        name: "KEYCLOAK_ADAPTER_STATE".to_owned(),
        path: "/".to_owned(),
        secure: true,
        same_site: SameSite::Lax,
        keys: Vec::new(),
    }
}

fn own() -> OwnCookies {
    OwnCookies::new(&config()).unwrap()
}

fn parsed(value: &HeaderValue) -> Cookie<'static> {
    Cookie::parse(value.to_str().unwrap().to_owned()).unwrap()
}

#[test]
fn the_session_cookie_is_bound_to_its_host() {
    let cookie = parsed(&own().set(own().session_name(), "v", Keep::BrowserSession).unwrap());
    assert_eq!(cookie.name_value(), ("__Host-KEYCLOAK_ADAPTER_STATE", "v"));
    assert_eq!((cookie.path(), cookie.domain(), cookie.max_age()), (Some("/"), None, None));
    assert_eq!((cookie.secure(), cookie.http_only()), (Some(true), Some(true)));
    assert_eq!(cookie.same_site(), Some(cookie::SameSite::Lax));
}

#[test]
fn a_removal_carries_the_attributes_of_what_it_removes() {
    let cookie = parsed(&own().expire(own().session_name()).unwrap());
    assert_eq!(cookie.name_value(), ("__Host-KEYCLOAK_ADAPTER_STATE", ""));
    assert_eq!(cookie.max_age(), Some(cookie::time::Duration::ZERO));
    assert_eq!((cookie.path(), cookie.domain()), (Some("/"), None));
    assert_eq!((cookie.secure(), cookie.http_only()), (Some(true), Some(true)));
    assert_eq!(cookie.same_site(), Some(cookie::SameSite::Lax));
}

#[test]
fn without_secure_or_below_a_path_there_is_no_host_prefix() {
    let plain = CookieConfig { secure: false, ..config() };
    let below = CookieConfig { path: "/app".to_owned(), ..config() };
    for config in [plain, below] {
        assert_eq!(OwnCookies::new(&config).unwrap().session_name(), "KEYCLOAK_ADAPTER_STATE");
    }
}

#[test]
fn same_site_none_needs_secure() {
    let plain = CookieConfig { secure: false, ..config() };
    let refused = CookieConfigError::SameSiteNoneNeedsSecure;
    assert_eq!(OwnCookies::new(&plain).unwrap().with_same_site(SameSite::None).unwrap_err(), refused);
    let none = CookieConfig { same_site: SameSite::None, ..plain };
    assert_eq!(OwnCookies::new(&none).unwrap_err(), refused);
    assert!(own().with_same_site(SameSite::None).is_ok());
}

#[test]
fn names_and_paths_that_end_the_attribute_are_refused() {
    for name in ["", "a=b", "a;b", "a b", "a\r\n", "ä", "__Host-x", &"x".repeat(129)] {
        let config = CookieConfig { name: name.to_owned(), ..config() };
        assert!(OwnCookies::new(&config).is_err(), "{name:?}");
    }
    for path in ["", "app", "/a;Domain=x", "/a\r\n", "/a b"] {
        let config = CookieConfig { path: path.to_owned(), ..config() };
        assert!(OwnCookies::new(&config).is_err(), "{path:?}");
    }
}

#[test]
fn values_that_end_the_cookie_are_refused() {
    for value in ["a;b", "a b", "a,b", "a\"", "a\\", "a\r\nSet-Cookie: b", "ä"] {
        assert_eq!(own().set("a", value, Keep::BrowserSession), Err(InvalidCookie), "{value:?}");
    }
    assert_eq!(own().set("a;b", "v", Keep::BrowserSession), Err(InvalidCookie));
}

#[test]
fn the_application_sees_none_of_ours_in_any_variant() {
    let ours = "__Host-KEYCLOAK_ADAPTER_STATE=1; KEYCLOAK_ADAPTER_STATE=2; __Secure-KEYCLOAK_ADAPTER_STATE=3; \
                __Host-KEYCLOAK_ADAPTER_STATE.1=4; KEYCLOAK_ADAPTER_STATE.99999999=5; \
                __Host-KEYCLOAK_ADAPTER_STATE.login.x=6; __host-keycloak_adapter_state=7; \
                KEYCLOAK_ADAPTER_STATE =8; KEYCLOAK_ADAPTER_STATE";
    let theirs = "JSESSIONID=a; KEYCLOAK_ADAPTER_STATELY=b; X-KEYCLOAK_ADAPTER_STATE=c";
    let cookies = RequestCookies::from_fields([format!("{ours}; {theirs}; {ours}")]);
    assert_eq!(own().strip_own(&cookies).unwrap(), theirs);
    assert_eq!(own().strip_own(&RequestCookies::from_fields([ours])), None);
}

#[test]
fn attempts_have_names_of_their_own() {
    let name = own().name_of("login", "abc");
    assert_eq!(name, "__Host-KEYCLOAK_ADAPTER_STATE.login.abc");
    let cookies = RequestCookies::from_fields([format!("a=1; {name}=2; __Host-KEYCLOAK_ADAPTER_STATE.1=3")]);
    assert_eq!(own().ids_of("login", &cookies).collect::<Vec<_>>(), ["abc"]);
    assert!(own().is_own(name.as_bytes()));
}
