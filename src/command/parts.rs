//! The parts of a file that are computed: goals of training, objectives, metrics, samples; each lowered, for its remarks and its
//! derivation.

use crate::algebra::{self, Formula, Note, RowCount, RowCounts, Step};
use crate::base::Diagnostics;
use crate::base::diagnostic::Result;
use crate::check::model::{Expr, Model, Train, TrainStmt};

/// One part of a file with what the algebra says about it.
pub struct Part {
    /// `train`, `metric iwae`
    pub title: String,
    pub goal: Formula,
    pub notes: Vec<Note>,
    pub steps: Vec<Step>,
}

/// Lowers every part of the file, so that what the algebra refuses is told too.
pub fn lower_all(model: &Model, counts: &RowCounts) -> std::result::Result<Vec<Part>, Diagnostics> {
    let rows = (!counts.is_empty()).then_some(2);
    let mut parts = vec![];
    let mut problems = Diagnostics::default();
    let mut keep = |part: Result<Part>| match part {
        Ok(part) => parts.push(part),
        Err(problem) => problems.push(problem),
    };
    for train in &model.trains {
        if train.body.iter().any(|stmt| matches!(stmt, TrainStmt::Optimise(_) | TrainStmt::Repeat { .. })) {
            keep(of_train(model, train, counts, rows.or(train.settings.batch)));
        }
    }
    for quantity in model.quantities.values() {
        let kind = if quantity.metric { "metric" } else { "objective" };
        keep(of_expression(model, &format!("{kind} {}", quantity.name), &quantity.value, counts));
    }
    for sample in &model.samples {
        let lowered = algebra::lower_sample(model, &sample.value, counts, 2);
        let goal = Formula::name(sample.name.as_str());
        keep(lowered.map(|evaluated| part(format!("sample {}", sample.name), goal, evaluated.program)));
    }
    if problems.is_empty() { Ok(parts) } else { Err(problems.sorted()) }
}

/// An expression over the rows of the data.
pub fn of_expression(model: &Model, title: &str, expr: &Expr, counts: &RowCounts) -> Result<Part> {
    let rows = (!counts.is_empty()).then_some(2);
    let lowered = algebra::lower_expression(model, expr, counts, rows)?;
    Ok(part(title.to_owned(), Formula::of_expr(model, expr), lowered.program))
}

fn of_train(model: &Model, train: &Train, counts: &RowCounts, rows: Option<usize>) -> Result<Part> {
    let title = train.name.as_ref().map_or("train".to_owned(), |name| format!("train {name}"));
    let step = algebra::lower_step(model, train, counts, rows)?;
    let mut goals = vec![];
    goals_of(model, &train.body, &mut goals);
    let goal = if goals.len() == 1 { goals.remove(0) } else { Formula::tuple(goals) };
    Ok(part(title, goal, step.program))
}

/// `maximize E_{x ∼ data}[ELBO(p, q)]` for each goal.
fn goals_of(model: &Model, body: &[TrainStmt], goals: &mut Vec<Formula>) {
    for stmt in body {
        match stmt {
            TrainStmt::Plain(_) => {}
            TrainStmt::Repeat { body, .. } => goals_of(model, body, goals),
            TrainStmt::Optimise(optimise) => {
                let value = Formula::of_expr(model, &optimise.value);
                let word = if optimise.maximize { "maximize" } else { "minimize" };
                let goal = if algebra::mentions_data(model, &optimise.value, &any_counts(model)) { over_rows(model, value) } else { value };
                if !goals.contains(&goal) {
                    goals.push(Formula::Mul(vec![Formula::words(word), goal]));
                }
            }
        }
    }
}

/// The mean over the rows of the data.
fn over_rows(model: &Model, value: Formula) -> Formula {
    let names = model.data.values().flat_map(|data| &data.vars).map(|&var| Formula::from(model.vars[var].name.as_str()));
    let names: Vec<Formula> = names.collect();
    let drawn = if let [one] = &names[..] { one.clone() } else { Formula::Tuple(names) };
    Formula::expectation([Formula::drawn(drawn, Formula::words("data"))], value)
}

fn part(title: String, goal: Formula, program: algebra::Program) -> Part {
    Part { title, goal, notes: program.notes, steps: program.derivation }
}

/// Counts of rows that stand for any: derivations do not depend on them.
pub fn any_counts(model: &Model) -> RowCounts {
    model.data.iter().filter(|(_, data)| !data.object).map(|(id, _)| (id, RowCount { all: 2, train: 2 })).collect()
}
