//! `redirect-rewrite-rules`: an object of regular expressions and replacements, of which Keycloak's adapters use the first that stands
//! in the file.

use super::value::{Node, Object};
use crate::login::{RedirectRewrite, RewriteError};

/// The first rule. What it makes of our callback must be a path of this site.
pub(super) fn read(root: &Object<'_>, prefix: &str) -> Option<RedirectRewrite> {
    let mut members = root.at("redirect-rewrite-rules").members().into_iter();
    let (pattern, replacement) = members.next()?;
    for (_, further) in members {
        further.warn("has no effect: only the first rule of the file is used");
    }
    let rewrite = rule(pattern, &replacement)?;
    let callback = rewrite.apply(&format!("{prefix}/callback"));
    if !is_plain_path(&callback) {
        replacement.fault("makes of `<path-prefix>/callback` something that is no path: it must begin with one `/`");
    }
    Some(rewrite)
}

fn rule(pattern: &str, replacement: &Node<'_>) -> Option<RedirectRewrite> {
    let text = match replacement.raw() {
        // To take something away is a replacement too.
        Some(empty) if *empty == "" => "",
        _ => replacement.text()?,
    };
    RedirectRewrite::new(pattern, text)
        .inspect_err(|error| match error {
            RewriteError::Pattern => replacement.fault(format!("its name {error}")),
            RewriteError::Replacement => replacement.fault(error),
        })
        .ok()
}

/// A path that no browser reads as another host, and that a URL holds as it stands.
fn is_plain_path(path: &str) -> bool {
    let proper = |byte: u8| byte.is_ascii_graphic() && !b"\\?#\"<>^`{|}".contains(&byte);
    path.starts_with('/') && !path.contains("//") && path.bytes().all(proper)
}
