//! A scripted browser: keeps cookies, follows redirects, fills in forms, and says what real ones say about a navigation.

use url::Url;

use crate::{
    html::{self, Form},
    http::{self, Request, Response},
};

/// As many as Chromium follows.
const REDIRECTS: usize = 20;

/// One browser with one cookie jar.
#[derive(Clone, Default)]
pub(crate) struct Browser {
    jar: Vec<Cookie>,
}

/// A cookie. `Secure` is read and not obeyed: all these stories play on loopback, which browsers trust, and Keycloak sets
/// `Secure` there on plain http. `Domain` is not obeyed: nobody here sets one. Ports do not part cookies (RFC 6265, section 8.5).
#[derive(Clone)]
struct Cookie {
    host: String,
    name: String,
    value: String,
    path: String,
}

/// Where a navigation ended.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) url: Url,
    pub(crate) response: Response,
    /// Every address that was asked on the way, the last one included.
    pub(crate) trail: Vec<Url>,
}

impl Browser {
    /// Opens an address as typed by a person, and follows redirects.
    pub(crate) fn open(&mut self, url: impl AsRef<str>) -> Page {
        let url = Url::parse(url.as_ref()).expect("stories open well-formed addresses");
        self.navigate(Request::new("GET", url))
    }

    /// Sends a form of a page with some of its fields filled in, and follows redirects.
    pub(crate) fn submit(&mut self, page: &Page, form: &Form, filled: &[(&str, &str)]) -> Page {
        let target = page.url.join(&form.action).expect("forms lead to well-formed addresses");
        let kept = form.fields.iter().filter(|(name, _)| filled.iter().all(|(other, _)| name != other));
        let fields = kept.map(|(name, value)| (name.as_str(), value.as_str())).chain(filled.iter().copied());
        let origin = format!("{}://{}", page.url.scheme(), http::authority(&page.url));
        let request = if form.post { Request::new("POST", target).form(fields) } else { with_query(target, fields) };
        self.navigate(request.header("Origin", origin).header("Referer", page.url.as_str()))
    }

    /// What a script on a page does: one exchange, its redirect not followed.
    pub(crate) fn fetch(&mut self, url: impl AsRef<str>) -> Response {
        let url = Url::parse(url.as_ref()).expect("stories fetch well-formed addresses");
        let request = Request::new("GET", url).header("Accept", "application/json");
        self.exchange(request.header("Sec-Fetch-Mode", "cors").header("Sec-Fetch-Dest", "empty"))
    }

    /// What a frame on a page of another site does; its redirect is not followed.
    pub(crate) fn frame(&mut self, url: &Url) -> Response {
        let request = Request::new("GET", url.clone()).header("Accept", "text/html");
        let request = request.header("Sec-Fetch-Mode", "navigate").header("Sec-Fetch-Dest", "iframe");
        self.exchange(request.header("Sec-Fetch-Site", "cross-site"))
    }

    /// What a script on a page of another origin does, whose browser sends the cookies along.
    pub(crate) fn fetch_from(&mut self, origin: &str, url: impl AsRef<str>) -> Response {
        let url = Url::parse(url.as_ref()).expect("stories fetch well-formed addresses");
        let request = Request::new("GET", url).header("Origin", origin);
        self.exchange(request.header("Sec-Fetch-Mode", "cors").header("Sec-Fetch-Site", "same-site"))
    }

