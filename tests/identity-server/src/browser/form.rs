//! The first form of a page: enough for login pages, consent pages and `form_post`.

use url::Url;

use crate::{
    http::{Headers, Request},
    message::with_query,
};

/// A form, filled in as far as its page did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Form {
    /// Where it goes.
    pub action: Url,
    /// `get` or `post`, in lower case.
    pub method: String,
    /// Its inputs and buttons with a name, in order.
    pub fields: Headers,
}

impl Form {
    /// A form that posts these fields.
    ///
    /// # Errors
    /// When the action is no URL.
    pub fn post(action: &str, fields: &[(&str, &str)]) -> Result<Self, url::ParseError> {
        let fields = fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Ok(Self { action: Url::parse(action)?, method: "post".to_owned(), fields })
    }

    /// The first form of this markup.
    pub(super) fn first(page: &Url, markup: &str) -> Option<Self> {
        let start = find_tag(markup, "form", 0)?;
        let form = Tag::read(&markup[start..]);
        let length = markup[start..].find("</form").unwrap_or(markup.len() - start);
        let inside = &markup[start..start + length];
        let (mut fields, mut at) = (Headers::new(), 0);
        while let Some(found) = ["input", "button"].iter().filter_map(|name| find_tag(inside, name, at)).min() {
            let tag = Tag::read(&inside[found..]);
            if let Some(name) = tag.attribute("name") {
                fields.push((name, tag.attribute("value").unwrap_or_default()));
            }
            at = found + 1;
        }
        let action = form.attribute("action").unwrap_or_default();
        let method = form.attribute("method").unwrap_or_default().to_ascii_lowercase();
        let method = if method == "post" { method } else { "get".to_owned() };
        Some(Self { action: page.join(&action).ok()?, method, fields })
    }

    /// The same with this field filled in.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.fields.retain(|(key, _)| key != name);
        self.fields.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The value of a field.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    pub(super) fn url(&self) -> Url {
        let mut url = self.action.clone();
        if self.method == "get" {
            url.set_query(with_query("?", &self.fields).strip_prefix("?&"));
        }
        url
    }

    pub(super) fn request(&self) -> Request {
        if self.method == "get" {
            return Request::get("");
        }
        let fields: Vec<_> = self.fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        Request::form("", &fields)
    }
}

/// Where the next tag of this name begins.
fn find_tag(markup: &str, name: &str, from: usize) -> Option<usize> {
    let mut at = from;
    loop {
        let found = at + markup.get(at..)?.find('<')?;
        let rest = markup.get(found + 1..found + 1 + name.len());
        let ended = markup.as_bytes().get(found + 1 + name.len()).is_some_and(|byte| b" \t\r\n/>".contains(byte));
        if ended && rest.is_some_and(|rest| rest.eq_ignore_ascii_case(name)) {
            return Some(found);
        }
        at = found + 1;
    }
}

/// A start tag's attributes.
struct Tag(Headers);

impl Tag {
    /// Reads the tag that `markup` starts with.
    fn read(markup: &str) -> Self {
        let mut attributes = Headers::new();
        let mut rest = markup.split_once(|c: char| c.is_ascii_whitespace() || c == '>').map_or("", |(_, rest)| rest);
        loop {
            rest = rest.trim_start_matches(|c: char| c.is_ascii_whitespace() || c == '/');
            let end = rest.find(|c: char| c.is_ascii_whitespace() || "=>/".contains(c)).unwrap_or(rest.len());
            let (name, after) = rest.split_at(end);
            if name.is_empty() {
                return Self(attributes);
            }
            let (value, after) = match after.trim_start().strip_prefix('=') {
                Some(quoted) => value(quoted.trim_start()),
                None => ("", after),
            };
            attributes.push((name.to_ascii_lowercase(), unescape(value)));
            rest = after;
        }
    }

    fn attribute(&self, name: &str) -> Option<String> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone())
    }
}

fn value(text: &str) -> (&str, &str) {
    for quote in ['"', '\''] {
        if let Some((value, rest)) = text.strip_prefix(quote).and_then(|text| text.split_once(quote)) {
            return (value, rest);
        }
    }
    text.split_at(text.find(|c: char| c.is_ascii_whitespace() || c == '>').unwrap_or(text.len()))
}

/// The character references that servers write into attributes; `&amp;` last, or `&amp;lt;` would be read twice.
fn unescape(text: &str) -> String {
    let references = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#34;", "\""), ("&#39;", "'"), ("&#x27;", "'")];
    let more = [("&#61;", "="), ("&#x3D;", "="), ("&#43;", "+"), ("&#x2F;", "/"), ("&#38;", "&"), ("&amp;", "&")];
    references.iter().chain(&more).fold(text.to_owned(), |text, (from, to)| text.replace(from, to))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(markup: &str) -> Form {
        Form::first(&Url::parse("http://h/a/b?c").unwrap(), markup).unwrap()
    }

    #[test]
    fn a_login_page_like_keycloaks_is_read() {
        let form = form(
            "<!-- <formula> --><form id=\"kc-form-login\" onsubmit=\"login.disabled = true; return true;\" \
             action=\"http://k/realms/r/login-actions/authenticate?a=1&amp;b=2\" method='POST'>\
             <input tabindex=2 id=username name=\"username\" value=\"\" type=\"text\" autofocus />\
             <INPUT name=x value='&lt;&amp;lt;&#39;'/></form><input name=\"outside\">",
        );
        assert_eq!(form.action.as_str(), "http://k/realms/r/login-actions/authenticate?a=1&b=2");
        assert_eq!(form.method, "post");
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(form.fields, [pair("username", ""), pair("x", "<&lt;'")]);
    }

    #[test]
    fn a_form_without_action_goes_to_its_page_and_gets() {
        let form = form("<form><input name=q value=\"1 2\"></form>");
        assert_eq!(form.url().as_str(), "http://h/a/b?q=1+2");
    }
}
