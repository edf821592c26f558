//! A cookie jar by RFC 6265bis, as far as one host and its paths go.

use url::Url;

/// A cookie as the browser keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cookie {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: String,
    /// The host that set it, or the domain that it named.
    pub domain: String,
    /// Whether hosts below `domain` get it, too.
    pub subdomains: bool,
    /// The path below which it is sent.
    pub path: String,
    /// Sent only to https and loopback.
    pub secure: bool,
    /// Kept from scripts.
    pub http_only: bool,
    /// The attribute, as written.
    pub same_site: Option<String>,
    /// When it goes (seconds since the epoch); `None`: with the browser.
    pub expires: Option<i64>,
}

/// All cookies of a browser.
#[derive(Clone, Debug, Default)]
pub struct Jar {
    cookies: Vec<Cookie>,
    /// `Set-Cookie` lines that were refused.
    refused: Vec<String>,
}

impl Jar {
    /// All cookies that have not been deleted, the oldest first.
    #[must_use]
    pub fn cookies(&self) -> &[Cookie] {
        &self.cookies
    }

    /// The cookie of this name.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<&Cookie> {
        self.cookies.iter().find(|cookie| cookie.name == name)
    }

    /// The cookie of this name, to be tampered with.
    pub fn find_mut(&mut self, name: &str) -> Option<&mut Cookie> {
        self.cookies.iter_mut().find(|cookie| cookie.name == name)
    }

    /// Forgets all cookies.
    pub fn clear(&mut self) {
        self.cookies.clear();
    }

    /// The `Set-Cookie` lines that a browser would not have taken. A story's end should find none.
    #[must_use]
    pub fn refused(&self) -> &[String] {
        &self.refused
    }

    /// Puts a cookie in, in place of one with the same name, domain and path.
    pub fn insert(&mut self, cookie: Cookie) {
        let same =
            |other: &Cookie| (&other.name, &other.domain, &other.path) == (&cookie.name, &cookie.domain, &cookie.path);
        match self.cookies.iter_mut().find(|other| same(other)) {
            Some(old) => *old = cookie,
            None => self.cookies.push(cookie),
        }
    }

    /// Takes a `Set-Cookie` line as a browser does.
    pub fn store(&mut self, url: &Url, line: &str, now: i64) {
        match parse(url, line, now) {
            Some(cookie) => self.insert(cookie),
            None => self.refused.push(line.to_owned()),
        }
        self.expire(now);
    }

    /// The `Cookie` header for a request, if any cookie is due: longer paths first (RFC 6265bis, section 5.8.3).
    pub fn header(&mut self, url: &Url, now: i64) -> Option<String> {
        self.expire(now);
        let mut due: Vec<_> = self.cookies.iter().filter(|cookie| cookie.is_for(url)).collect();
        due.sort_by_key(|cookie| std::cmp::Reverse(cookie.path.len()));
        let pairs: Vec<_> = due.iter().map(|cookie| format!("{}={}", cookie.name, cookie.value)).collect();
        (!pairs.is_empty()).then(|| pairs.join("; "))
    }

    fn expire(&mut self, now: i64) {
        self.cookies.retain(|cookie| cookie.expires.is_none_or(|at| at > now));
    }
}

impl Cookie {
    fn is_for(&self, url: &Url) -> bool {
        let host = url.host_str().unwrap_or_default();
        let below = self.subdomains && host.strip_suffix(&self.domain).is_some_and(|rest| rest.ends_with('.'));
        let path = url.path().strip_prefix(&self.path);
        let path_fits = path.is_some_and(|rest| rest.is_empty() || self.path.ends_with('/') || rest.starts_with('/'));
        (host == self.domain || below) && path_fits && (!self.secure || is_trustworthy(url))
    }
}

/// Whether `Secure` cookies go there: https, and loopback in any case (W3C Secure Contexts, section 3.1).
fn is_trustworthy(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let loopback = host.starts_with("127.") || host == "[::1]" || host == "localhost" || host.ends_with(".localhost");
    url.scheme() == "https" || loopback
}

