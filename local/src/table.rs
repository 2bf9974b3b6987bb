//! Tables for people.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Rows under their headings, columns as wide as what is in them, but never
/// wider than `widest` cells each.
pub fn render(headings: &[&str], rows: &[Vec<String>], widest: usize) -> String {
    let fit = |text: &str| shorten(&text.replace(['\n', '\r', '\t'], " "), widest);
    let rows: Vec<Vec<String>> = rows.iter().map(|row| row.iter().map(|cell| fit(cell)).collect()).collect();
    let mut widths: Vec<usize> = headings.iter().map(|heading| heading.width()).collect();
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.width());
        }
    }
    let line = |cells: &mut dyn Iterator<Item = &str>| {
        let mut text = String::new();
        for (cell, width) in cells.zip(&widths) {
            text.push_str(cell);
            text.push_str(&" ".repeat(width - cell.width().min(*width) + 2));
        }
        text.trim_end().to_owned()
    };
    let mut out = vec![line(&mut headings.iter().copied())];
    out.extend(rows.iter().map(|row| line(&mut row.iter().map(String::as_str))));
    out.join("\n")
}

/// The end of a text that is too wide for its column: the end of a path tells
/// more than its beginning.
fn shorten(text: &str, widest: usize) -> String {
    if text.width() <= widest {
        return text.to_owned();
    }
    let mut kept = Vec::new();
    let mut width = 1;
    for c in text.chars().rev() {
        width += c.width().unwrap_or(0);
        if width > widest {
            break;
        }
        kept.push(c);
    }
    format!("…{}", kept.into_iter().rev().collect::<String>())
}

/// Bars for counts, the longest `widest` cells wide; a count above 0 always has
/// a mark.
pub fn bars(counts: &[(String, u64)], widest: usize) -> String {
    const EIGHTHS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
    let most = counts.iter().map(|(_, count)| *count).max().unwrap_or(0).max(1);
    let label = counts.iter().map(|(label, _)| label.width()).max().unwrap_or(0);
    let digits = counts.iter().map(|(_, count)| count.to_string().len()).max().unwrap_or(0);
    let lines = counts.iter().map(|(name, count)| {
        let eighths = (*count as f64 / most as f64 * widest as f64 * 8.0).round() as usize;
        let eighths = eighths.max(usize::from(*count > 0));
        let part = EIGHTHS.get(eighths % 8).copied().unwrap_or_default();
        let pad = " ".repeat(label - name.width());
        format!("{name}{pad}  {count:>digits$}  {}{part}", "█".repeat(eighths / 8))
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// Bytes in the unit that suits them.
pub fn bytes(number: i64) -> String {
    const UNITS: [&str; 6] = ["B", "KB", "MB", "GB", "TB", "PB"];
    let mut value = number as f64;
    let mut unit = 0;
    while value >= 1000.0 && unit + 1 < UNITS.len() {
        value /= 1000.0;
        unit += 1;
    }
    let name = UNITS.get(unit).copied().unwrap_or_default();
    if unit == 0 { format!("{number} {name}") } else { format!("{value:.1} {name}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_fit() {
        let rows = vec![vec!["a/very/long/path/to/文件.jpg".to_owned(), "12".to_owned()]];
        let text = render(&["PATH", "SIZE"], &rows, 12);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines, ["PATH          SIZE", "…to/文件.jpg  12"]);
        let counts = [("2021-06".to_owned(), 4), ("2021-07".to_owned(), 1), ("2021-08".to_owned(), 0)];
        assert_eq!(bars(&counts, 2), "2021-06  4  ██\n2021-07  1  ▌\n2021-08  0  ");
        assert_eq!(bytes(999), "999 B");
        assert_eq!(bytes(1_234_567), "1.2 MB");
    }
}
