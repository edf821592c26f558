//! Gateways that ask before they forward: nginx's `auth_request`, Traefik's `ForwardAuth`. A gateway describes the request that it
//! holds, and the same rules, sessions and permits answer for it as if it had come to us; it is the gateway that forwards it.
//!
//! So nothing can be removed from that request here, and nothing in it may be read two ways: what some server takes for the target or
//! the method of a request must say what the gateway says, and an identity header in a spelling that the gateway does not overwrite
//! is refused. Whoever may ask is decided before ([`crate::caller::Caller::peer_is_trusted`]): a description is as good as its author.

use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use thiserror::Error;

use super::{
    Proxy, Stopped,
    admission::{Admission, Approach},
    inject::fold,
    validity::Renewing,
};
use crate::{
    caller::Caller,
    message::{Body, Request, Response, handshake},
    respond::Refusal,
    session::SetCookies,
    target::{Target, TargetError},
};

/// What gateways may ask for (`sidecar.auth`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// The gateway passes our `Set-Cookie` on, so that sessions may be renewed and their use be written down. Otherwise a session ends
    /// with its access token, or idle, however much it is used.
    pub set_cookie: bool,
}

/// How a gateway describes a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// `X-Forwarded-Uri`, `X-Forwarded-Method` (Traefik's `ForwardAuth`): an answer that is not 2xx goes to the client as it stands.
    Forwarded,
    /// `X-Original-URI`, `X-Original-Method` (nginx's documentation of `auth_request`): of an answer that is not 2xx the client sees
    /// nothing, and status codes but 401 and 403 become 500. Or a whole `X-Original-URL` in place of the former (ingress-nginx).
    Original,
}

/// The request that a gateway holds: it has one reading. Only [`Original::read`] makes one.
#[derive(Debug)]
pub struct Original {
    request: Request,
    dialect: Dialect,
}

/// Why a gateway's question has no answer but no. None of them quotes the request.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum Unreadable {
    /// A header of the description is missing.
    #[error("the gateway did not say {0}")]
    Missing(&'static str),
    /// A header of the description stands there more than once, or is no text.
    #[error("more than one value, or none that can be read: {0}")]
    NotOne(&'static str),
    /// Some header would make another request of it for whoever believes that header.
    #[error("headers disagree about what the request is")]
    Disagreeing,
    /// What the description calls a method is none.
    #[error("the method is none")]
    Method,
    /// The target is a URL of another site.
    #[error("the request is for another site")]
    OtherSite,
    /// The target has no reading, or more than one.
    #[error("the request target has not one reading: {0}")]
    Target(#[from] TargetError),
}

/// What ingress-nginx says in place of `X-Original-URI`.
const URL: &str = "x-original-url";

/// Headers by which some server tells an application what the target was (attack case 9), ours to read among them.
const TARGETS: [&str; 4] = ["x-forwarded-uri", "x-original-uri", URL, "x-rewrite-url"];

/// The same for the method.
const METHODS: [&str; 5] =
    ["x-forwarded-method", "x-http-method", "x-http-method-override", "x-method-override", "x-original-method"];

impl Dialect {
    /// That of the headers. A gateway that uses the one passes on what a client says in the other: where both are, they must agree.
    fn of(headers: &HeaderMap) -> Self {
        let original = headers.contains_key("x-original-uri") || headers.contains_key("x-original-method");
        if original { Self::Original } else { Self::Forwarded }
    }

    const fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::Forwarded => ("x-forwarded-uri", "x-forwarded-method"),
            Self::Original => ("x-original-uri", "x-original-method"),
        }
    }

    /// Whether the target is described by a URL: only where nothing else does it. A gateway that describes it otherwise overwrites that, so
    /// that no client can take it away.
    fn is_by_url(self, headers: &HeaderMap) -> bool {
        self == Self::Original && !headers.contains_key("x-original-uri") && headers.contains_key(URL)
    }

    /// Puts cookies into an answer. nginx's variables hold one value of a name, so that each further cookie has a name of its own there.
    fn set(self, cookies: SetCookies, headers: &mut HeaderMap) {
        if self == Self::Forwarded {
            return cookies.apply(headers);
        }
        let mut cookies = cookies.into_iter();
        cookies.next().into_iter().collect::<SetCookies>().apply(headers);
        for (number, cookie) in (2_u32..).zip(cookies) {
            if let Ok(name) = HeaderName::try_from(format!("x-doorward-set-cookie-{number}")) {
                headers.insert(name, cookie);
            }
        }
    }
}

