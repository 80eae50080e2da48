//! Compares the tables of a page of a provider's documentation with the provider's own description.

use std::fmt::Write as _;
use std::path::Path;

use tulbur_core::OperationInfo;

/// A page with tables between `<!-- name: … -->` and `<!-- end -->`, for a provider's own tests.
#[derive(Debug, Clone)]
pub struct BookPage(String);

impl BookPage {
    /// Reads the page at `path`, seen from the crate's folder (`env!("CARGO_MANIFEST_DIR")`).
    ///
    /// # Panics
    /// When there is no such file.
    pub fn read(folder: &str, path: &str) -> Self {
        let path = Path::new(folder).join(path);
        let text = std::fs::read_to_string(&path);
        Self(text.unwrap_or_else(|error| panic!("{} cannot be read: {error}", path.display())))
    }

    /// Compares the rows of a table, without its heading, with these.
    ///
    /// # Panics
    /// When the page has no such table, or another row than these. The message has the whole table.
    pub fn has_rows(&self, name: &str, rows: &[String]) {
        let (_, after) = self.0.split_once(&format!("<!-- {name}:")).expect("the page has the marker");
        let (table, _) = after.split_once("<!-- end -->").expect("the table ends");
        let found: Vec<&str> = table.lines().skip(1).filter(|line| !line.is_empty()).skip(2).collect();
        assert_eq!(found, rows, "the table should be:\n{}", rows.join("\n"));
    }

    /// Compares a table of operations, with the columns ability, name, wire, evidence and source.
    ///
    /// # Panics
    /// As [`BookPage::has_rows`].
    pub fn has_operations(&self, name: &str, operations: &[OperationInfo]) {
        let row = |one: &OperationInfo| {
            let mut row = format!("| {} | `{}` |", one.ability.as_str(), one.name);
            // Writing to a text cannot fail.
            let _ = write!(row, " {} | {} | {} |", one.wire, one.evidence, one.source);
            row
        };
        self.has_rows(name, &operations.iter().map(row).collect::<Vec<_>>());
    }
}

#[cfg(test)]
mod tests {
    use tulbur_core::{Ability, Evidence};

    use super::*;

    const PAGE: &str = "<!-- operations: by a test -->\n| a | b |\n|---|---|\n| query | `ask` | GET /q | documented | page 1 |\n<!-- end -->";

    #[test]
    fn a_row_that_is_there_is_found() {
        let ask = OperationInfo::new(Ability::Query, "ask", "GET /q", Evidence::Documented, "page 1");
        BookPage(PAGE.into()).has_operations("operations", &[ask]);
    }

    #[test]
    #[should_panic(expected = "the table should be")]
    fn a_row_that_differs_is_told_with_the_whole_table() {
        let ask = OperationInfo::new(Ability::Query, "ask", "GET /other", Evidence::Documented, "page 1");
        BookPage(PAGE.into()).has_operations("operations", &[ask]);
    }
}
