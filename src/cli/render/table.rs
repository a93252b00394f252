//! Tables: a header, columns padded with blanks, nothing drawn.

use comfy_table::{CellAlignment, ContentArrangement, Table, presets};

/// A longer cell would push all others off the screen; `--json` has everything.
const WIDEST: usize = 60;

/// The same for the last column, in which a job's id is whole.
const WIDEST_LAST: usize = 300;

/// Lays out `rows` below `header`. Columns named in `numbers` (by index) are aligned to the right.
pub(in crate::cli) fn table(header: &[&str], rows: &[Vec<String>], numbers: &[usize]) -> String {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(header.iter().map(|name| name.to_uppercase()));
    for row in rows {
        // The last column pushes no other off the screen.
        let widest = |index| if index + 1 == row.len() { WIDEST_LAST } else { WIDEST };
        table.add_row(row.iter().enumerate().map(|(index, cell)| cut(cell, widest(index))));
    }
    for (index, column) in table.column_iter_mut().enumerate() {
        column.set_padding((0, 2));
        if numbers.contains(&index) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    let lines: Vec<String> = table.lines().map(|line| line.trim_end().to_owned()).collect();
    lines.join("\n")
}

/// At most so many characters, the last of them `…` if any are missing.
fn cut(cell: &str, widest: usize) -> String {
    match cell.char_indices().nth(widest) {
        None => cell.to_owned(),
        Some(_) => cell.chars().take(widest - 1).chain(['…']).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_cell_is_cut_and_says_so() {
        let text = table(&["a", "b"], &[vec!["é".repeat(200), "end".to_owned()]], &[]);
        let line = text.lines().last().unwrap();
        assert_eq!(line, format!("{}…  end", "é".repeat(WIDEST - 1)));
    }
}
