//! The kinds of no, and the only place where a kind becomes a status, headers and a body. A person gets a small page, a
//! program gets `application/problem+json` (RFC 9457); both carry the request's id, neither learns anything that only the
//! log should know.

mod page;

use std::{borrow::Cow, time::Duration};

use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde_json::json;

use crate::message::{Request, RequestId, Response};
pub use page::{Action, Page, Script, escape};

/// Why a request is not served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// 400: the request itself is wrong. The sentence says what is; it quotes nothing of the request.
    BadRequest(Cow<'static, str>),
    /// 413.
    BodyTooLarge,
    /// 503: too many sessions have to be asked for at this moment.
    Busy,
    /// 417 (RFC 9110, section 10.1.1).
    ExpectationFailed,
    /// 403: never allowed, whoever asks.
    Forbidden(Cow<'static, str>),
    /// 431. Our own cookies are cleared with it, so that a browser does not repeat it for ever.
    HeadTooLarge,
    /// 302: a page that may be had by https only (`ssl-required`). Not one that browsers remember, since the configuration may change.
    HttpsNeeded {
        /// Where it is by https: a URL of this site.
        location: String,
    },
    /// 500: our fault. The cause is in the log under the request's id.
    Internal,
    /// 405, with the methods that are allowed.
    MethodNotAllowed(&'static str),
    /// 404: none of our endpoints.
    NotFound,
    /// 501: a method that nobody registered.
    NotImplemented,
    /// 403: signed in, but the rules say no. Somebody else may be let in.
    NotPermitted {
        /// Where a page may send its user to sign out: a path of this site that takes a `POST`; `None` for who has no session to end.
        sign_out_url: Option<String>,
    },
    /// 503: the identity server is needed and has not been reached.
    NotReady,
    /// A sign-in that came to nothing.
    SignInFailed(SignInFailed),
    /// 401: nobody is signed in, and this request cannot be sent to sign in.
    SignInNeeded {
        /// Where a page may send its user to sign in: a path of this site.
        login_url: String,
    },
    /// 401: a bearer token is needed, or the credential that was presented is not believed (RFC 6750, section 3).
    TokenNeeded(Challenge),
    /// 502: the application answered with something that is not HTTP, or broke off before its answer began.
    UpstreamBroken,
    /// 504: the application did not answer in time.
    UpstreamTimeout,
    /// 502: nobody listens where the application should.
    UpstreamUnreachable,
    /// 426: a WebSocket handshake of another version than 13 (RFC 6455, section 4.2.2).
    WebSocketVersion,
}

/// A sign-in that came to nothing, with a way to try again. Never a redirect: what failed once would fail in a loop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignInFailed {
    /// Whose fault it was.
    pub blame: Blame,
    /// What happened, in a sentence for people. May quote the provider's `error`; it is escaped.
    pub message: String,
    /// Where to try again: a path of this site.
    pub retry_url: String,
}

/// What `WWW-Authenticate` says of bearer tokens (RFC 6750, section 3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Challenge {
    /// `realm`.
    pub realm: String,
    /// `error` and `error_description`, in our own words; `None` when nothing was presented.
    pub error: Option<(&'static str, String)>,
}

/// Whose fault a failed sign-in was; decides the status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blame {
    /// 400: the callback does not belong to an attempt of this browser, or is malformed.
    Browser,
    /// 403: the provider said no.
    Denied,
    /// 502: the provider answered with something that may not be believed.
    Provider,
    /// 503: the provider could not be reached or is in trouble.
    Unavailable,
}

/// Who reads the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Audience {
    /// A person before a browser.
    Person,
    /// Anything else.
    Program,
}

/// A 401 names a scheme (RFC 9110, section 15.5.2). Ours is a cookie, for which none is registered; `Basic` would make browsers ask for a
/// password.
const CHALLENGE: &str = "Cookie realm=\"doorward\"";
/// How long a client should wait before it asks a node again that is not ready.
const RETRY_AFTER: Duration = Duration::from_secs(5);

impl Audience {
    /// A person, if the request asks for a page; a program otherwise.
    #[must_use]
    pub fn of(headers: &HeaderMap) -> Self {
        let pages = ["text/html", "application/xhtml+xml"];
        let mut accepted = headers.get_all(header::ACCEPT).iter().filter_map(|v| v.to_str().ok());
        if accepted.any(|accept| pages.iter().any(|page| accept.contains(page))) { Self::Person } else { Self::Program }
    }
}

