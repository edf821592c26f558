//! What an endpoint is given and what it answers, free of the web framework.

use serde_json::Value;

use crate::http::{self, Headers};

/// A request as an endpoint saw it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    /// The method.
    pub method: String,
    /// The path, as it came.
    pub path: String,
    /// The query's parameters, decoded, in order.
    pub query: Headers,
    /// The headers; names in lower case.
    pub headers: Headers,
    /// The form's fields, decoded, in order; empty when the body is no form.
    pub form: Headers,
}

impl Received {
    /// The first header of this name.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        http::find(&self.headers, name)
    }

    /// The first field of this name in the form, else in the query.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&str> {
        let mut fields = self.form.iter().chain(&self.query);
        fields.find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// All fields: the query's, then the form's.
    pub(crate) fn fields(&self) -> Headers {
        [self.query.as_slice(), self.form.as_slice()].concat()
    }

    /// The value of a cookie.
    pub(crate) fn cookie(&self, name: &str) -> Option<&str> {
        let pairs = http::all(&self.headers, "cookie").flat_map(|line| line.split("; "));
        pairs.filter_map(|pair| pair.split_once('=')).find(|(key, _)| *key == name).map(|(_, value)| value)
    }
}

/// Decodes `application/x-www-form-urlencoded`.
pub(crate) fn decode_form(bytes: &[u8]) -> Headers {
    url::form_urlencoded::parse(bytes).into_owned().collect()
}

/// `url` with these parameters added to its query.
pub(crate) fn with_query(url: &str, parameters: &[(String, String)]) -> String {
    if parameters.is_empty() {
        return url.to_owned();
    }
    let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(parameters).finish();
    let joint = if url.contains('?') { '&' } else { '?' };
    format!("{url}{joint}{query}")
}

/// What an endpoint answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Headers,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn empty(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: Vec::new() }
    }

    pub(crate) fn json(status: u16, value: &Value) -> Self {
        Self { status, headers: Vec::new(), body: value.to_string().into_bytes() }
            .header("Content-Type", "application/json")
            .header("Cache-Control", "no-store")
    }

    /// An OAuth error (RFC 6749, section 5.2).
    pub(crate) fn error(status: u16, error: &str, description: &str) -> Self {
        let value = serde_json::json!({ "error": error, "error_description": description });
        let answer = Self::json(status, &value);
        if status == 401 { answer.header("WWW-Authenticate", "Basic realm=\"identity-server\"") } else { answer }
    }

    pub(crate) fn html(status: u16, page: String) -> Self {
        Self { status, headers: Vec::new(), body: page.into_bytes() }
            .header("Content-Type", "text/html; charset=utf-8")
            .header("Cache-Control", "no-store")
    }

    pub(crate) fn redirect(location: &str) -> Self {
        Self::empty(302).header("Location", location).header("Cache-Control", "no-store")
    }

    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }
}