impl Original {
    /// Reads what a trusted gateway describes. The body of its own request is dropped unread.
    ///
    /// # Errors
    /// When there is no description, or one with two readings.
    pub fn read(asked: Request, caller: &Caller) -> Result<Self, Unreadable> {
        let dialect = Dialect::of(&asked.headers);
        let (uri, method) = dialect.names();
        let target = if dialect.is_by_url(&asked.headers) {
            Target::parse(path_of_url(one(&asked.headers, URL)?, caller).ok_or(Unreadable::OtherSite)?)?
        } else {
            target(one(&asked.headers, uri)?, caller)?
        };
        let method = one(&asked.headers, method)?.to_owned();
        let agree = all_say(&asked.headers, &TARGETS, |text| self::target(text, caller).as_ref() == Ok(&target))
            && all_say(&asked.headers, &METHODS, |text| text == method);
        if !agree {
            return Err(Unreadable::Disagreeing);
        }
        let method = Method::from_bytes(method.as_bytes()).map_err(|_| Unreadable::Method)?;
        Ok(Self { request: Request { method, target, body: Body::Empty, ..asked }, dialect })
    }

    /// The request.
    #[must_use]
    pub fn request(&self) -> &Request {
        &self.request
    }

    /// How it was described.
    #[must_use]
    pub fn dialect(&self) -> Dialect {
        self.dialect
    }
}

impl Proxy {
    /// Whether gateways may ask.
    #[must_use]
    pub fn answers_gateways(&self) -> bool {
        self.gateway.is_some()
    }

    /// Lets `original` pass, as far as we are concerned: 200, with every header that we may set, so that a gateway which copies them
    /// leaves nothing of what the client sent under those names. What has nothing to say is empty.
    ///
    /// # Errors
    /// When it may not pass. Whatever is wrong with the request is a [`Refusal::Forbidden`].
    pub async fn vouch(&self, original: &mut Original, approach: Approach<'_>) -> Result<Response, Stopped> {
        let headers = &original.request.headers;
        if let Some(name) = self.injector.claimed(headers) {
            tracing::info!(%name, "a gateway's request is refused: it says who somebody is in a header that the gateway lets pass");
            return Err(Refusal::Forbidden("This request holds a header that only this site may set.".into()).into());
        }
        if opens_websocket(headers) {
            self.refuse_foreign_page(headers, approach.caller)?;
        }
        let renewing = self.gateway.filter(|gateway| gateway.set_cookie).map_or(Renewing::Never, |_| Renewing::WhenDue);
        let approach = Approach { renewing, ..approach };
        let Admission { permit, .. } = self.admit(&mut original.request, approach).await.map_err(denied)?;
        let mut response =
            Response::new(StatusCode::OK).with(header::CACHE_CONTROL, HeaderValue::from_static("private, no-store"));
        self.injector.tell(&mut response.headers, &permit);
        if renewing == Renewing::WhenDue {
            original.dialect.set(self.write_down(permit, approach.cookies).await, &mut response.headers);
        }
        Ok(response)
    }
}

/// Whether a gateway may open a WebSocket with the request that it holds. It keeps `Upgrade` to itself, but hands on whatever else makes a
/// handshake (RFC 6455, section 4.1), in which no page can leave anything out.
fn opens_websocket(headers: &HeaderMap) -> bool {
    handshake::is_asked(headers) || headers.keys().any(|name| name.as_str().starts_with("sec-websocket-"))
}

/// Gateways know 401, 403, and trouble. A request that we would not have passed on is not allowed.
fn denied(stopped: Stopped) -> Stopped {
    match stopped {
        Stopped::Refused(Refusal::BadRequest(why)) => Refusal::Forbidden(why).into(),
        Stopped::Refused(Refusal::MethodNotAllowed(_) | Refusal::NotImplemented) => {
            Refusal::Forbidden("This method may not be used here.".into()).into()
        }
        other => other,
    }
}

/// The one value of the one header of this name.
fn one<'a>(headers: &'a HeaderMap, name: &'static str) -> Result<&'a str, Unreadable> {
    let mut values = headers.get_all(name).iter();
    let first = values.next().ok_or(Unreadable::Missing(name))?;
    first.to_str().ok().filter(|_| values.next().is_none()).ok_or(Unreadable::NotOne(name))
}

/// Whether every header that may be taken for one of `names` holds what `says` wants.
fn all_say(headers: &HeaderMap, names: &[&str], says: impl Fn(&str) -> bool) -> bool {
    let of_them = headers.iter().filter(|(name, _)| names.contains(&fold(name.as_str()).as_ref()));
    of_them.map(|(_, value)| value.to_str()).all(|text| text.is_ok_and(&says))
}

/// A target in origin form, or as a URL of this very site.
fn target(text: &str, caller: &Caller) -> Result<Target, Unreadable> {
    let path = match path_of_url(text, caller) {
        Some(path) => path,
        None if text.contains("://") && !text.starts_with('/') => return Err(Unreadable::OtherSite),
        None => text,
    };
    Ok(Target::parse(path)?)
}

/// What follows our origin in a URL of this very site.
fn path_of_url<'a>(text: &'a str, caller: &Caller) -> Option<&'a str> {
    text.strip_prefix(&caller.origin.to_string())
}
