//! The table of a profile.

use super::{Context, Row, rows};
use crate::runtime::profile::Profile;

/// Kernels with less than this share of the time are summed in one line.
const SMALL: f64 = 0.005;
/// At most that many lines.
const LINES: usize = 30;
/// Characters of the source text.
const TEXT: usize = 44;
const TITLE: usize = 52;

const HEAD: [&str; 11] = ["share", "time", "runs", "bytes", "GB/s", "of copy", "flop", "GFLOP/s", "of peak", "kernel", "source"];
/// Columns of numbers.
const NUMBERS: usize = 9;

/// Where the time of training goes, all for one training step: a head, then a line for each kernel, the longest first.
pub fn table(name: &str, profile: &Profile, context: &Context) -> String {
    let all = rows(profile);
    let total: f64 = all.iter().map(|row| row.seconds).sum();
    let elapsed = profile.elapsed.as_secs_f64() / profile.steps.max(1) as f64;
    let shown = all.iter().take(LINES).take_while(|row| row.seconds >= SMALL * total).count();
    let mut lines: Vec<Vec<String>> = vec![HEAD.map(str::to_owned).into()];
    lines.extend(all[..shown].iter().map(|row| line(row, elapsed, context)));
    let rest: f64 = all[shown..].iter().map(|row| row.seconds).sum();
    if shown < all.len() {
        lines.push(summed(rest, elapsed, &format!("{} more kernels", all.len() - shown)));
    }
    lines.push(summed((elapsed - total).max(0.0), elapsed, "outside of kernels"));
    head(name, profile, elapsed, context) + &aligned(&lines)
}

fn head(name: &str, profile: &Profile, elapsed: f64, context: &Context) -> String {
    let limits = &context.limits;
    let giga = |rate: f64| number(rate / 1e9);
    format!(
        "{name}: {} of {}. This machine, {} threads: copy {} GB/s in cache, {} GB/s in memory; peak {} GFLOP/s\n",
        if profile.steps == 1 { "1 run".to_owned() } else { format!("{} steps", profile.steps) },
        time(elapsed),
        limits.threads,
        giga(limits.cache),
        giga(limits.memory),
        giga(context.peak())
    )
}

fn line(row: &Row, elapsed: f64, context: &Context) -> Vec<String> {
    let source = format!("{}  {}", row.place(context.sources), cut(&row.text(context.sources), TEXT));
    let (moves, computes) = (row.bytes > 0.0, row.operations > 0.0);
    let when = |shown: bool, text: String| if shown { text } else { String::new() };
    vec![
        percent(row.seconds / elapsed),
        time(row.seconds),
        number(row.runs),
        when(moves, scaled(row.bytes)),
        when(moves, number(row.bytes / row.seconds / 1e9)),
        when(moves, percent(row.of_copy(&context.limits))),
        when(computes, scaled(row.operations)),
        when(computes, number(row.operations / row.seconds / 1e9)),
        when(computes, percent(row.of_peak(context))),
        cut(&row.title(), TITLE),
        source,
    ]
}

/// A line that has only a time.
fn summed(seconds: f64, elapsed: f64, title: &str) -> Vec<String> {
    let mut cells = vec![percent(seconds / elapsed), time(seconds)];
    cells.resize(NUMBERS, String::new());
    cells.extend([title.to_owned(), String::new()]);
    cells
}

/// Numbers to the right, words to the left.
fn aligned(lines: &[Vec<String>]) -> String {
    let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..HEAD.len()).map(width).collect();
    let row = |line: &Vec<String>| {
        let cell = |(column, text): (usize, &String)| {
            let space = " ".repeat(widths[column].saturating_sub(text.chars().count()));
            if column < NUMBERS { format!("{space}{text}") } else { format!("{text}{space}") }
        };
        line.iter().enumerate().map(cell).collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    lines.iter().map(row).collect::<Vec<_>>().join("\n")
}

fn cut(text: &str, length: usize) -> String {
    match text.chars().count() > length {
        true => text.chars().take(length - 1).chain(['…']).collect(),
        false => text.to_owned(),
    }
}

fn percent(share: f64) -> String {
    if share < 0.1 { format!("{:.1} %", share * 100.0) } else { format!("{:.0} %", share * 100.0) }
}

/// Three digits.
fn number(value: f64) -> String {
    match value {
        value if value >= 99.95 || value == value.round() => format!("{value:.0}"),
        value if value >= 9.995 => format!("{value:.1}"),
        value => format!("{value:.2}"),
    }
}

fn scaled(value: f64) -> String {
    let units = [(1e9, "G"), (1e6, "M"), (1e3, "k")];
    match units.iter().find(|(size, _)| value >= *size) {
        Some((size, unit)) => format!("{} {unit}", number(value / size)),
        None => number(value),
    }
}

fn time(seconds: f64) -> String {
    match seconds {
        s if s >= 1.0 => format!("{} s", number(s)),
        s if s >= 1e-3 => format!("{} ms", number(s * 1e3)),
        s => format!("{} µs", number(s * 1e6)),
    }
}