/// Whether `request` is a browser going to a page, which may be sent to sign in: `GET`, and by Fetch Metadata a
/// navigation, or without that asking for a page and not made by a script. Everything else (`fetch`, images, `EventSource`,
/// WebSocket handshakes) cannot follow a sign-in and gets 401.
#[must_use]
pub fn is_navigation(request: &Request) -> bool {
    let header = |name: &str| request.headers.get(name).and_then(|v| v.to_str().ok());
    if request.method != http::Method::GET || request.headers.contains_key(header::UPGRADE) {
        return false;
    }
    if let Some(mode) = header("sec-fetch-mode") {
        let page = matches!(header("sec-fetch-dest"), None | Some("document" | "iframe" | "frame"));
        return mode == "navigate" && page;
    }
    let scripted = header("x-requested-with").is_some_and(|v| v.eq_ignore_ascii_case("XMLHttpRequest"));
    !scripted && Audience::of(&request.headers) == Audience::Person
}

impl Refusal {
    /// The status that this kind of no has.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        match self {
            Self::BadRequest(_) => StatusCode::BAD_REQUEST,
            Self::BodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::ExpectationFailed => StatusCode::EXPECTATION_FAILED,
            Self::Forbidden(_) | Self::NotPermitted { .. } => StatusCode::FORBIDDEN,
            Self::HeadTooLarge => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Self::HttpsNeeded { .. } => StatusCode::FOUND,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
            Self::MethodNotAllowed(_) => StatusCode::METHOD_NOT_ALLOWED,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::NotImplemented => StatusCode::NOT_IMPLEMENTED,
            Self::Busy | Self::NotReady => StatusCode::SERVICE_UNAVAILABLE,
            Self::SignInFailed(failed) => failed.blame.status(),
            Self::SignInNeeded { .. } | Self::TokenNeeded(_) => StatusCode::UNAUTHORIZED,
            Self::UpstreamBroken | Self::UpstreamUnreachable => StatusCode::BAD_GATEWAY,
            Self::UpstreamTimeout => StatusCode::GATEWAY_TIMEOUT,
            Self::WebSocketVersion => StatusCode::UPGRADE_REQUIRED,
        }
    }

    /// What people and programs are told.
    fn sentence(&self) -> Cow<'_, str> {
        match self {
            Self::BadRequest(why) | Self::Forbidden(why) => why.as_ref().into(),
            Self::BodyTooLarge => "The request body is larger than this site accepts.".into(),
            Self::Busy => "Many people are coming back at this moment. Please try again in a few seconds.".into(),
            Self::ExpectationFailed => "This site knows no expectation but 100-continue.".into(),
            Self::HeadTooLarge => "The request's headers are larger than this site accepts.".into(),
            Self::HttpsNeeded { .. } => "This site must be visited by https.".into(),
            Self::Internal => "Something went wrong on our side.".into(),
            Self::MethodNotAllowed(allowed) => format!("Only {allowed} may be used here.").into(),
            Self::NotFound => "There is nothing here.".into(),
            Self::NotImplemented => "This method is not known.".into(),
            Self::NotPermitted { .. } => "You are signed in, but may not see this.".into(),
            Self::NotReady => "The identity server cannot be reached. Please try again in a moment.".into(),
            Self::SignInFailed(failed) => failed.message.as_str().into(),
            Self::SignInNeeded { .. } => "You are not signed in, or your session has ended.".into(),
            Self::TokenNeeded(challenge) => match &challenge.error {
                Some((_, description)) => description.as_str().into(),
                None => "A bearer token is needed.".into(),
            },
            Self::UpstreamBroken => "The application broke off its answer.".into(),
            Self::UpstreamTimeout => "The application did not answer in time.".into(),
            Self::UpstreamUnreachable => "The application cannot be reached.".into(),
            Self::WebSocketVersion => "A WebSocket handshake must be of version 13.".into(),
        }
    }

    fn actions(&self) -> Vec<Action> {
        match self {
            Self::HttpsNeeded { location } => vec![Action::link("Go there", location)],
            Self::NotPermitted { sign_out_url: Some(url) } => vec![Action::button("Sign out", url)],
            Self::SignInFailed(failed) => vec![Action::link("Try again", &failed.retry_url)],
            Self::SignInNeeded { login_url } => vec![Action::link("Sign in", login_url)],
            _ => Vec::new(),
        }
    }

    /// The response for `audience`.
    #[must_use]
    pub fn into_response(self, audience: Audience, id: &RequestId) -> Response {
        let mut response = match audience {
            Audience::Person => self.page(id).into_response(self.status()),
            Audience::Program => self.problem(id),
        };
        self.add_headers(&mut response.headers);
        response.headers.insert("x-request-id", id.header());
        response
    }

    fn page(&self, id: &RequestId) -> Page {
        Page { title: self.title(), text: self.sentence().into_owned(), actions: self.actions(), id: Some(id.clone()) }
    }

    /// In words for people where they may meet it without having done anything odd; else as HTTP calls it.
    fn title(&self) -> String {
        let title = match self {
            Self::BodyTooLarge => "Too large",
            Self::Busy | Self::NotReady => "Not available just now",
            Self::Forbidden(_) | Self::NotPermitted { .. } => "Not allowed",
            Self::Internal => "Something went wrong",
            Self::NotFound => "Not found",
            Self::SignInFailed(_) => "Signing in did not work",
            Self::SignInNeeded { .. } => "Please sign in",
            Self::UpstreamBroken | Self::UpstreamTimeout | Self::UpstreamUnreachable => "No answer",
            _ => self.status().canonical_reason().unwrap_or("Error"),
        };
        title.to_owned()
    }

    fn problem(&self, id: &RequestId) -> Response {
        let status = self.status();
        let mut problem = json!({
            "type": "about:blank",
            "title": status.canonical_reason(),
            "status": status.as_u16(),
            "detail": self.sentence(),
            "request_id": id.as_str(),
        });
        if let Self::SignInNeeded { login_url } = self {
            problem["login_url"] = login_url.as_str().into();
        }
        Response::new(status)
            .with(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"))
            .with_body(problem.to_string())
    }

    fn add_headers(&self, headers: &mut HeaderMap) {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        match self {
            Self::HttpsNeeded { location } => {
                // A target is US-ASCII without control characters, so that there always is one.
                if let Ok(location) = HeaderValue::try_from(location) {
                    headers.insert(header::LOCATION, location);
                }
            }
            Self::MethodNotAllowed(allowed) => {
                headers.insert(header::ALLOW, HeaderValue::from_static(allowed));
            }
            Self::SignInNeeded { .. } => {
                headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(CHALLENGE));
            }
            Self::TokenNeeded(challenge) => {
                headers.insert(header::WWW_AUTHENTICATE, challenge.value());
            }
            Self::Busy | Self::NotReady | Self::SignInFailed(SignInFailed { blame: Blame::Unavailable, .. }) => {
                headers.insert(header::RETRY_AFTER, HeaderValue::from(RETRY_AFTER.as_secs()));
            }
            Self::WebSocketVersion => {
                headers.insert(header::SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
                headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
            }
            _ => {}
        }
    }
}

impl Challenge {
    fn value(&self) -> HeaderValue {
        let realm = quoted(&self.realm);
        let value = match &self.error {
            None => format!("Bearer realm=\"{realm}\""),
            Some((error, description)) => {
                let description = quoted(description);
                format!("Bearer realm=\"{realm}\", error=\"{error}\", error_description=\"{description}\"")
            }
        };
        HeaderValue::try_from(value).unwrap_or(HeaderValue::from_static("Bearer"))
    }
}

/// `text` for use in a quoted string (RFC 9110, section 5.6.4) of what RFC 6750, section 3 allows there: visible US-ASCII and blanks, of
/// which the quotation mark and the backslash are escaped.
fn quoted(text: &str) -> String {
    let plain = |c: char| if c == ' ' || c.is_ascii_graphic() { c } else { '?' };
    text.chars().map(plain).collect::<String>().replace('\\', "\\\\").replace('"', "\\\"")
}

impl Blame {
    const fn status(self) -> StatusCode {
        match self {
            Self::Browser => StatusCode::BAD_REQUEST,
            Self::Denied => StatusCode::FORBIDDEN,
            Self::Provider => StatusCode::BAD_GATEWAY,
            Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        }
    }
}

#[cfg(test)]
mod tests;
