//! OpenID Connect Front-Channel Logout 1.0: the identity server's page loads this in a frame, as anybody's page could, and without our
//! cookie. So it ends nothing and revokes nothing: whoever stands for the session that it names is asked for before it is served again.

use http::{HeaderValue, StatusCode, header};

use super::Login;
use crate::{
    audit::{self, Event},
    domain::Sid,
    forms::Params,
    message::{Request, Response},
    respond::Refusal,
};

impl Login {
    pub(super) fn front_channel_logout(&self, request: &Request) -> Result<Response, Refusal> {
        if !self.config.front_channel {
            return Err(Refusal::NotFound);
        }
        let params = Params::parse(request.target.query().unwrap_or_default())?;
        let metadata = self.parts.provider.metadata().ok_or(Refusal::NotReady)?;
        let (Some(iss), Some(sid)) = (params.get("iss"), params.get("sid")) else {
            return Err(Refusal::BadRequest("iss and sid are required.".into()));
        };
        if iss != metadata.issuer.as_str() {
            return Err(Refusal::BadRequest("This site knows another issuer (parameter iss).".into()));
        }
        let heard = self.parts.endings.hint(&Sid::new(sid));
        self.note_hint(if heard { "ok" } else { "too_many" });
        let status = if heard { StatusCode::OK } else { StatusCode::TOO_MANY_REQUESTS };
        let policy = format!(
            "default-src 'none'; frame-ancestors {}",
            metadata.authorization_endpoint.origin().ascii_serialization()
        );
        Ok(Response::new(status)
            .with(header::CACHE_CONTROL, HeaderValue::from_static("no-store"))
            .with(header::CONTENT_SECURITY_POLICY, HeaderValue::try_from(policy).map_err(|_| Refusal::Internal)?))
    }

    fn note_hint(&self, outcome: &'static str) {
        const WORD: &str = "frontchannel_logout";
        self.parts.metrics.push(WORD, outcome);
        if outcome != "ok" {
            // Anybody can send these; they are counted, not written.
            return;
        }
        let event = Event::BackChannel {
            word: WORD,
            outcome,
            reason: None,
            id: None,
            sessions: 0,
            sids: 1,
            subject: None,
            everybody: false,
            not_before: None,
        };
        audit::record(&event, self.parts.clock.now());
    }
}
