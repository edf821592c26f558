//! `sidecar.app-session-cookies`: the cookies that carry the application's own sessions.

use super::{cookie::cookie_path, value::Node};
use crate::{
    proxy::gateway,
    session::{AppCookie, CookieConfig, OwnCookies},
};

/// Longest name, in characters: as of ours, so that name, tag and value stay within what browsers keep.
const MAX_NAME: usize = 128;

/// A list of names, or of objects with `name` and `path` (`/`).
pub(super) fn read(node: &Node<'_>, own: &CookieConfig, gateway: Option<&gateway::Config>) -> Vec<AppCookie> {
    let mut cookies: Vec<AppCookie> = Vec::new();
    for item in node.items() {
        let Some((name, cookie)) = one(&item) else { continue };
        if cookies.iter().any(|earlier| earlier.name.eq_ignore_ascii_case(&cookie.name)) {
            name.fault("is listed twice (names are compared without regard to case)");
        }
        if OwnCookies::new(own).is_ok_and(|own| own.is_own(cookie.name.as_bytes())) {
            name.fault("is a cookie of ours, which the application never sees");
        }
        refuse_broken_promise(&name, &cookie, own);
        cookies.push(cookie);
    }
    if gateway.is_some() && !cookies.is_empty() {
        node.warn(
            "has little effect where a gateway asks by `auth`: its requests and answers do not pass here, so these cookies are only \
             expired at sign-in and sign-out",
        );
    }
    cookies
}

/// A cookie, and where its name stands.
fn one<'a>(item: &Node<'a>) -> Option<(Node<'a>, AppCookie)> {
    if item.raw()?.is_string() {
        let name = item.parse(name)?;
        return Some((item.clone(), AppCookie { name, path: "/".to_owned() }));
    }
    if !item.raw()?.is_object() {
        item.fault("must be a name, or an object with `name` and `path`");
        return None;
    }
    let keys = item.object(&["name", "path"]);
    let path = keys.at("path").parse(absolute).unwrap_or_else(|| "/".to_owned());
    let place = keys.at("name").required();
    let name = place.parse(name)?;
    Some((place, AppCookie { name, path }))
}

/// A `cookie-name` of RFC 6265, section 4.1.1.
fn name(text: &str) -> Result<String, &'static str> {
    let proper = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    match () {
        () if !text.bytes().all(proper) => Err("must be a cookie name: letters, digits, `-`, `_`, `.`"),
        () if text.len() > MAX_NAME => Err("must not be longer than 128 characters"),
        () => Ok(text.to_owned()),
    }
}

fn absolute(text: &str) -> Result<String, &'static str> {
    if text.starts_with('/') { cookie_path(text) } else { Err("must begin with `/`") }
}

/// Browsers would ignore that such a cookie is expired (RFC 6265bis, section 4.1.3).
fn refuse_broken_promise(place: &Node<'_>, cookie: &AppCookie, own: &CookieConfig) {
    let name = cookie.name.to_ascii_lowercase();
    let is_host = name.starts_with("__host-");
    if is_host && cookie.path != "/" {
        place.fault("begins with `__Host-`, so that its `path` is `/`");
    }
    if (is_host || name.starts_with("__secure-")) && !own.secure {
        place
            .fault("begins with a prefix that only secure cookies may have: an https `public-url`, or `cookie.secure`");
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::{
        config::{Config, Faults},
        session::AppCookie,
    };

    fn read(cookies: &Value, sidecar: &Value) -> Result<Config, Faults> {
        let mut file = json!({
            "provider-url": "https://id.example.com", "client-id": "shop", "credentials": { "secret": "s" },
            "sidecar": { "public-url": "https://app.example.com", "upstream": "http://127.0.0.1:3000" },
        });
        file["sidecar"]["app-session-cookies"] = cookies.clone();
        for (key, value) in sidecar.as_object().unwrap() {
            file["sidecar"][key] = value.clone();
        }
        Config::from_json(&file.to_string(), &std::collections::BTreeMap::new())
    }

    fn fault(cookies: &Value) -> String {
        read(cookies, &json!({})).unwrap_err().to_string()
    }

    #[test]
    fn names_stand_for_cookies_at_the_root() {
        let config =
            read(&json!(["JSESSIONID", { "name": "__Secure-sid", "path": "/app" }, { "name": "x" }]), &json!({}))
                .unwrap();
        let cookie = |name: &str, path: &str| AppCookie { name: name.to_owned(), path: path.to_owned() };
        assert_eq!(config.app_cookies, [cookie("JSESSIONID", "/"), cookie("__Secure-sid", "/app"), cookie("x", "/")]);
        assert!(config.warnings.iter().all(|warning| !warning.contains("app-session-cookies")));
        assert_eq!(read(&Value::Null, &json!({})).unwrap().app_cookies, []);
    }

    #[test]
    fn what_is_no_cookie_of_the_application_is_told() {
        let told = |cookies: Value, place: &str, what: &str| {
            let faults = fault(&cookies);
            assert!(faults.contains(&format!("sidecar.app-session-cookies{place}: ")), "{faults}");
            assert!(faults.contains(what), "{faults}");
        };
        told(json!("JSESSIONID"), "", "must be a list");
        told(json!(["J SESSION"]), "[0]", "must be a cookie name");
        told(json!([""]), "[0]", "must not be empty");
        told(json!([7]), "[0]", "must be a name");
        told(json!([{ "path": "/" }]), "[0].name", "is required");
        told(json!([{ "name": "a", "path": "app" }]), "[0].path", "must begin with `/`");
        told(json!([{ "name": "a", "path": "/a;b" }]), "[0].path", "neither blanks nor");
        told(json!([{ "name": "a", "domain": "b" }]), "[0].domain", "is not a known key");
        told(json!(["a", { "name": "A", "path": "/b" }]), "[1].name", "listed twice");
        told(json!(["keycloak_adapter_state.1"]), "[0]", "a cookie of ours");
        told(json!([{ "name": "__Host-a", "path": "/a" }]), "[0].name", "`__Host-`");
        let plain = read(&json!(["__Secure-a"]), &json!({ "public-url": "http://app.example.com" }));
        assert!(plain.unwrap_err().to_string().contains("only secure cookies"));
    }

    #[test]
    fn an_operator_behind_a_gateway_is_warned() {
        let gateway = json!({ "auth": {}, "trusted-proxies": ["10.0.0.1"] });
        let warned = |cookies: Value| {
            let warnings = read(&cookies, &gateway).unwrap().warnings;
            warnings.iter().any(|warning| warning.starts_with("sidecar.app-session-cookies: "))
        };
        assert!(warned(json!(["JSESSIONID"])));
        assert!(!warned(json!([])));
    }
}
