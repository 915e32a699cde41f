//! Columns of text for the commands that list things.

const GAP: usize = 2; // blanks between columns

/// Rows of cells as lines, each column as wide as its widest cell.
pub fn columns<const N: usize>(rows: &[[String; N]]) -> String {
    let width = |column: usize| {
        let widths = rows.iter().map(|row| row[column].chars().count());
        widths.max().unwrap_or(0) + GAP
    };
    let widths: [usize; N] = std::array::from_fn(width);
    let line = |row: &[String; N]| {
        let cells = row.iter().zip(widths);
        let line: String = cells
            .map(|(cell, width)| format!("{cell:width$}"))
            .collect();
        format!("{}\n", line.trim_end())
    };
    rows.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let rows =
            [["id", "codec"], ["10", "–"], ["2", "mp4a.40.2"]].map(|row| row.map(str::to_owned));
        assert_eq!(columns(&rows), "id  codec\n10  –\n2   mp4a.40.2\n");
        assert_eq!(columns::<2>(&[]), "");
    }
}