fn parse(url: &Url, line: &str, now: i64) -> Option<Cookie> {
    let mut parts = line.split(';');
    let (name, value) = parts.next()?.split_once('=')?;
    let host = url.host_str()?;
    let mut cookie = Cookie {
        name: name.trim().to_owned(),
        value: value.trim().to_owned(),
        domain: host.to_owned(),
        subdomains: false,
        path: default_path(url),
        secure: false,
        http_only: false,
        same_site: None,
        expires: None,
    };
    let mut max_age = None;
    for part in parts {
        let (key, value) = part.split_once('=').unwrap_or((part, ""));
        let value = value.trim();
        match key.trim().to_ascii_lowercase().as_str() {
            "domain" if !value.is_empty() => {
                value.trim_start_matches('.').clone_into(&mut cookie.domain);
                cookie.subdomains = true;
            }
            "path" if value.starts_with('/') => value.clone_into(&mut cookie.path),
            "secure" => cookie.secure = true,
            "httponly" => cookie.http_only = true,
            "samesite" => cookie.same_site = Some(value.to_owned()),
            "max-age" => max_age = value.parse::<i64>().ok(),
            // Only ever used to delete, by a date long gone; all other lives come as Max-Age.
            "expires" if value.contains("1970") => cookie.expires = Some(0),
            _ => {}
        }
    }
    cookie.expires = max_age.map(|age| now.saturating_add(age)).or(cookie.expires);
    let own = host == cookie.domain || host.ends_with(&format!(".{}", cookie.domain));
    (own && !cookie.name.is_empty() && prefix_holds(&cookie) && allowed(&cookie, url)).then_some(cookie)
}

/// The cookie name prefixes (RFC 6265bis, section 4.1.3).
fn prefix_holds(cookie: &Cookie) -> bool {
    let name = cookie.name.to_ascii_lowercase();
    if name.starts_with("__host-") {
        cookie.secure && cookie.path == "/" && !cookie.subdomains
    } else {
        !name.starts_with("__secure-") || cookie.secure
    }
}

/// `Secure` only from where it is sent; `SameSite=None` only with `Secure`; no more than 4,096 bytes of name and value
/// (RFC 6265bis, section 5.7).
fn allowed(cookie: &Cookie, url: &Url) -> bool {
    let none = cookie.same_site.as_deref().is_some_and(|value| value.eq_ignore_ascii_case("none"));
    (!cookie.secure || is_trustworthy(url))
        && (!none || cookie.secure)
        && cookie.name.len() + cookie.value.len() <= 4096
}

fn default_path(url: &Url) -> String {
    match url.path().rsplit_once('/') {
        Some(("", _)) | None => "/".to_owned(),
        Some((directory, _)) => directory.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn jar(url: &str, lines: &[&str]) -> Jar {
        let (mut jar, url) = (Jar::default(), Url::parse(url).unwrap());
        for line in lines {
            jar.store(&url, line, 100);
        }
        jar
    }

    fn sent(jar: &mut Jar, url: &str, now: i64) -> String {
        jar.header(&Url::parse(url).unwrap(), now).unwrap_or_default()
    }

    #[test]
    fn loopback_counts_as_secure_and_other_http_does_not() {
        let line = "__Host-a=1; Secure; Path=/";
        assert_eq!(sent(&mut jar("http://127.0.0.1:1/", &[line]), "http://127.0.0.1:2/x", 100), "__Host-a=1");
        assert_eq!(jar("http://app.example.com/", &[line]).refused().len(), 1);
    }

    #[test]
    fn a_host_cookie_with_a_domain_a_path_or_without_secure_is_refused() {
        let lines = ["__Host-a=1; Path=/", "__Host-a=1; Secure; Path=/x", "__Host-a=1; Secure; Path=/; Domain=h"];
        assert_eq!(jar("https://h/", &lines).refused().len(), 3);
        assert_eq!(jar("https://h/", &["__Secure-a=1", "b=1; SameSite=None"]).refused().len(), 2);
    }

    #[test]
    fn paths_bind_and_the_longest_comes_first() {
        let mut jar = jar("http://h/a/b", &["x=1; Path=/", "y=2; Path=/a", "z=3"]);
        assert_eq!(sent(&mut jar, "http://h/a/b", 100), "y=2; z=3; x=1");
        assert_eq!(sent(&mut jar, "http://h/ab", 100), "x=1");
    }

    #[test]
    fn a_cookie_goes_when_its_time_has_come() {
        let mut jar = jar("http://h/", &["x=1; Max-Age=10", "y=2", "z=3", "z=; Max-Age=0"]);
        assert_eq!(sent(&mut jar, "http://h/", 109), "x=1; y=2");
        assert_eq!(sent(&mut jar, "http://h/", 110), "y=2");
    }

    #[test]
    fn a_cookie_for_another_host_is_refused() {
        assert_eq!(jar("http://a.h/", &["x=1; Domain=b.h", "y=1; Domain=h"]).refused().len(), 1);
    }
}
