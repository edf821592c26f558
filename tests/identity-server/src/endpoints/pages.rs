//! The few pages that people see.

use crate::http::Headers;

/// A page with a heading and trusted markup below it.
pub(super) fn page(title: &str, markup: &str) -> String {
    let title = escape(title);
    format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>{title}</title>\
         <meta name=\"viewport\" content=\"width=device-width\"><style>{STYLE}</style></head>\
         <body><main><h1>{title}</h1>{markup}</main></body></html>"
    )
}

/// A page with one sentence.
pub(super) fn message(title: &str, text: &str) -> String {
    page(title, &format!("<p>{}</p>", escape(text)))
}

/// The login page; field names and form id as at Keycloak.
pub(super) fn login(action: &str, hint: Option<(&str, &str)>, complaint: Option<&str>) -> String {
    let complaint = complaint.map(|text| format!("<p role=\"alert\">{}</p>", escape(text))).unwrap_or_default();
    let hint = hint
        .map(|(username, password)| format!("<p><small>Try {} / {}</small></p>", escape(username), escape(password)));
    let markup = format!(
        "{complaint}<form id=\"kc-form-login\" method=\"post\" action=\"{}\">\
         <label>User name<input name=\"username\" autocomplete=\"username\" autofocus></label>\
         <label>Password<input name=\"password\" type=\"password\" autocomplete=\"current-password\"></label>\
         <button>Sign in</button></form>{}",
        escape(action),
        hint.unwrap_or_default()
    );
    page("Sign in", &markup)
}

/// A page that posts itself to the client (OAuth 2.0 Form Post Response Mode, section 5).
pub(super) fn form_post(action: &str, parameters: &Headers) -> String {
    let inputs = parameters.iter().map(|(name, value)| hidden(name, value)).collect::<String>();
    let action = escape(action);
    let form = format!("<form method=\"post\" action=\"{action}\">{inputs}<button>Continue</button></form>");
    page("One moment", &format!("{form}<script>document.forms[0].submit()</script>"))
}

/// A hidden input.
pub(super) fn hidden(name: &str, value: &str) -> String {
    format!("<input type=\"hidden\" name=\"{}\" value=\"{}\">", escape(name), escape(value))
}

/// Text for markup and for quoted attributes.
pub(super) fn escape(text: &str) -> String {
    let quote = |character| match character {
        '&' => "&amp;".to_owned(),
        '<' => "&lt;".to_owned(),
        '>' => "&gt;".to_owned(),
        '"' => "&#34;".to_owned(),
        '\'' => "&#39;".to_owned(),
        other => other.to_string(),
    };
    text.chars().map(quote).collect()
}

const STYLE: &str = ":root{color-scheme:light dark;font:16px/1.5 system-ui,sans-serif}\
body{margin:0;min-height:100vh;display:grid;place-items:center}main{width:min(24rem,90vw)}\
label,input{display:block;width:100%;box-sizing:border-box}input,button{font:inherit;padding:.5rem;margin:.25rem 0 1rem}\
[role=alert]{color:#c33}li{margin:.5rem 0}";
