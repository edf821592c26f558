//! The small pages that people see from us: nothing fetched from anywhere, readable in the dark, and without a script unless one is ours by
//! its nonce.

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
    /// What the reader can do, as links and buttons.
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
            Self::Link { label, url } => format!("<p><a href=\"{}\">{}</a></p>", escape(url), escape(label)),
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
        respond(status, HeaderValue::from_static(CONTENT_SECURITY_POLICY), self.html(""))
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
        respond(status, policy, self.html(&html))
    }

    /// The page, with a script, as the answer to a request that nobody is signed in for: what [`super::Refusal::SignInNeeded`] says, by a page
    /// that does more about it.
    #[must_use]
    pub fn into_challenge(self, script: &Script) -> Response {
        self.with_script(StatusCode::UNAUTHORIZED, script)
            .with(header::WWW_AUTHENTICATE, HeaderValue::from_static(super::CHALLENGE))
    }

    fn html(&self, more: &str) -> String {
        let title = escape(&self.title);
        let mut html = format!(
            "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
             <meta name=\"viewport\" content=\"width=device-width\"><meta name=\"color-scheme\" content=\"light dark\">\
             <title>{title}</title><style>{STYLE}</style></head><body><main><h1>{title}</h1><p>{}</p>",
            escape(&self.text)
        );
        for action in &self.actions {
            html.push_str(&action.html());
        }
        if let Some(id) = &self.id {
            // A write to a String cannot fail.
            let _ = write!(html, "<footer>Reference: <code>{}</code></footer>", escape(id.as_str()));
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

const STYLE: &str = "\
    :root{color-scheme:light dark}\
    body{font:1rem/1.5 system-ui,sans-serif;margin:0;background:#f6f7f9;color:#1c2330}\
    main{max-width:32rem;margin:12vh auto 0;padding:2rem;background:#fff;border:1px solid #dde1e8;border-radius:.75rem}\
    h1{font-size:1.35rem;margin:0 0 .5rem}\
    a,button{display:inline-block;font:inherit;color:#fff;background:#2456c8;border:0;border-radius:.4rem;\
    padding:.45rem 1rem;text-decoration:none;cursor:pointer}\
    footer{margin-top:1.5rem;font-size:.85rem;opacity:.75}\
    @media(max-width:36rem){main{margin:1rem}}\
    @media(prefers-color-scheme:dark){body{background:#12151b;color:#e6e9ef}main{background:#1a1f29;border-color:#303848}\
    a,button{background:#7aa2ff;color:#0b1220}}";

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
        let html = page.html("");
        assert!(!html.contains("<script") && !html.contains("<t>") && !html.contains("<i>"));
        assert!(html.contains("&lt;script&gt;alert(&#39;x&#39;)"));
    }
}
