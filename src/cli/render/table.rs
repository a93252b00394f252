//! Tables: a header, columns padded with blanks, nothing drawn.

use comfy_table::{CellAlignment, ContentArrangement, Table, presets};

/// A longer cell would push all others off the screen; `--json` has everything.
const WIDEST: usize = 60;

/// Lays out `rows` below `header`. Columns named in `numbers` (by index) are aligned to the right.
pub(in crate::cli) fn table(header: &[&str], rows: &[Vec<String>], numbers: &[usize]) -> String {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(header.iter().map(|name| name.to_uppercase()));
    for row in rows {
        table.add_row(row.iter().map(|cell| cut(cell)));
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
fn cut(cell: &str) -> String {
    match cell.char_indices().nth(WIDEST) {
        None => cell.to_owned(),
        Some(_) => cell.chars().take(WIDEST - 1).chain(['…']).collect(),
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
