//! The small pages that people see from us: nothing fetched but an image of our own where one asks for it, readable in the dark, and without a
//! script unless one is ours by its nonce.

use std::fmt::Write as _;

use http::{HeaderValue, StatusCode, header};

use crate::message::{RequestId, Response};

/// One page: a title, a sentence, and what can be done next.
#[derive(Clone, Debug)]
pub struct Page {
    /// Heading and title.
    pub title: String,
    /// One sentence or two. Escaped when written.
    pub text: String,
    /// What the reader can do, as links and buttons. The first stands out.
    pub actions: Vec<Action>,
    /// Shown as a reference for whoever is asked for help.
    pub id: Option<RequestId>,
}

/// Something to press.
#[derive(Clone, Debug)]
pub enum Action {
    /// A button that posts to a path of this site.
    Button {
        /// What the button says.
        label: String,
        /// Where it posts to.
        url: String,
        /// What it posts.
        fields: Vec<(String, String)>,
    },
    /// A link to a path of this site.
    Link {
        /// What the link says.
        label: String,
        /// Where it leads.
        url: String,
    },
}

impl Action {
    /// A link.
    #[must_use]
    pub fn link(label: &str, url: &str) -> Self {
        Self::Link { label: label.to_owned(), url: url.to_owned() }
    }

    /// A button that posts.
    #[must_use]
    pub fn button(label: &str, url: &str) -> Self {
        Self::form(label, url, Vec::new())
    }

    /// A button that posts `fields`.
    #[must_use]
    pub fn form(label: &str, url: &str, fields: Vec<(String, String)>) -> Self {
        Self::Button { label: label.to_owned(), url: url.to_owned(), fields }
    }

    fn html(&self) -> String {
        match self {
            Self::Button { label, url, fields } => {
                let mut html = format!("<form method=\"post\" action=\"{}\">", escape(url));
                for (name, value) in fields {
                    hidden(&mut html, "name", name, value);
                }
                let _ = write!(html, "<button>{}</button></form>", escape(label));
                html
            }
            Self::Link { label, url } => format!("<a href=\"{}\">{}</a>", escape(url), escape(label)),
        }
    }
}

/// A script of ours for one page. It reads its data from hidden fields by their ids: nothing that others chose is ever part of it.
#[derive(Clone, Debug)]
pub struct Script {
    /// The script.
    pub source: &'static str,
    /// Random: no other script on the page runs.
    pub nonce: String,
    /// What it reads, by id.
    pub data: Vec<(&'static str, String)>,
}

impl Page {
    /// The page as a response that no cache keeps and no other site frames.
    #[must_use]
    pub fn into_response(self, status: StatusCode) -> Response {
        respond(status, HeaderValue::from_static(CONTENT_SECURITY_POLICY), self.html(status, ""))
    }

    /// The page with a script.
    #[must_use]
    pub fn with_script(self, status: StatusCode, script: &Script) -> Response {
        let mut html = String::new();
        for (id, value) in &script.data {
            hidden(&mut html, "id", id, value);
        }
        let _ = write!(html, "<script nonce=\"{}\">{}</script>", escape(&script.nonce), script.source);
        let policy = format!("{CONTENT_SECURITY_POLICY}; script-src 'nonce-{}'", script.nonce);
        let policy = HeaderValue::try_from(policy).unwrap_or(HeaderValue::from_static(CONTENT_SECURITY_POLICY));
        respond(status, policy, self.html(status, &html))
    }

    /// The page with an image of this site that nobody sees: what matters is the headers of its answer.
    #[must_use]
    pub fn with_image(self, status: StatusCode, url: &str) -> Response {
        let image = format!("<img src=\"{}\" alt=\"\" hidden>", escape(url));
        let policy = format!("{CONTENT_SECURITY_POLICY}; img-src 'self'");
        let policy = HeaderValue::try_from(policy).unwrap_or(HeaderValue::from_static(CONTENT_SECURITY_POLICY));
        respond(status, policy, self.html(status, &image))
    }

    /// The page, with a script, as the answer to a request that nobody is signed in for: what [`super::Refusal::SignInNeeded`] says, by a page
    /// that does more about it.
    #[must_use]
    pub fn into_challenge(self, script: &Script) -> Response {
        self.with_script(StatusCode::UNAUTHORIZED, script)
            .with(header::WWW_AUTHENTICATE, HeaderValue::from_static(super::CHALLENGE))
    }

