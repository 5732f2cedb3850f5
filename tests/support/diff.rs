//! Two lists of lines side by side.

/// The lines of both, each marked ` ` (in both), `-` (missing) or `+` (too much), in order.
pub(crate) fn diff(expected: &[String], actual: &[String]) -> String {
    let common = common_lengths(expected, actual);
    let (mut i, mut j, mut out) = (0, 0, String::new());
    while i < expected.len() || j < actual.len() {
        if i < expected.len() && j < actual.len() && expected[i] == actual[j] {
            out += &format!("   {}\n", expected[i]);
            (i, j) = (i + 1, j + 1);
        } else if j == actual.len() || i < expected.len() && common[i + 1][j] >= common[i][j + 1] {
            out += &format!(" - {}\n", expected[i]);
            i += 1;
        } else {
            out += &format!(" + {}\n", actual[j]);
            j += 1;
        }
    }
    out
}

/// The length of the longest common subsequence of each pair of tails.
fn common_lengths(a: &[String], b: &[String]) -> Vec<Vec<usize>> {
    let mut table = vec![vec![0; b.len() + 1]; a.len() + 1];
    for i in (0..a.len()).rev() {
        for j in (0..b.len()).rev() {
            table[i][j] =
                if a[i] == b[j] { table[i + 1][j + 1] + 1 } else { table[i + 1][j].max(table[i][j + 1]) };
        }
    }
    table
}
