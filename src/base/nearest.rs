//! "Did you mean": the candidate closest to a misspelt name.

/// The candidate with the fewest edits, if close enough to be what was meant: at most a third of the name, ignoring case.
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let limit = (name.chars().count() / 3).max(1);
    let found = candidates.into_iter().map(|candidate| (edits(name, candidate), candidate)).min_by_key(|(edits, _)| *edits)?;
    (found.0 <= limit).then_some(found.1)
}

/// The distance of Damerau and Levenshtein: insertions, deletions and replacements of a character, swaps of two neighbours.
fn edits(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.to_lowercase().chars().collect(), b.to_lowercase().chars().collect());
    let mut table = vec![vec![0; b.len() + 1]; a.len() + 1];
    table[0] = (0..=b.len()).collect();
    for i in 1..=a.len() {
        table[i][0] = i;
        for j in 1..=b.len() {
            let replaced = table[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            table[i][j] = replaced.min(table[i - 1][j] + 1).min(table[i][j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                table[i][j] = table[i][j].min(table[i - 2][j - 2] + 1);
            }
        }
    }
    table[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn finds_a_misspelling_and_nothing_else() {
        assert_eq!(nearest("lables", ["images", "labels"]), Some("labels"));
        assert_eq!(nearest("xy", ["yx"]), Some("yx"));
        assert_eq!(nearest("Moons.csv", ["moons.csv", "iris.csv"]), Some("moons.csv"));
        assert_eq!(nearest("x", ["features", "labels"]), None);
    }
}
