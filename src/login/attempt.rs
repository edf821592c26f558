//! One attempt to sign in: what must be remembered between sending a browser away and its coming back. It lives sealed in a cookie
//! of its own, so that tabs do not disturb each other, and in nothing of ours.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};
use url::Url;
use zeroize::Zeroize;

use super::return_to::ReturnTo;
use crate::{
    caller::Origin,
    domain::{Random, SecretString, Timestamp},
    oidc::AttemptSecrets,
    session::{InvalidCookie, Keep, Lookup, OwnCookies, RequestCookies, SealedCookie, SetCookies},
};

/// An attempt of this very browser, as far as a sealed cookie can tell. Only [`Attempts::find`] makes one of a request.
#[derive(Debug)]
pub(super) struct Attempt {
    /// Compared with the callback's.
    pub state: SecretString,
    /// Compared with the ID token's.
    pub nonce: SecretString,
    /// Sent with the code.
    pub pkce: SecretString,
    /// Sent with the code, exactly as it was sent before.
    pub redirect_uri: Url,
    /// Where the user was going.
    pub return_to: ReturnTo,
}

/// The cookies in which attempts live.
#[derive(Debug)]
pub(super) struct Attempts {
    cookies: OwnCookies,
    sealed: SealedCookie<Wire>,
    random: Arc<dyn Random>,
    ttl: Duration,
    most: usize,
}

/// An attempt as it is sealed. Never compressed: the return target is chosen by others, and the length would tell what it has in common
/// with the secrets.
#[derive(Deserialize, Serialize)]
pub(super) struct Wire {
    state: String,
    nonce: String,
    pkce: String,
    redirect_uri: String,
    return_to: String,
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.state.zeroize();
        self.nonce.zeroize();
        self.pkce.zeroize();
    }
}

const KIND: &str = "login";
/// How much of the state names the cookie: enough to find it, too little to guess the rest (35 of 43 characters).
const ID_LEN: usize = 8;

impl Attempt {
    /// A new attempt.
    #[must_use]
    pub(super) fn new(secrets: AttemptSecrets, redirect_uri: Url, return_to: ReturnTo) -> Self {
        let (state, nonce) = (SecretString::new(secrets.state), SecretString::new(secrets.nonce));
        Self { state, nonce, pkce: secrets.pkce, redirect_uri, return_to }
    }
}

impl Attempts {
    /// Attempts that live for `ttl`, at most `most` of them in one browser.
    #[must_use]
    pub(super) fn new(
        cookies: OwnCookies,
        sealed: SealedCookie<Wire>,
        random: Arc<dyn Random>,
        ttl: Duration,
        most: usize,
    ) -> Self {
        Self { cookies, sealed, random, ttl, most }
    }

    /// How long one lives.
    #[must_use]
    pub(super) fn ttl(&self) -> Duration {
        self.ttl
    }

    /// The cookies that remember `attempt`, and those that forget the oldest ones.
    ///
    /// # Errors
    /// When it cannot be written into a cookie.
    pub(super) fn remember(
        &self,
        attempt: &Attempt,
        request: &RequestCookies,
        now: Timestamp,
    ) -> Result<SetCookies, InvalidCookie> {
        let wire = Wire {
            state: attempt.state.expose().clone(),
            nonce: attempt.nonce.expose().clone(),
            pkce: attempt.pkce.expose().clone(),
            redirect_uri: attempt.redirect_uri.to_string(),
            return_to: attempt.return_to.to_string(),
        };
        let name = self.name(&id(now, attempt.state.expose()));
        let until = now.plus(self.ttl);
        let sealed = self.sealed.seal(&wire, &name, until, self.random.as_ref()).map_err(|_| InvalidCookie)?;
        let mut set = self.forget_oldest(request)?;
        set.push(self.cookies.set(&name, sealed.as_str(), Keep::For(self.ttl))?);
        Ok(set)
    }

    /// The attempt that began with `state` in this browser, if it is still good.
    #[must_use]
    pub(super) fn find(
        &self,
        state: &str,
        origin: &Origin,
        request: &RequestCookies,
        now: Timestamp,
    ) -> Option<Attempt> {
        let name = self.cookie_of(state, request)?;
        let Lookup::One(text) = request.find(&name) else { return None };
        let wire = self.sealed.open(&name, text, now)?;
        let attempt = Attempt {
            state: SecretString::new(wire.state.as_str()),
            nonce: SecretString::new(wire.nonce.as_str()),
            pkce: SecretString::new(wire.pkce.as_str()),
            redirect_uri: Url::parse(&wire.redirect_uri).ok()?,
            return_to: ReturnTo::parse(&wire.return_to, origin, "\0"),
        };
        (attempt.state == SecretString::new(state)).then_some(attempt)
    }

    /// Whether a session would be sent with a request for `path`.
    pub(super) fn reach(&self, path: &str) -> bool {
        self.cookies.reach(path)
    }

    /// The path that sessions are kept for.
    pub(super) fn path(&self) -> &str {
        self.cookies.path()
    }

    /// The cookie that forgets the attempt with `state`.
    pub(super) fn forget(&self, state: &str, request: &RequestCookies) -> SetCookies {
        let mut set = SetCookies::default();
        if let Some(Ok(expired)) = self.cookie_of(state, request).map(|name| self.cookies.expire(&name)) {
            set.push(expired);
        }
        set
    }

    /// The cookies that forget everything of ours, sessions too.
    pub(super) fn forget_all(&self, request: &RequestCookies) -> SetCookies {
        let mut set = SetCookies::default();
        let ours = request.names().filter(|name| self.cookies.is_own(name.as_bytes()));
        for expired in ours.filter_map(|name| self.cookies.expire(name).ok()) {
            set.push(expired);
        }
        set
    }

    fn name(&self, id: &str) -> String {
        self.cookies.name_of(KIND, id)
    }

    fn cookie_of(&self, state: &str, request: &RequestCookies) -> Option<String> {
        let wanted = state.get(..ID_LEN)?;
        let id = self.cookies.ids_of(KIND, request).find(|id| id.split_once('.').is_some_and(|(_, s)| s == wanted))?;
        Some(self.name(id))
    }

    /// Makes room for one more. Ids begin with the millisecond of their start in a fixed number of digits, so that their order is their age.
    fn forget_oldest(&self, request: &RequestCookies) -> Result<SetCookies, InvalidCookie> {
        let ids: BTreeSet<&str> = self.cookies.ids_of(KIND, request).collect();
        let surplus = (ids.len() + 1).saturating_sub(self.most);
        let mut set = SetCookies::default();
        for id in ids.into_iter().take(surplus) {
            set.push(self.cookies.expire(&self.name(id))?);
        }
        Ok(set)
    }
}

fn id(now: Timestamp, state: &str) -> String {
    let start = state.get(..ID_LEN).unwrap_or(state);
    format!("{:012x}.{start}", now.as_millis().max(0))
}

#[cfg(test)]
mod tests;
