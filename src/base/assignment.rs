//! The assignment of least total cost, by shortest augmenting paths (Kuhn: The Hungarian method for the assignment problem, 1955; in the form
//! of Jonker, Volgenant: A shortest augmenting path algorithm for dense and sparse linear assignment problems, 1987). O(n³).

/// For each row of a square matrix of costs its column: a permutation whose costs have the least sum. Where a cost is not finite, every
/// row keeps its own column.
pub fn assignment(costs: &[f64], n: usize) -> Vec<usize> {
    Solver::new(n).solve(n, costs.iter().copied()).to_vec()
}

/// Memory for one assignment after another.
pub struct Solver {
    costs: Vec<f64>,
    /// Dual variables of rows and of columns
    rows: Vec<f64>,
    columns: Vec<f64>,
    /// The row of each column; n where it has none
    row_of: Vec<usize>,
    column_of: Vec<usize>,
    path: Path,
}

/// The shortest paths of reduced costs from one row to every column.
struct Path {
    distance: Vec<f64>,
    /// The column before; n where there is none
    before: Vec<usize>,
    done: Vec<bool>,
}

impl Solver {
    /// Room for matrices of up to `n` rows.
    pub fn new(n: usize) -> Solver {
        let (reals, places) = (|len| Vec::with_capacity(len), || Vec::with_capacity(n));
        Solver {
            costs: reals(n * n),
            rows: reals(n),
            columns: reals(n),
            row_of: places(),
            column_of: places(),
            path: Path { distance: reals(n), before: places(), done: Vec::with_capacity(n) },
        }
    }

    /// As [`assignment`]; allocates only where a matrix is larger than all before.
    pub fn solve(&mut self, n: usize, costs: impl Iterator<Item = f64>) -> &[usize] {
        refill(&mut self.costs, costs);
        refill(&mut self.column_of, 0..n);
        if self.costs.iter().any(|cost| !cost.is_finite()) {
            return &self.column_of;
        }
        refill(&mut self.rows, std::iter::repeat_n(0.0, n));
        refill(&mut self.columns, std::iter::repeat_n(0.0, n));
        refill(&mut self.row_of, std::iter::repeat_n(n, n));
        for row in 0..n {
            self.augment(n, row);
        }
        for (column, &row) in self.row_of.iter().enumerate() {
            self.column_of[row] = column;
        }
        &self.column_of
    }

    /// Gives one more row a column, along the shortest path to a column that is free.
    fn augment(&mut self, n: usize, start: usize) {
        let Solver { costs, rows, columns, row_of, path: Path { distance, before, done }, .. } = self;
        refill(distance, std::iter::repeat_n(f64::INFINITY, n));
        refill(before, std::iter::repeat_n(n, n));
        refill(done, std::iter::repeat_n(false, n));
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
}

/// Replaces all elements, in the same memory.
fn refill<T>(elements: &mut Vec<T>, with: impl Iterator<Item = T>) {
    elements.clear();
    elements.extend(with);
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
