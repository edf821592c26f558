//! A browser without a window: cookies, redirects, forms, and the headers by which servers tell a navigation from a fetch.

mod form;
mod jar;

use std::{
    collections::HashMap,
    fmt,
    net::{SocketAddr, ToSocketAddrs},
};

use url::Url;

pub use form::Form;
pub use jar::{Cookie, Jar};

use crate::{
    http::{self, Error, Exchange, Headers, Request, Response},
    options::{Now, Options},
};

/// More redirects than this are a loop (browsers give up at 20).
const MOST_REDIRECTS: usize = 20;

/// A browser profile.
///
/// It treats loopback http as secure, as browsers do: `Secure` and `__Host-` cookies are kept and sent there. Cookies do
/// not tell ports apart. `SameSite` is recorded, but not enforced: all that runs on one loopback address is one site.
#[derive(Clone)]
pub struct Browser {
    jar: Jar,
    /// Where the origins that are no address are served.
    origins: HashMap<String, (SocketAddr, Headers)>,
    now: Now,
}

/// Where a navigation ended.
#[derive(Clone, Debug)]
pub struct Page {
    /// The last URL asked for.
    pub url: Url,
    /// What came from there.
    pub response: Response,
    /// All URLs asked for on the way, the first one first, `url` last.
    pub trail: Vec<Url>,
}

impl Page {
    /// The page's first form.
    #[must_use]
    pub fn form(&self) -> Option<Form> {
        Form::first(&self.url, &self.response.text())
    }
}

/// What kind of request it is (Fetch Metadata Request Headers).
#[derive(Clone, Copy)]
enum Kind {
    Navigation,
    Fetch,
}

impl Kind {
    fn headers(self) -> Headers {
        let (mode, dest, accept) = match self {
            Self::Navigation => ("navigate", "document", "text/html,application/xhtml+xml,*/*;q=0.8"),
            Self::Fetch => ("cors", "empty", "*/*"),
        };
        [("Sec-Fetch-Mode", mode), ("Sec-Fetch-Dest", dest), ("Accept", accept)]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into()
    }
}

impl Default for Browser {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Browser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Browser").field("jar", &self.jar).finish_non_exhaustive()
    }
}

impl Browser {
    /// A fresh profile on the system's clock.
    #[must_use]
    pub fn new() -> Self {
        Self::with_clock(Options::default().now)
    }

    /// A fresh profile whose cookies expire by this clock.
    #[must_use]
    pub fn with_clock(now: Now) -> Self {
        Self { jar: Jar::default(), origins: HashMap::new(), now }
    }

    /// Makes an origin (`https://app.example.com`) known: it is served, in plain HTTP, at `address`, and each request gets
    /// these headers besides, as from a load balancer that ends TLS.
    pub fn serve_origin(&mut self, origin: &str, address: SocketAddr, headers: &[(&str, &str)]) {
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        self.origins.insert(origin.to_owned(), (address, headers));
    }

    /// Its cookies.
    #[must_use]
    pub fn jar(&self) -> &Jar {
        &self.jar
    }

    /// Its cookies, to steal or to forge.
    pub fn jar_mut(&mut self) -> &mut Jar {
        &mut self.jar
    }

    /// Opens an address as a user does, and follows redirects.
    ///
    /// # Errors
    /// When a step gets no answer, or there are too many.
    pub fn navigate(&mut self, url: &str) -> Result<Page, Error> {
        let request = Request::get("");
        self.follow(parse(url)?, request)
    }

    /// Opens an address as a user does, and stays at its answer, redirect or not.
    ///
    /// # Errors
    /// When there is no answer.
    pub fn navigate_once(&mut self, url: &str) -> Result<Response, Error> {
        self.exchange(&parse(url)?, Request::get(""), Kind::Navigation)?.finish()
    }

    /// Asks as a script does (`Sec-Fetch-Mode: cors`); redirects are not followed. The request's target is replaced by the
    /// URL's.
    ///
    /// # Errors
    /// When there is no answer.
    pub fn fetch(&mut self, url: &str, request: Request) -> Result<Response, Error> {
        self.open(url, request)?.finish()
    }

