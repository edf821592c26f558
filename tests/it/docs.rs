//! The pages for users, held against the program: every code block is read by what would read it in earnest, and every link leads
//! somewhere. So an example cannot grow old unseen.
//!
//! A block says in its info string what it is, of which a rendered page shows nothing:
//!
//! | info string | what becomes of it |
//! |---|---|
//! | `json` | a whole `adapter.json`, or a `keycloak.json`: read by the configuration's own reader, with no fault |
//! | `json fragment`, `json fragment of sidecar` | members of such a file: read in the smallest file that works |
//! | `json example` | some other JSON: parsed |
//! | `sh` | parsed by bash; the commands of Doorward in it are parsed by its own command line |
//! | `sh run STORY`, with `in terminal N` and `and stay` | the same, and run by `tests/docs`, which tells what the words mean |
//! | `nginx`, `nginx fragment` | read by Debian's nginx, in `http` or in `server` |
//! | `yaml` | parsed, without the actions of a Helm template |
//! | `xml`, `html`, `ini`, `toml`, `python`, `http` | parsed |
//! | `apache`, `java` | parsed as far as sections and brackets go |
//! | `text` | a drawing, a synopsis, what a program prints |
//!
//! `example` may follow every language: parsed, and not to be run. Any other language, and a block without one, is a fault.

mod adapter_files;
mod blocks;
mod languages;
mod links;

use blocks::Page;

/// Every page that a user may open.
fn pages() -> Vec<Page> {
    blocks::pages(&["README.md", "docs", "charts", "packaging"])
}

#[test]
fn every_code_block_is_what_it_says_it_is() {
    let mut seen = 0;
    let mut faults = Vec::new();
    for page in pages() {
        for block in page.blocks() {
            seen += 1;
            if let Err(fault) = languages::check(&block) {
                faults.push(format!("{}:{}: {} {fault}", page.path, block.line, block.info));
            }
        }
    }
    assert!(seen > 20, "only {seen} blocks were found");
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

#[test]
fn every_link_of_a_page_leads_somewhere() {
    // Those for whoever changes the code, too.
    let pages =
        blocks::pages(&["README.md", "ARCHITECTURE.md", "CHANGELOG.md", "docs", "charts", "packaging", "tests"]);
    let faults: Vec<_> = pages.iter().flat_map(|page| links::faults(page, &pages)).collect();
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

#[test]
fn every_page_can_be_reached_from_the_readme() {
    let pages = pages();
    let mut reached = vec!["README.md".to_owned()];
    let mut next = 0;
    while let Some(path) = reached.get(next).cloned() {
        next += 1;
        let page = pages.iter().find(|page| page.path == path);
        let linked = page.into_iter().flat_map(links::pages_linked);
        let new: Vec<_> = linked.filter(|linked| !reached.contains(linked)).collect();
        reached.extend(new);
    }
    let lost: Vec<_> = pages.iter().filter(|page| !reached.contains(&page.path)).map(|page| &page.path).collect();
    assert!(lost.is_empty(), "no link leads to {lost:?}");
}

#[test]
fn every_key_that_the_configuration_knows_is_in_the_tables_of_the_readme() {
    let readme = Page::read("README.md").text;
    let keys = adapter_files::known_keys();
    assert!(keys.len() > 75, "{keys:?}");
    let told = |key: &str| readme.contains(&format!("`{key}`")) || readme.contains(&format!("`{key}."));
    let untold: Vec<_> = keys.iter().filter(|key| !told(key)).collect();
    assert!(untold.is_empty(), "the README does not tell of {untold:?}");
}
