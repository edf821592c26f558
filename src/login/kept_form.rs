//! A form that was sent after its session had ended is not lost: it is kept over the sign-in, sealed, in the browser tab that sent it, and
//! sent again from there, after a page that says so.
//!
//! ```text
//! POST /order            no session: a page that keeps the sealed form in the tab (sessionStorage) and goes on to the sign-in
//! callback               to <prefix>/resume?form=ID
//! GET  <prefix>/resume   a page that takes the form out of the tab and posts it to
//! POST <prefix>/resume   which opens it: a page that says so, and sends it to /order again
//! ```
//!
//! Only what this site itself had sent is kept (attack case 42): a form from another site would be sent with the user's session after all.
//! Nothing is kept here, and nobody but us can read or make what is kept there.

use std::sync::Arc;

use http::{Method, StatusCode, header};
use serde::{Deserialize, Serialize};
use url::form_urlencoded;
use zeroize::Zeroize;

use super::{Login, ReturnTo, Visit, sign_out::is_own_wish, with_cookies};
use crate::{
    domain::{Random, Timestamp, opaque_token},
    forms::{Params, is_form, read_form},
    message::{Request, Response},
    respond::{Action, Audience, Page, Refusal, Script},
    session::{KeyRing, Purpose, SealedCookie},
};

/// Most fields of a form that is kept: each becomes a field of a page.
const MOST_FIELDS: usize = 1000;
/// What a sealed form takes at most, posted to `resume`.
const MOST_SEALED: usize = 128 * 1024;

/// Keeps forms of one site.
#[derive(Debug)]
pub(super) struct KeptForms {
    sealed: SealedCookie<Form>,
    random: Arc<dyn Random>,
    /// Largest form that is kept, in bytes; 0: none is.
    most: usize,
}

/// A form and where it was going.
#[derive(Deserialize, Serialize)]
struct Form {
    /// A path of this site, with its query.
    action: String,
    /// The fields in their order, doubles included.
    fields: Vec<(String, String)>,
    /// Whose session it was that had ended, if that is known.
    subject: Option<String>,
}

/// Who would send a form again, compared with who sent it before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sender {
    Other,
    Same,
    /// It is not known of one of the two.
    Unknown,
}

impl Drop for Form {
    fn drop(&mut self) {
        self.fields.iter_mut().for_each(|(_, value)| value.zeroize());
    }
}

impl KeptForms {
    pub(super) fn new(keys: &KeyRing, site: &str, random: Arc<dyn Random>, most: usize) -> Self {
        Self { sealed: SealedCookie::new(keys, Purpose::KeptForm, site), random, most }
    }

    /// Whether `request` brings a form that may be kept: small, of a page of ours, sent by a person.
    fn may_keep(&self, request: &Request, visit: Visit<'_>) -> bool {
        let length = request.headers.get(header::CONTENT_LENGTH).and_then(|v| v.to_str().ok()?.parse().ok());
        let mode = request.headers.get("sec-fetch-mode");
        request.method == Method::POST
            && length.is_some_and(|length: usize| (1..=self.most).contains(&length))
            && is_form(&request.headers)
            && Audience::of(&request.headers) == Audience::Person
            && mode.is_none_or(|mode| mode == "navigate")
            && is_own_wish(request, &visit.caller.origin)
    }

    fn seal(&self, form: &Form, id: &str, until: Timestamp) -> Result<String, Refusal> {
        let sealed = self.sealed.seal(form, &name(id), until, self.random.as_ref());
        sealed.map(|sealed| sealed.as_str().to_owned()).map_err(|_| Refusal::BodyTooLarge)
    }
}

impl Sender {
    fn of(before: Option<&str>, now: Option<&str>) -> Self {
        match before.zip(now) {
            Some((before, now)) if before == now => Self::Same,
            Some(_) => Self::Other,
            None => Self::Unknown,
        }
    }

    fn title(self) -> &'static str {
        match self {
            Self::Other | Self::Unknown => "Send again?",
            Self::Same => "Sending again",
        }
    }

    fn sentence(self, action: &str) -> String {
        match self {
            Self::Other => {
                format!("Somebody else was signed in when this was sent to {action}. Send it only if you mean to.")
            }
            Self::Same => format!("You are signed in again. What you sent to {action} is being sent once more."),
            Self::Unknown => {
                format!(
                    "It cannot be told any more who was signed in when this was sent to {action}. Send it if it was you."
                )
            }
        }
    }
}

/// What the seal is tied to, and what the tab keeps it under.
fn name(id: &str) -> String {
    format!("doorward.form.{id}")
}

impl Login {
    /// Answers a request that nobody is signed in for and that is no navigation: keeps its form, if it is one that may be kept.
    ///
    /// # Errors
    /// Where to sign in, when nothing is kept.
    pub async fn keep_form(&self, request: Request, visit: Visit<'_>) -> Result<Response, Refusal> {
        let needed = Refusal::SignInNeeded { login_url: self.start_url(&ReturnTo::home()) };
        if !self.forms.may_keep(&request, visit) || !self.reaches(&ReturnTo::to(&request.target)) {
            return Err(needed);
        }
        let action = request.target.to_string();
        let body = read_form(request.body, self.forms.most).await?;
        let Some(fields) = fields(&body) else { return Err(needed) };
        let subject = self.parts.store.whose(visit.cookies).await.map(|subject| subject.as_str().to_owned());
        self.keep(&Form { action, fields, subject }, visit).await
    }