    fn html(&self, status: StatusCode, more: &str) -> String {
        let title = escape(&self.title);
        let mut html = format!(
            "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
             <meta name=\"viewport\" content=\"width=device-width\"><meta name=\"color-scheme\" content=\"light dark\">\
             <title>{title}</title><style>{STYLE}</style></head><body><main><h1>{title}</h1><p>{}</p>",
            escape(&self.text)
        );
        let actions: String = self.actions.iter().map(Action::html).collect();
        // A write to a String cannot fail.
        if !actions.is_empty() {
            let _ = write!(html, "<div class=\"actions\">{actions}</div>");
        }
        if let Some(id) = &self.id {
            let (status, id) = (status.as_u16(), escape(id.as_str()));
            let _ = write!(html, "<footer>Error {status}. Reference: <code>{id}</code></footer>");
        }
        html.push_str("</main>");
        html.push_str(more);
        html.push_str("</body></html>");
        html
    }
}

fn hidden(html: &mut String, key: &str, name: &str, value: &str) {
    let _ = write!(html, "<input type=\"hidden\" {key}=\"{}\" value=\"{}\">", escape(name), escape(value));
}

fn respond(status: StatusCode, policy: HeaderValue, html: String) -> Response {
    Response::new(status)
        .with(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"))
        .with(header::CACHE_CONTROL, HeaderValue::from_static("no-store"))
        .with(header::CONTENT_SECURITY_POLICY, policy)
        .with(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"))
        // Not `no-referrer`: the page's own form would then say `Origin: null`, and could not prove that it is ours.
        .with(header::REFERRER_POLICY, HeaderValue::from_static("same-origin"))
        .with_body(html)
}

/// `text` for use in HTML text and in quoted attributes.
#[must_use]
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            c => escaped.push(c),
        }
    }
    escaped
}

/// No `form-action`: browsers apply it to the redirect to the identity server that follows a sign-out.
const CONTENT_SECURITY_POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'";

/// Contrasts are those of WCAG 2.2, level AA, in both schemes; a button is tall enough for a thumb; what has the focus is outlined. A page that
/// names a path of the application wraps it anywhere, so that a phone need not scroll sideways.
const STYLE: &str = "\
    :root{color-scheme:light dark;--back:#f6f7f9;--card:#fff;--text:#1c2330;--soft:#566074;--line:#dde1e8;\
    --key:#2456c8;--on-key:#fff}\
    @media(prefers-color-scheme:dark){:root{--back:#12151b;--card:#1a1f29;--text:#e6e9ef;--soft:#a3adbf;--line:#303848;\
    --key:#7aa2ff;--on-key:#0b1220}}\
    body{font:1rem/1.5 system-ui,sans-serif;margin:0;padding:1rem;background:var(--back);color:var(--text);\
    overflow-wrap:anywhere}\
    main{max-width:32rem;margin:12vh auto 0;padding:2rem;background:var(--card);border:1px solid var(--line);\
    border-radius:.75rem;box-sizing:border-box}\
    h1{font-size:1.35rem;line-height:1.3;margin:0 0 .5rem}p{margin:0}\
    .actions{display:flex;flex-wrap:wrap;gap:.75rem;margin-top:1.5rem}\
    a,button{display:inline-block;font:inherit;padding:.6rem 1.1rem;border:1px solid var(--key);border-radius:.4rem;\
    color:var(--on-key);background:var(--key);text-decoration:none;cursor:pointer}\
    .actions>:nth-child(n+2),.actions>:nth-child(n+2) button{color:var(--key);background:none}\
    a:hover,button:hover{text-decoration:underline}\
    :focus-visible{outline:3px solid var(--text);outline-offset:2px}\
    footer{margin-top:1.5rem;font-size:.85rem;color:var(--soft)}\
    @media(max-width:36rem){main{margin-top:0;padding:1.5rem}}";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_say_is_escaped() {
        let page = Page {
            title: "<t>".into(),
            text: "<script>alert('x')</script>".into(),
            actions: vec![Action::link("a\"b", "/x?a=1&b=\"><i>")],
            id: None,
        };
        let html = page.html(StatusCode::OK, "");
        assert!(!html.contains("<script") && !html.contains("<t>") && !html.contains("<i>"));
        assert!(html.contains("&lt;script&gt;alert(&#39;x&#39;)"));
    }
}
