//! What the documents show is what the compiler reads.

use std::fs;
use std::path::Path;
use tilde_lang::base::Sources;
use tilde_lang::syntax;

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

/// The programs between the fences of a page.
fn programs(page: &str) -> Vec<&str> {
    page.split("```tilde\n").skip(1).filter_map(|rest| rest.split("```").next()).collect()
}

#[test]
fn the_readme_shows_the_examples_as_they_are() {
    let readme = read("README.md");
    let [vae, score_sde] = programs(&readme)[..] else { panic!("two programs") };
    assert!(read("examples/vae.tilde").ends_with(vae), "README.md and examples/vae.tilde differ");
    assert!(read("examples/score_sde.tilde").ends_with(score_sde), "README.md and examples/score_sde.tilde differ");
}

#[test]
fn the_programs_of_the_reference_follow_the_grammar() {
    let page = read("docs/language.md");
    let programs = programs(&page);
    assert!(programs.len() >= 4);
    for text in programs {
        let file = Sources::default().add("language.md", text, false);
        assert!(syntax::parse(text, file).is_ok(), "{text}");
    }
}

/// Every file that a page links to exists.
#[test]
fn links_lead_somewhere() {
    for (page, folder) in [("README.md", ""), ("docs/language.md", "docs/"), ("docs/architecture.md", "docs/")] {
        for link in read(page).split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            // `grad[x](e)` is no link.
            let outside = !link.contains('/') || link.contains("://");
            let target = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder).join(link);
            assert!(outside || target.exists(), "{page}: {link}");
        }
    }
}