    async fn keep(&self, form: &Form, visit: Visit<'_>) -> Result<Response, Refusal> {
        let random = self.parts.random.as_ref();
        let id = opaque_token(random);
        let until = self.parts.clock.now().plus(self.attempts.ttl());
        let kept = self.forms.seal(form, &id, until)?;
        let (next, set) = self.depart(ReturnTo::resume(&self.config.path_prefix, &id), &[], visit).await?;
        let page = Page {
            title: "Please sign in again".to_owned(),
            text: "Your session has ended. If this tab can keep what you sent, it will be sent again after you have signed in."
                .to_owned(),
            actions: vec![Action::link("Sign in", next.as_str())],
            id: None,
        };
        let script =
            Script { source: KEEP, nonce: opaque_token(random), data: vec![("name", name(&id)), ("form", kept)] };
        Ok(with_cookies(page.into_challenge(&script), &set))
    }

    pub(super) async fn resume(&self, request: Request, visit: Visit<'_>) -> Result<Response, Refusal> {
        if request.method != Method::POST {
            return self.take_out(&request);
        }
        if !is_own_wish(&request, &visit.caller.origin) {
            return Err(Refusal::Forbidden("A kept form is sent again by its own page only.".into()));
        }
        let body = read_form(request.body, MOST_SEALED).await?;
        let text = std::str::from_utf8(&body).map_err(|_| Refusal::BadRequest("The form is not UTF-8.".into()))?;
        let params = Params::parse(text)?;
        let now = self.parts.clock.now();
        let form = params
            .get("name")
            .zip(params.get("form"))
            .and_then(|(name, form)| self.forms.sealed.open(name, form.as_bytes(), now));
        let Some(form) = form else {
            return Err(Refusal::BadRequest("What was kept has expired, or was not kept here.".into()));
        };
        Ok(self.send_again(&form, visit))
    }

    /// The page that takes a kept form out of its tab.
    fn take_out(&self, request: &Request) -> Result<Response, Refusal> {
        let params = Params::parse(request.target.query().unwrap_or_default())?;
        let id = params.get("form").unwrap_or_default();
        let resume = self.path("/resume");
        let page = Page {
            title: "Nothing to send".to_owned(),
            text: "You are signed in. What you sent before is not in this tab any more: please enter it again."
                .to_owned(),
            actions: vec![Action::link("Continue", "/")],
            id: None,
        };
        let data = vec![("name", name(id)), ("resume", resume)];
        let script = Script { source: TAKE_OUT, nonce: opaque_token(self.parts.random.as_ref()), data };
        Ok(page.with_script(StatusCode::OK, &script))
    }

    /// The page that sends a kept form to where it was going: by itself, where the user is known to be the one who sent it before.
    fn send_again(&self, form: &Form, visit: Visit<'_>) -> Response {
        let now = visit.current().map(|session| session.principal.subject.as_str());
        let sender = Sender::of(form.subject.as_deref(), now);
        let page = Page {
            title: sender.title().to_owned(),
            text: sender.sentence(&form.action),
            actions: vec![Action::form("Send", &form.action, form.fields.clone()), Action::link("Do not send", "/")],
            id: None,
        };
        if sender != Sender::Same {
            return page.into_response(StatusCode::OK);
        }
        let nonce = opaque_token(self.parts.random.as_ref());
        let once = format!("doorward.sent.{}", &nonce);
        page.with_script(StatusCode::OK, &Script { source: SEND, nonce, data: vec![("once", once)] })
    }
}

/// Keeps the form in the tab, then goes to the sign-in. Where the tab keeps nothing the page stays, and says what it can.
const KEEP: &str = "const value=id=>document.getElementById(id).value;\
    try{sessionStorage.setItem(value('name'),value('form'));location.replace(document.querySelector('a').href)}catch{}";

/// Posts what the tab kept; once. Where there is nothing, the page stays.
const TAKE_OUT: &str = "const value=id=>document.getElementById(id).value,name=value('name'),kept=sessionStorage.getItem(name);\
    if(kept){sessionStorage.removeItem(name);const form=document.createElement('form');form.method='post';\
    form.action=value('resume');for(const [key,text] of [['name',name],['form',kept]]){const field=document.createElement('input');\
    field.type='hidden';field.name=key;field.value=text;form.append(field)}document.body.append(form);\
    HTMLFormElement.prototype.submit.call(form)}";

/// Sends the form, but not again when the reader comes back to the page.
const SEND: &str = "const once=document.getElementById('once').value;if(!sessionStorage.getItem(once)){\
    sessionStorage.setItem(once,'1');HTMLFormElement.prototype.submit.call(document.querySelector('form'))}";

/// The fields of a form; `None` when a page could not send the very same ones: not UTF-8, too many, or with names that mean something to
/// browsers.
fn fields(body: &[u8]) -> Option<Vec<(String, String)>> {
    let fields: Vec<(String, String)> = form_urlencoded::parse(body).into_owned().take(MOST_FIELDS + 1).collect();
    // What is not UTF-8 was replaced by U+FFFD.
    let plain = |text: &str| !text.contains(['\0', char::REPLACEMENT_CHARACTER]);
    let same = |(name, value): &(String, String)| {
        plain(name) && plain(value) && !name.is_empty() && !matches!(name.as_str(), "_charset_" | "isindex")
    };
    (!fields.is_empty() && fields.len() <= MOST_FIELDS && fields.iter().all(same)).then_some(fields)
}
