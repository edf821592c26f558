//! The way out. The session ends here first, for every copy of its cookie; then its refresh token is revoked server to server; then the
//! browser is sent to end its session at the provider. Nobody else can make a browser do it (attack case 59).

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};

use super::{Login, ReturnTo, Visit, redirect, with_cookies};
use crate::{
    audit,
    caller::Origin,
    domain::{SecretString, opaque_token},
    endings::By,
    message::{Request, Response},
    respond::{Action, Page, Refusal},
    session::SetCookies,
};

/// Longest wait for the provider to confirm that the refresh token is revoked; the user is not kept waiting for more.
const REVOCATION_PATIENCE: Duration = Duration::from_secs(3);

impl Login {
    pub(super) async fn sign_out(&self, request: &Request, visit: Visit<'_>) -> Result<Response, Refusal> {
        if !is_own_wish(request, &visit.caller.origin) {
            return Ok(self.confirmation_page());
        }
        let mut forget = self.end_locally(visit).await?;
        forget.extend(self.forget_application());
        self.parts.metrics.sign_out();
        let refresh = visit.known().and_then(|session| session.tokens.refresh.as_ref());
        let revoked = match refresh {
            Some(refresh) => self.revoke(refresh).await,
            None => "none",
        };
        audit::signed_out("user", visit.known(), revoked, self.parts.clock.now());
        let hint = visit.known().map(|session| &session.tokens.id);
        let next = self.next_stop(hint, visit).await?;
        Ok(with_cookies(forgetting_pages(redirect(StatusCode::SEE_OTHER, &next)?), &forget))
    }

    /// The page asks for itself once more, as for an image: by then the page that the user left is among those that the browser keeps in memory,
    /// and the answer has it forgotten too. Nobody else's page can have it do so.
    pub(super) fn signed_out_page(&self, request: &Request) -> Response {
        if is_own_image(request) {
            return forgetting_pages(Response::new(StatusCode::NO_CONTENT));
        }
        let page = Page {
            title: "Signed out".to_owned(),
            text: "You are signed out.".to_owned(),
            actions: vec![Action::link("Sign in again", &self.start_url(&ReturnTo::home()))],
            id: None,
        };
        page.with_image(StatusCode::OK, &self.path("/signed_out"))
    }

    fn confirmation_page(&self) -> Response {
        let page = Page {
            title: "Sign out?".to_owned(),
            text: "No page of this site asked for it. Nothing has happened yet.".to_owned(),
            actions: vec![Action::button("Sign out", &self.sign_out_url()), Action::link("Stay signed in", "/")],
            id: None,
        };
        page.into_response(StatusCode::OK)
    }

    /// Revokes first, then removes: whoever copied the cookie is refused from the first of the two steps on.
    async fn end_locally(&self, visit: Visit<'_>) -> Result<SetCookies, Refusal> {
        if let Some(session) = visit.known() {
            self.parts.endings.end_session(session, By::User).await;
            tracing::info!(subject = %session.principal.subject, "signed out");
        }
        self.parts.store.close(visit.known(), visit.cookies).await.map_err(|error| {
            tracing::error!(%error, "a session cannot be closed in its store");
            Refusal::Internal
        })
    }

    /// Revokes a refresh token at the provider; what became of it, as a word.
    async fn revoke(&self, refresh: &SecretString) -> &'static str {
        let revoked = tokio::time::timeout(REVOCATION_PATIENCE, self.parts.provider.revoke(refresh)).await;
        match revoked {
            Ok(Ok(())) => "revoked",
            Ok(Err(error)) => {
                tracing::warn!(%error, "a refresh token is not known to be revoked");
                "failed"
            }
            Err(_) => {
                tracing::warn!("revoking a refresh token took too long");
                "timed_out"
            }
        }
    }

    async fn next_stop(&self, hint: Option<&SecretString>, visit: Visit<'_>) -> Result<String, Refusal> {
        let signed_out = self.path("/signed_out");
        let back = visit.caller.url(&signed_out).ok_or(Refusal::Internal)?;
        let state = opaque_token(self.parts.random.as_ref());
        let there = self.parts.provider.end_session_url(hint, &back, &state).await;
        Ok(there.map_or_else(|| format!("{signed_out}?state={state}"), String::from))
    }
}

/// Has the browser forget the pages that it keeps of this site (W3C Clear Site Data, section 3.1), so that Back does not show them to the next
/// user. Browsers heed it from https and from loopback only.
fn forgetting_pages(answer: Response) -> Response {
    answer.with(HeaderName::from_static("clear-site-data"), HeaderValue::from_static("\"cache\""))
}

fn is_own_image(request: &Request) -> bool {
    let is = |name: &str, value: &str| request.headers.get(name).is_some_and(|v| v == value);
    is("sec-fetch-dest", "image") && is("sec-fetch-site", "same-origin")
}

/// Whether the user asked for it on this site: by Fetch Metadata, or by `Origin`. A `GET` must be a navigation too, so that no image or
/// prefetch of our own pages signs anybody out.
pub(super) fn is_own_wish(request: &Request, origin: &Origin) -> bool {
    let header = |name: &str| request.headers.get(name).and_then(|v| v.to_str().ok());
    if header("sec-purpose").or(header("purpose")).is_some_and(|purpose| purpose.contains("prefetch")) {
        return false;
    }
    if let Some(site) = header("sec-fetch-site") {
        let navigates = header("sec-fetch-mode") == Some("navigate") && header("sec-fetch-dest") == Some("document");
        return site == "same-origin" && (request.method == Method::POST || navigates);
    }
    names_origin(&request.headers, origin)
}

fn names_origin(headers: &HeaderMap, origin: &Origin) -> bool {
    headers.get(header::ORIGIN).and_then(|v| v.to_str().ok()) == Some(origin.to_string().as_str())
}
