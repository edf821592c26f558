//! Links between pages, and to their headings. What leads out of the repository is not followed, since tests need no network; it must
//! be a URL.

use std::path::{Component, Path, PathBuf};

use super::blocks::{Page, root};

/// What is wrong with the links of `page`; `pages` are those whose headings are known.
pub(super) fn faults(page: &Page, pages: &[Page]) -> Vec<String> {
    let wrong = |(line, target): (usize, String)| {
        fault(page, &target, pages).map(|fault| format!("{}:{line}: `{target}` {fault}", page.path))
    };
    targets(page).into_iter().filter_map(wrong).collect()
}

/// The pages that `page` links to.
pub(super) fn pages_linked(page: &Page) -> Vec<String> {
    let file = |(_, target): (usize, String)| target.split('#').next().unwrap_or_default().to_owned();
    let inside = |target: &String| !target.is_empty() && !is_outside(target);
    targets(page).into_iter().map(file).filter(inside).map(|file| resolve(&page.path, &file)).collect()
}

fn fault(page: &Page, target: &str, pages: &[Page]) -> Option<&'static str> {
    if is_outside(target) {
        return url::Url::parse(target).is_err().then_some("is no URL");
    }
    let (file, anchor) = target.split_once('#').map_or((target, None), |(file, anchor)| (file, Some(anchor)));
    let path = if file.is_empty() { page.path.clone() } else { resolve(&page.path, file) };
    if !root().join(&path).exists() {
        return Some("is not there");
    }
    let wanted = anchor?;
    let headings = pages.iter().find(|page| page.path == path).map(Page::anchors).unwrap_or_default();
    (!headings.iter().any(|heading| heading == wanted)).then_some("names no heading of that page")
}

fn is_outside(target: &str) -> bool {
    ["http://", "https://", "mailto:"].iter().any(|scheme| target.starts_with(scheme))
}

/// `[text](target)` and `<https://…>`, with their lines.
fn targets(page: &Page) -> Vec<(usize, String)> {
    let mut targets = Vec::new();
    for (line, text) in page.prose() {
        let mut rest = text.as_str();
        while let Some((_, after)) = rest.split_once("](") {
            let (target, after) = after.split_once(')').unwrap_or((after, ""));
            targets.push((line, target.to_owned()));
            rest = after;
        }
        let bare = text.split('<').skip(1).filter_map(|part| part.split_once('>')).map(|(target, _)| target);
        targets.extend(bare.filter(|target| is_outside(target)).map(|target| (line, target.to_owned())));
    }
    targets
}

/// `file` as `page` means it, from the repository's root.
fn resolve(page: &str, file: &str) -> String {
    let mut path = PathBuf::from(page);
    path.pop();
    for part in Path::new(file).components() {
        match part {
            Component::ParentDir => drop(path.pop()),
            Component::CurDir => {}
            other => path.push(other),
        }
    }
    path.to_str().unwrap().to_owned()
}
