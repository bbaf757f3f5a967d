//! Steps as text around their formulas.

use super::Derivation;
use super::latex::{Latex, escaped};
use super::layout::{Line, Piece};
use super::typeset::{Notation, Setter, Symbol};
use super::unicode::Unicode;
use crate::algebra::Step;
use std::fmt::Write;

/// Columns of a terminal.
const WIDTH: usize = 100;

/// Columns, as read, of a line of a page in LaTeX.
const PAGE: usize = 78;

/// Each step with its number: 1, 1.1, 1.2, 2.
fn numbered<'s>(steps: &'s [Step], prefix: &str, visit: &mut dyn FnMut(&str, &'s Step)) {
    for (at, step) in steps.iter().enumerate() {
        let number = format!("{prefix}{}", at + 1);
        visit(&number, step);
        numbered(&step.steps, &format!("{number}."), visit);
    }
}

pub fn unicode(derivations: &[Derivation]) -> String {
    let mut out = String::new();
    for derivation in derivations {
        if !out.is_empty() {
            out.push('\n');
        }
        match &derivation.goal {
            Some(goal) => {
                let title = format!("{}: ", derivation.title);
                let goal = Setter(&Unicode).set(goal).lines(WIDTH - title.chars().count());
                write_lines(&mut out, &title, &goal);
            }
            None => out.push_str(&format!("{}\n", derivation.title)),
        }
        if let Some(other) = &derivation.as_for {
            let _ = writeln!(out, "\nas for {other}");
        }
        numbered(&derivation.steps, "", &mut |number, step| unicode_step(&mut out, number, step));
    }
    out
}

fn unicode_step(out: &mut String, number: &str, step: &Step) {
    let depth = number.matches('.').count();
    let indent = "  ".repeat(depth);
    let source = step.source.as_ref().map_or(String::new(), |source| format!("  [{source}]"));
    let _ = write!(out, "\n{indent}{number}. {}", step.rule);
    if !source.is_empty() && indent.len() + number.len() + 2 + step.rule.chars().count() + source.chars().count() > WIDTH {
        let _ = write!(out, "\n{indent}     {}", source.trim_start());
    } else {
        out.push_str(&source);
    }
    out.push('\n');
    let setter = Setter(&Unicode);
    let margin = format!("{indent}     ");
    let (before, after) = (setter.set(&step.before), setter.set(&step.after));
    let room = WIDTH - margin.len();
    if before.width() + 3 + after.width() <= room {
        let _ = writeln!(out, "{margin}{}{}{}", before.flat(), setter.text(Symbol::Relation(step.relation)).flat(), after.flat());
    } else {
        write_lines(out, &margin, &before.lines(room));
        let relation = setter.text(Symbol::Relation(step.relation)).flat();
        write_lines(out, &format!("{margin} {relation}"), &after.lines(room - 4));
    }
    for (at, remark) in step.remarks.iter().enumerate() {
        let lead = format!("{margin}{}", if at == 0 { "where " } else { "      " });
        write_lines(out, &lead, &setter.set(remark).lines(room - 6));
    }
}

/// The first line after `lead`, the others as far to the right.
fn write_lines(out: &mut String, lead: &str, lines: &[Line]) {
    let width = lead.chars().count();
    for (at, line) in lines.iter().enumerate() {
        let text = line.text.trim_end();
        let _ = match at {
            0 => writeln!(out, "{lead}{text}"),
            _ => writeln!(out, "{}{text}", " ".repeat(width + line.indent)),
        };
    }
}

pub fn markdown(derivations: &[Derivation]) -> String {
    let mut out = String::new();
    for derivation in derivations {
        if !out.is_empty() {
            out.push('\n');
        }
        let _ = writeln!(out, "## {}", derivation.title);
        if let Some(goal) = &derivation.goal {
            let _ = writeln!(out, "\n${}$", Setter(&Latex).set(goal).flat());
        }
        if let Some(other) = &derivation.as_for {
            let _ = writeln!(out, "\nAs for {other}.");
        }
        numbered(&derivation.steps, "", &mut |number, step| {
            let source = step.source.as_ref().map_or(String::new(), |source| format!(" ({source})"));
            let _ = writeln!(out, "\n**{number}. {}**{source}\n", step.rule);
            let _ = writeln!(out, "$$\n\\begin{{aligned}}\n{}\n\\end{{aligned}}\n$$", equation(step));
            if let Some(remarks) = remarks(step) {
                let _ = writeln!(out, "\nwhere {remarks}.");
            }
        });
    }
    out
}

pub fn latex(derivations: &[Derivation]) -> String {
    let mut out = String::from(PREAMBLE);
    for derivation in derivations {
        let _ = writeln!(out, "\\section*{{{}}}", escaped(&derivation.title));
        if let Some(goal) = &derivation.goal {
            let goal = aligned_lines("&", &Setter(&Latex).set(goal), PAGE);
            let _ = writeln!(out, "\\begin{{equation*}}\n\\begin{{split}}\n{goal}\n\\end{{split}}\n\\end{{equation*}}");
        }
        if let Some(other) = &derivation.as_for {
            let _ = writeln!(out, "As for {}.", escaped(other));
        }
        numbered(&derivation.steps, "", &mut |number, step| {
            let source = step.source.as_ref().map_or(String::new(), |source| format!(" \\emph{{{}}}", escaped(source)));
            let _ = writeln!(out, "\\paragraph{{{number}. {}}}{source}", escaped(&step.rule));
            let _ = writeln!(out, "\\begin{{align*}}\n{}\n\\end{{align*}}", equation(step));
            if let Some(remarks) = remarks(step) {
                let _ = writeln!(out, "\\noindent where {remarks}.");
            }
        });
    }
    out.push_str("\\end{document}\n");
    out
}

const PREAMBLE: &str = "\\documentclass{article}\n\\usepackage{amsmath}\n\\allowdisplaybreaks\n\\setlength{\\textwidth}{16.5cm}\n\
    \\setlength{\\oddsidemargin}{-0.3cm}\n\\setlength{\\parindent}{0pt}\n\\begin{document}\n";

/// `before &= after`, long lines broken.
fn equation(step: &Step) -> String {
    let setter = Setter(&Latex);
    let (before, after) = (setter.set(&step.before), setter.set(&step.after));
    let relation = Latex.symbol(Symbol::Relation(step.relation)).trim();
    if before.width() + after.width() + 3 <= PAGE {
        return format!("{} &{relation} {}", before.flat(), after.flat());
    }
    let first = aligned_lines("&", &before, PAGE);
    format!("{first} \\\\\n{}", aligned_lines(&format!("&\\quad {relation} "), &after, PAGE - 4))
}

fn aligned_lines(lead: &str, piece: &Piece, width: usize) -> String {
    let lines = piece.lines(width);
    let mut out = String::new();
    for (at, line) in lines.iter().enumerate() {
        let text = line.text.trim_end();
        if at == 0 {
            let _ = write!(out, "{lead}{text}");
        } else {
            let quads = "\\qquad".repeat(1 + usize::from(line.indent > 12));
            let _ = write!(out, " \\\\\n&{quads} {{}} {text}");
        }
    }
    out
}

fn remarks(step: &Step) -> Option<String> {
    let remarks: Vec<String> = step.remarks.iter().map(|remark| format!("${}$", Setter(&Latex).set(remark).flat())).collect();
    (!remarks.is_empty()).then(|| remarks.join(", "))
}
