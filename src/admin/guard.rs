//! Who may use the session API: whoever has `admin.token`, by a way that `ssl-required` lets in. It stands before the whole scope, so that no
//! route in it can forget to ask, and it writes every use into the audit stream, refused ones too.

use actix_web::{
    Error, HttpRequest, HttpResponse,
    body::MessageBody,
    dev::{ServiceRequest, ServiceResponse},
    guard::GuardContext,
    http::{Method, header},
    middleware::Next,
    web,
};

use super::{Admin, Word, forwarding};
use crate::{
    audit::{self, Event},
    domain::SecretString,
};

/// What becomes of somebody who wants in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Admission {
    /// Come in.
    Granted,
    /// The token must not be sent in clear from there.
    Insecure,
    /// No `admin.token` is configured: there is nothing here.
    NoApi,
    /// No token, or not the right one.
    Refused,
}

/// First segments of the paths behind the token.
const GUARDED: [&str; 2] = ["sessions", "nodes"];

/// Whether a request is for the API. A word of the back channel is heard under any path, also under these.
pub(super) fn is_for_api(context: &GuardContext<'_>) -> bool {
    is_guarded(context.head().uri.path())
}

fn is_guarded(path: &str) -> bool {
    let first = path.split('/').nth(1).unwrap_or_default();
    GUARDED.contains(&first) && Word::at_end_of(path).is_none()
}

/// Lets in who may, and tells of everybody.
pub(super) async fn guard(
    admin: web::Data<Admin>,
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse, Error> {
    let (action, admission) = (action_of(request.request()), admission(&admin, request.request()));
    let mut answer = match refusal(admission) {
        Some(refusal) => request.into_response(refusal),
        None => next.call(request).await?.map_into_boxed_body(),
    };
    if admission != Admission::NoApi {
        answer.headers_mut().insert(header::CACHE_CONTROL, header::HeaderValue::from_static("no-store"));
        note(&admin, action, admission, outcome_of(answer.status().as_u16()));
    }
    Ok(answer)
}

/// Whether what `/readyz` keeps from everybody is for who asks. Who presents nothing asks for nothing, and nothing is written of it.
pub(super) fn may_see_details(admin: &Admin, request: &HttpRequest) -> bool {
    let admission = admission(admin, request);
    if admission != Admission::NoApi && request.headers().contains_key(header::AUTHORIZATION) {
        let outcome = match admission {
            Admission::Granted => "ok",
            Admission::Insecure => "insecure",
            Admission::Refused | Admission::NoApi => "refused",
        };
        note(admin, "readyz", admission, outcome);
    }
    admission == Admission::Granted
}

fn admission(admin: &Admin, request: &HttpRequest) -> Admission {
    let access = admin.access.get();
    let Some(token) = &access.token else { return Admission::NoApi };
    let peer = request.peer_addr().map(|peer| peer.ip().to_canonical());
    if !access.caller.admits(&forwarding(request), peer, admin.transport) {
        return Admission::Insecure;
    }
    // Compared in constant time.
    if presented(request).is_some_and(|presented| presented == *token) {
        Admission::Granted
    } else {
        Admission::Refused
    }
}

/// The one token that a request presents (RFC 6750, section 2.1); two are none.
fn presented(request: &HttpRequest) -> Option<SecretString> {
    let mut values = request.headers().get_all(header::AUTHORIZATION);
    let (value, None) = (values.next()?, values.next()) else { return None };
    let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| SecretString::new(token.trim_matches(' ')))
}

fn refusal(admission: Admission) -> Option<HttpResponse> {
    match admission {
        Admission::Granted => None,
        Admission::Insecure => Some(HttpResponse::Forbidden().content_type("text/plain").body("ssl required")),
        Admission::NoApi => Some(HttpResponse::NotFound().finish()),
        Admission::Refused => {
            Some(HttpResponse::Unauthorized().insert_header((header::WWW_AUTHENTICATE, "Bearer")).finish())
        }
    }
}

fn action_of(request: &HttpRequest) -> &'static str {
    let is_one = request.path().strip_prefix("/sessions/").is_some();
    match (request.method(), request.path()) {
        (&Method::GET, "/sessions") => "list",
        (&Method::GET, "/nodes") => "nodes",
        (&Method::GET, _) if is_one => "show",
        (&Method::DELETE, path) if is_one || path == "/sessions" => "end",
        _ => "other",
    }
}

fn outcome_of(status: u16) -> &'static str {
    match status {
        200 => "ok",
        401 => "refused",
        403 => "insecure",
        404 => "not_found",
        _ => "malformed",
    }
}

/// What is refused is written at the rate at which refused messages are: who has no token must not fill the log or the audit stream.
fn note(admin: &Admin, action: &'static str, admission: Admission, outcome: &'static str) {
    let now = admin.sessions.clock.now();
    let who = if admission == Admission::Granted { "admin.token" } else { "nobody" };
    if admission != Admission::Granted {
        if !admin.sessions.written.admits(now) {
            return;
        }
        tracing::warn!(action, outcome, "a use of the session API is refused");
    }
    audit::record(&Event::AdminAction { action, outcome, who }, now);
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    #[test]
    fn the_guarded_paths_are_known_by_their_first_segment_and_words_are_not_among_them() {
        for path in ["/sessions", "/sessions/", "/sessions/x", "/sessions/x/y", "/nodes", "/nodes/x"] {
            assert!(is_guarded(path), "{path}");
        }
        for path in
            ["/", "/session", "/sessionsx", "//sessions", "/x/sessions", "/sessions/k_logout", "/nodes/k_version"]
        {
            assert!(!is_guarded(path), "{path}");
        }
    }

    #[test]
    fn one_bearer_token_counts_and_nothing_else() {
        let with = |values: &[&str]| {
            let add = |request: TestRequest, value: &&str| request.append_header((header::AUTHORIZATION, *value));
            presented(&values.iter().fold(TestRequest::get(), add).to_http_request())
        };
        assert_eq!(with(&["Bearer right"]), Some(SecretString::new("right")));
        assert_eq!(with(&["bEARER  right"]), Some(SecretString::new("right")));
        for values in [&[][..], &["right"], &["Basic right"], &["Bearer"], &["Bearer right", "Bearer right"]] {
            assert_eq!(with(values), None, "{values:?}");
        }
    }
}