    /// The name and value of each cookie kept for a path.
    pub(crate) fn cookies_at<'a>(&'a self, path: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.jar.iter().filter(move |c| c.path == path).map(|c| (c.name.as_str(), c.value.as_str()))
    }

    /// Forgets every cookie but those of one path.
    pub(crate) fn forget_all_but(&mut self, path: &str) {
        self.jar.retain(|cookie| cookie.path == path);
    }

    fn navigate(&mut self, mut request: Request) -> Page {
        let mut trail = Vec::new();
        loop {
            let url = request.url.clone();
            trail.push(url.clone());
            assert!(trail.len() <= REDIRECTS, "a redirect loop: {trail:#?}");
            let response = self.exchange(as_navigation(request));
            match response.header("location").filter(|_| (300..400).contains(&response.status)) {
                // 307 and 308 would repeat the body; no one on our way sends them to a POST.
                Some(location) => request = Request::new("GET", url.join(location).expect("a well-formed Location")),
                None => return Page { url, response, trail },
            }
        }
    }

    fn exchange(&mut self, request: Request) -> Response {
        let cookies = self.cookies_for(&request.url);
        let request = if cookies.is_empty() { request } else { request.header("Cookie", cookies) };
        let response = request.send().unwrap_or_else(|error| panic!("{} {}: {error}", request.method, request.url));
        response.cookies().for_each(|line| self.store(&request.url, line));
        response
    }

    /// The header `Cookie` for an address; empty: none.
    pub(crate) fn cookies_for(&self, url: &Url) -> String {
        let of_host = self.jar.iter().filter(|cookie| Some(cookie.host.as_str()) == url.host_str());
        let sent = of_host.filter(|cookie| path_matches(url.path(), &cookie.path));
        sent.map(|cookie| format!("{}={}", cookie.name, cookie.value)).collect::<Vec<_>>().join("; ")
    }

    fn store(&mut self, url: &Url, line: &str) {
        let mut parts = line.split(';').map(str::trim);
        let Some((name, value)) = parts.next().and_then(|pair| pair.split_once('=')) else {
            return;
        };
        let attributes: Vec<(String, &str)> = parts
            .map(|part| part.split_once('=').unwrap_or((part, "")))
            .map(|(n, v)| (n.to_ascii_lowercase(), v))
            .collect();
        let attribute = |name: &str| attributes.iter().find(|(known, _)| known == name).map(|(_, value)| *value);
        let path =
            attribute("path").filter(|path| path.starts_with('/')).map_or_else(|| default_path(url), str::to_owned);
        let gone = attribute("max-age").is_some_and(|age| age.parse::<i64>().is_ok_and(|age| age <= 0))
            || attribute("expires").is_some_and(|date| date.contains("1970"));
        let host = url.host_str().unwrap_or_default();
        self.jar.retain(|cookie| cookie.name != name || cookie.path != path || cookie.host != host);
        if !gone {
            self.jar.push(Cookie { host: host.to_owned(), name: name.to_owned(), value: value.to_owned(), path });
        }
    }
}

impl Page {
    /// The form with an input of that name. Panics, showing the page, when there is none.
    pub(crate) fn form(&self, input: &str) -> Form {
        self.find_form(input)
            .unwrap_or_else(|| panic!("no form with `{input}` at {}:\n{}", self.url, self.response.text()))
    }

    pub(crate) fn find_form(&self, input: &str) -> Option<Form> {
        html::forms(&self.response.text()).into_iter().find(|form| form.fields.iter().any(|(name, _)| name == input))
    }
}

fn with_query<'a>(mut target: Url, fields: impl Iterator<Item = (&'a str, &'a str)>) -> Request {
    target.query_pairs_mut().clear().extend_pairs(fields);
    Request::new("GET", target)
}

fn as_navigation(request: Request) -> Request {
    request
        .header("Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8")
        .header("Sec-Fetch-Mode", "navigate")
        .header("Sec-Fetch-Dest", "document")
}

/// RFC 6265, section 5.1.4.
fn path_matches(path: &str, cookie: &str) -> bool {
    path.strip_prefix(cookie).is_some_and(|rest| rest.is_empty() || cookie.ends_with('/') || rest.starts_with('/'))
}

/// RFC 6265, section 5.1.4.
fn default_path(url: &Url) -> String {
    match url.path().rsplit_once('/') {
        Some(("", _)) | None => "/".into(),
        Some((folder, _)) => folder.into(),
    }
}
