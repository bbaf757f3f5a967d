//! The assignment of least total cost, by shortest augmenting paths (Kuhn: The Hungarian method for the assignment problem, 1955; in the form
//! of Jonker, Volgenant: A shortest augmenting path algorithm for dense and sparse linear assignment problems, 1987). O(n³).

/// For each row of a square matrix of costs its column: a permutation whose costs have the least sum. Where a cost is not finite, every
/// row keeps its own column.
pub fn assignment(costs: &[f64], n: usize) -> Vec<usize> {
    if costs.iter().any(|cost| !cost.is_finite()) {
        return (0..n).collect();
    }
    let (mut rows, mut columns) = (vec![0.0; n], vec![0.0; n]);
    // The row of each column; n where it has none
    let mut row_of = vec![n; n];
    for row in 0..n {
        augment(costs, n, row, (&mut rows, &mut columns), &mut row_of);
    }
    let mut column_of = vec![0; n];
    for (column, row) in row_of.into_iter().enumerate() {
        column_of[row] = column;
    }
    column_of
}

/// Gives one more row a column, along the shortest path of reduced costs to a column that is free.
fn augment(costs: &[f64], n: usize, start: usize, (rows, columns): (&mut [f64], &mut [f64]), row_of: &mut [usize]) {
    let (mut distance, mut before, mut done) = (vec![f64::INFINITY; n], vec![n; n], vec![false; n]);
    let (mut row, mut last, mut passed) = (start, n, 0.0);
    let free = loop {
        let (mut nearest, mut least) = (n, f64::INFINITY);
        for column in (0..n).filter(|column| !done[*column]) {
            let through = passed + costs[row * n + column] - rows[row] - columns[column];
            if through < distance[column] {
                (distance[column], before[column]) = (through, last);
            }
            if distance[column] < least || nearest == n {
                (nearest, least) = (column, distance[column]);
            }
        }
        (passed, last, done[nearest]) = (least, nearest, true);
        match row_of[nearest] {
            taken if taken < n => row = taken,
            _ => break nearest,
        }
    };
    rows[start] += passed;
    for column in (0..n).filter(|column| done[*column] && *column != free) {
        rows[row_of[column]] += passed - distance[column];
        columns[column] -= passed - distance[column];
    }
    let mut column = free;
    while column < n {
        let next = before[column];
        row_of[column] = if next < n { row_of[next] } else { start };
        column = next;
    }
}

#[cfg(test)]
mod tests {
    use super::assignment;
    use crate::base::philox::{philox4x32, uniform};

    fn least(costs: &[f64], n: usize, free: &mut Vec<usize>) -> f64 {
        let row = n - free.len();
        if free.is_empty() {
            return 0.0;
        }
        (0..free.len())
            .map(|i| {
                let column = free.remove(i);
                let sum = costs[row * n + column] + least(costs, n, free);
                free.insert(i, column);
                sum
            })
            .fold(f64::INFINITY, f64::min)
    }

    #[test]
    fn the_sum_of_costs_is_least() {
        for (turn, n) in (0..40u32).zip([0, 1, 2, 3, 5, 6].into_iter().cycle()) {
            let costs: Vec<f64> = (0..(n * n) as u32).map(|i| uniform(philox4x32([i, turn, 0, 0], [1, 2])[0]) - 0.3).collect();
            let found = assignment(&costs, n);
            let mut sorted = found.clone();
            sorted.sort_unstable();
            assert_eq!(sorted, (0..n).collect::<Vec<_>>());
            let sum: f64 = found.iter().enumerate().map(|(row, column)| costs[row * n + column]).sum();
            assert!((sum - least(&costs, n, &mut (0..n).collect())).abs() < 1e-12);
        }
        assert_eq!(assignment(&[1.0, f64::NAN, 0.0, 1.0], 2), [0, 1]);
    }
}