    /// As [`fetch`](Self::fetch), and returns at the answer's head: for streams and upgrades.
    ///
    /// # Errors
    /// When there is no answer.
    pub fn open(&mut self, url: &str, request: Request) -> Result<Exchange, Error> {
        self.exchange(&parse(url)?, request, Kind::Fetch)
    }

    /// Sends a form as a user's click does, and follows redirects.
    ///
    /// # Errors
    /// As [`navigate`](Self::navigate).
    pub fn submit(&mut self, form: &Form) -> Result<Page, Error> {
        self.follow(form.url(), form.request())
    }

    /// Sends a form as a user's click does, and stays at its answer.
    ///
    /// # Errors
    /// When there is no answer.
    pub fn submit_once(&mut self, form: &Form) -> Result<Response, Error> {
        self.exchange(&form.url(), form.request(), Kind::Navigation)?.finish()
    }

    /// Fills in a login page, ours or Keycloak's, and posts it.
    ///
    /// # Errors
    /// When the page has no form, and as [`navigate`](Self::navigate).
    pub fn log_in(&mut self, page: &Page, username: &str, password: &str) -> Result<Page, Error> {
        let form = page.form().ok_or(Error::Malformed("no form on the page"))?;
        self.submit(&form.with("username", username).with("password", password))
    }

    fn follow(&mut self, mut url: Url, mut request: Request) -> Result<Page, Error> {
        let mut trail = vec![url.clone()];
        loop {
            let response = self.exchange(&url, request.clone(), Kind::Navigation)?.finish()?;
            let Some(next) = target(&url, &response)? else {
                return Ok(Page { url, response, trail });
            };
            // 301, 302 and 303 make a GET of a POST; 307 and 308 keep it (Fetch, HTTP-redirect fetch).
            if response.status < 304 {
                request = Request::get("");
            }
            url = next;
            trail.push(url.clone());
            if trail.len() > MOST_REDIRECTS {
                return Err(Error::TooManyRedirects(url.path().to_owned()));
            }
        }
    }

    fn exchange(&mut self, url: &Url, mut request: Request, kind: Kind) -> Result<Exchange, Error> {
        let (address, extra) = self.locate(url)?;
        url[url::Position::BeforePath..url::Position::AfterQuery].clone_into(&mut request.target);
        if http::find(&request.headers, "host").is_none() {
            let authority = &url[url::Position::BeforeHost..url::Position::AfterPort];
            request.headers.insert(0, ("Host".to_owned(), authority.to_owned()));
        }
        for (name, value) in kind.headers().into_iter().chain(extra) {
            if http::find(&request.headers, &name).is_none() {
                request.headers.push((name, value));
            }
        }
        if let Some(cookies) = self.jar.header(url, (self.now)()) {
            request.headers.push(("Cookie".to_owned(), cookies));
        }
        let exchange = http::open(address, &request)?;
        for line in http::all(&exchange.headers, "set-cookie") {
            self.jar.store(url, line, (self.now)());
        }
        Ok(exchange)
    }

    fn locate(&self, url: &Url) -> Result<(SocketAddr, Headers), Error> {
        if let Some(known) = self.origins.get(&url.origin().ascii_serialization()) {
            return Ok(known.clone());
        }
        let unknown = || Error::Url(url.origin().ascii_serialization());
        let (Some(host), Some(port), "http") = (url.host_str(), url.port_or_known_default(), url.scheme()) else {
            return Err(unknown());
        };
        let host = if host.ends_with(".localhost") { "127.0.0.1" } else { host.trim_matches(['[', ']']) };
        let mut addresses = (host, port).to_socket_addrs()?;
        let address = addresses.find(SocketAddr::is_ipv4).ok_or_else(unknown)?;
        Ok((address, Headers::new()))
    }
}

fn parse(url: &str) -> Result<Url, Error> {
    Url::parse(url).map_err(|_| Error::Url(url.to_owned()))
}

fn target(url: &Url, response: &Response) -> Result<Option<Url>, Error> {
    let location = response.header("location").filter(|_| matches!(response.status, 301 | 302 | 303 | 307 | 308));
    location.map(|location| url.join(location).map_err(|_| Error::Url(location.to_owned()))).transpose()
}
