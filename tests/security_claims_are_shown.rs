//! What SECURITY.md claims is shown by the tests that it names.

use std::{fs, path::Path};

#[test]
fn every_test_that_is_named_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = fs::read_to_string(root.join("SECURITY.md")).unwrap();
    let mut seen = 0;
    for named in page.split('`').skip(1).step_by(2).filter(|text| text.contains(".rs")) {
        let (file, test) = named.split_once("::").unwrap_or((named, ""));
        let text = fs::read_to_string(root.join(file)).unwrap_or_else(|error| panic!("{named}: {error}"));
        let tests =
            text.lines().filter(|line| ["#[test]", "#[tokio::test"].iter().any(|mark| line.trim().starts_with(mark)));
        assert!(tests.count() > 0, "{file} has no test");
        assert!(test.is_empty() || text.contains(&format!("fn {test}()")), "{named} does not exist");
        seen += 1;
    }
    assert!(seen > 20, "the page names almost no test: {seen}");
    let readme = fs::read_to_string(root.join("README.md")).unwrap();
    assert!(readme.contains("(SECURITY.md)"), "nobody finds the page");
}
