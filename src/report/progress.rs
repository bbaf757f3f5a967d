//! How far training is: a line that rewrites itself on a terminal, a line at every tenth otherwise.

use super::console;
use indicatif::{ProgressBar, ProgressStyle};
use std::io::IsTerminal;
use std::time::{Duration, Instant};

/// Writes to standard error.
pub enum Progress {
    Quiet,
    Terminal(ProgressBar),
    Plain { tenths: Tenths, started: Instant },
}

impl Progress {
    /// For `total` steps of which `done` were made before (on resuming). `what` begins the line: the name of the `train` block.
    pub fn new(what: &str, done: u64, total: u64, quiet: bool) -> Progress {
        if quiet {
            return Progress::Quiet;
        }
        if !std::io::stderr().is_terminal() {
            return Progress::Plain { tenths: Tenths::new(what, done, total), started: Instant::now() };
        }
        let bar = ProgressBar::new(total).with_position(done).with_prefix(what.to_owned());
        bar.set_style(style());
        bar.reset_eta();
        Progress::Terminal(bar)
    }

    /// After a step, with the named quantities of the run as they stand.
    pub fn update(&mut self, step: u64, quantities: &[(&str, f64)]) {
        match self {
            Progress::Quiet => {}
            Progress::Terminal(bar) => {
                bar.set_message(shown(quantities));
                bar.set_position(step);
            }
            Progress::Plain { tenths, started } => {
                if let Some(line) = tenths.line(step, quantities, started.elapsed()) {
                    console::remark(line);
                }
            }
        }
    }

    /// Writes a line of its own, above the progress line where there is one.
    pub fn note(&self, line: &str) {
        match self {
            Progress::Quiet => {}
            Progress::Terminal(bar) => bar.println(line),
            Progress::Plain { .. } => console::remark(line),
        }
    }

    /// Leaves the line as it stands.
    pub fn finish(&self) {
        match self {
            Progress::Quiet | Progress::Plain { .. } => {}
            Progress::Terminal(bar) => bar.abandon(),
        }
    }
}

fn style() -> ProgressStyle {
    let template = "{prefix} {bar:24.blue/dim} {pos}/{len}  {msg}  {per_sec}  {eta} left";
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("━━╌").with_key(
        "per_sec",
        |state: &indicatif::ProgressState, out: &mut dyn std::fmt::Write| {
            // A line that cannot be written is only a line of progress less.
            let _ = write!(out, "{} steps/s", rate(state.per_sec()));
        },
    )
}

/// The lines where nothing can be rewritten: at the first step and whenever another tenth is done.
pub struct Tenths {
    what: String,
    done: u64,
    total: u64,
    /// Tenths that have had their line; none before the first step
    written: Option<u64>,
}

impl Tenths {
    pub fn new(what: &str, done: u64, total: u64) -> Tenths {
        Tenths { what: what.to_owned(), done, total, written: None }
    }

    /// The line due after this step, if any; `elapsed` since the steps done before.
    pub fn line(&mut self, step: u64, quantities: &[(&str, f64)], elapsed: Duration) -> Option<String> {
        let tenth = (10 * step).checked_div(self.total).unwrap_or(10);
        if self.written.is_some_and(|written| written >= tenth) {
            return None;
        }
        self.written = Some(tenth);
        let speed = (step - self.done.min(step)) as f64 / elapsed.as_secs_f64().max(1e-9);
        let left = self.total.saturating_sub(step) as f64 / speed.max(1e-9);
        let mut line = format!("{}  step {step}/{}  {}", self.what, self.total, shown(quantities));
        // The first step says nothing about speed.
        if elapsed.as_millis() >= 100 {
            line += &format!("  {} steps/s", rate(speed));
            if step < self.total {
                line += &format!("  {} left", duration(left));
            }
        }
        Some(line)
    }
}

fn shown(quantities: &[(&str, f64)]) -> String {
    let one = |(name, value): &(&str, f64)| format!("{name} {}", four_digits(*value));
    quantities.iter().map(one).collect::<Vec<_>>().join("  ")
}

/// With four significant digits: 105.3, 0.01234, 1.235e-7.
fn four_digits(value: f64) -> String {
    match value.abs() {
        size if !value.is_finite() || size == 0.0 => format!("{value}"),
        size if (1e-4..1e7).contains(&size) => format!("{value:.*}", (3.0 - size.log10().floor()).max(0.0) as usize),
        _ => format!("{value:.3e}"),
    }
}

fn rate(steps_per_second: f64) -> String {
    if steps_per_second < 10.0 { format!("{steps_per_second:.1}") } else { format!("{steps_per_second:.0}") }
}

/// To the second: 42 s, 3 min 5 s, 2 h 14 min.
fn duration(seconds: f64) -> String {
    let seconds = seconds.round().min(1e9) as u64;
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, s) => format!("{s} s"),
        (0, m, s) => format!("{m} min {s} s"),
        (h, m, _) => format!("{h} h {m} min"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_at_the_first_step_and_every_tenth() {
        let mut tenths = Tenths::new("train", 0, 250);
        let due: Vec<u64> = (1..=250).filter(|&step| tenths.line(step, &[], Duration::from_secs(step)).is_some()).collect();
        assert_eq!(due, [1, 25, 50, 75, 100, 125, 150, 175, 200, 225, 250]);
        let mut resumed = Tenths::new("train", 100, 200);
        let line = resumed.line(150, &[("loss", 105.3449), ("kl", 0.25)], Duration::from_secs(5)).unwrap();
        assert_eq!(line, "train  step 150/200  loss 105.3  kl 0.2500  10 steps/s  5 s left");
        assert!(resumed.line(200, &[], Duration::from_secs(10)).unwrap().ends_with("10 steps/s"));
    }

    #[test]
    fn numbers_keep_four_digits() {
        let shown = [0.0, 1.0, -105.3449, 0.012345, 1.23456e-7, 123456.7, 5e9, f64::NAN].map(four_digits);
        assert_eq!(shown, ["0", "1.000", "-105.3", "0.01235", "1.235e-7", "123457", "5.000e9", "NaN"]);
        assert_eq!([0.4, 185.0, 8040.0].map(duration), ["0 s", "3 min 5 s", "2 h 14 min"]);
    }
}
