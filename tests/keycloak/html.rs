//! The forms of a page: as much HTML as Keycloak's login pages and ours need, and no more.

/// A form.
#[derive(Debug)]
pub(crate) struct Form {
    pub(crate) action: String,
    pub(crate) post: bool,
    /// Names and values of its inputs and named buttons, in their order.
    pub(crate) fields: Vec<(String, String)>,
}

/// Every form of a page.
pub(crate) fn forms(page: &str) -> Vec<Form> {
    let starts = page.match_indices("<form").map(|(at, _)| &page[at + "<form".len()..]);
    starts.filter_map(|rest| rest.split_once("</form>")).filter_map(|(form, _)| parse(form)).collect()
}

/// Where the frames of a page lead.
pub(crate) fn frames(page: &str) -> Vec<String> {
    let tags = page.match_indices("<iframe").filter_map(|(at, _)| page[at..].split_once('>'));
    tags.filter_map(|(tag, _)| attribute(tag, "src")).collect()
}

fn parse(form: &str) -> Option<Form> {
    let (head, body) = form.split_once('>')?;
    let post = attribute(head, "method").is_some_and(|method| method.eq_ignore_ascii_case("post"));
    let tags = body.split('<').filter(|tag| tag.starts_with("input") || tag.starts_with("button"));
    let fields = tags.filter_map(|tag| Some((attribute(tag, "name")?, attribute(tag, "value").unwrap_or_default())));
    Some(Form { action: attribute(head, "action").unwrap_or_default(), post, fields: fields.collect() })
}

/// The value of an attribute that stands in double quotes.
fn attribute(tag: &str, name: &str) -> Option<String> {
    let opening = format!("{name}=\"");
    let at = tag.match_indices(&opening).find(|(at, _)| tag[..*at].ends_with(char::is_whitespace))?.0;
    let (value, _) = tag[at + opening.len()..].split_once('"')?;
    Some(value.replace("&quot;", "\"").replace("&#x2f;", "/").replace("&#39;", "'").replace("&amp;", "&"))
}
