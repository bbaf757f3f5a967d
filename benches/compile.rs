//! From the text of a program to its first training step: seconds in each stage, for examples and for deep networks, whose cost
//! a layer must not grow with their depth. `cargo bench --bench compile [-- NAME…]`.

use std::collections::HashMap;
use std::path::Path;
use std::time::{Duration, Instant};
use tilde_lang::algebra::{self, StepProgram};
use tilde_lang::backend::cpu::CpuPlan;
use tilde_lang::backend::{Plan, PlanOptions, Precision};
use tilde_lang::base::{Diagnostic, Sources};
use tilde_lang::check::{self, CheckOptions};
use tilde_lang::runtime::dataset::Dataset;
use tilde_lang::{pass, syntax};

const EXAMPLES: [&str; 7] = ["vae", "ddpm", "realnvp", "glow_digits", "ddpm_mnist", "ddpm_explicit", "cld"];
const DEPTHS: [usize; 3] = [10, 100, 1000];
/// Of each program the fastest of so many runs counts, since other work on the machine only adds.
const RUNS: usize = 5;

const STAGES: [&str; 8] = ["parse", "check", "data", "build", "optimise", "lower", "generate", "first step"];

/// How long each of [`STAGES`] took, and what came of it.
#[derive(Clone, Default)]
struct Measured {
    times: [Duration; STAGES.len()],
    built: usize,
    optimised: usize,
    loops: usize,
    functions: usize,
}

impl Measured {
    fn total(&self) -> Duration {
        self.times.iter().sum()
    }
}

/// A network of `depth` layers of its own weights with residual connections.
fn deep(depth: usize) -> String {
    format!(
        "dim D = 2\ndata x : Real[D] = moons(n: 1000, noise: 0.05)\n\
         net f(u : Real[D]) -> Real[D] {{\n  let h = dense[64](u)\n  repeat {depth} {{ h = h + tanh(dense[64](h)) }}\n  dense[D](h)\n}}\n\
         objective loss = mean((x - f(x))^2)\ntrain {{ minimize loss with Adam(1e-3)   batch: 100   steps: 10 }}\n"
    )
}

/// A flow of `depth` couplings.
fn couplings(depth: usize) -> String {
    format!(
        "dim D = 2\ndata x : Real[D] = moons(n: 1000, noise: 0.05)\n\
         net f(u : Real[D]) -> Real[D] {{\n  let h = u\n  repeat {depth} {{ h = flip(affine_coupling[64, 64](h)) }}\n  h\n}}\n\
         p = pushforward(f, Normal(0, 1))\ntrain {{ maximize log p(x) with Adam(1e-3)   batch: 100   steps: 10 }}\n"
    )
}

/// Takes the time since the last call.
struct Clock {
    last: Instant,
    stage: usize,
    measured: Measured,
}

impl Clock {
    fn tick(&mut self) {
        self.measured.times[self.stage] += self.last.elapsed();
        self.stage += 1;
        self.last = Instant::now();
    }
}

fn measure(text: &str, folder: &Path) -> Result<Measured, Diagnostic> {
    let mut sources = Sources::default();
    let file = sources.add("bench.tilde", text, false);
    let first = |problems: tilde_lang::base::Diagnostics| problems.0.into_iter().next().unwrap_or_else(|| Diagnostic::internal("rejected"));
    let mut clock = Clock { last: Instant::now(), stage: 0, measured: Measured::default() };
    let ast = syntax::parse(text, file).map_err(first)?;
    let library = check::library::load(&mut sources).map_err(first)?;
    clock.tick();
    let model = check::check(&ast, library, &CheckOptions::default()).map_err(first)?.model;
    clock.tick();
    let dataset = Dataset::load(&model, folder, 0, Precision::F32)?;
    clock.tick();
    let block = &model.trains[0];
    let rows = block.settings.batch.unwrap_or(dataset.split.train.len());
    let StepProgram { program, negated, updates, .. } = algebra::lower_step(&model, block, &dataset.counts, Some(rows))?;
    clock.tick();
    clock.measured.built = program.graph.nodes.len();
    let positions: HashMap<_, usize> = program.inputs.iter().zip(0..).collect();
    let in_place = updates.iter().enumerate().filter_map(|(i, role)| Some((*positions.get(role)?, negated.len() + i))).collect();
    let graph = pass::optimise(program.graph)?;
    clock.tick();
    clock.measured.optimised = graph.nodes.len();
    let mut plan = CpuPlan::new(&graph, &PlanOptions { precision: Precision::F32, threads: 2, in_place }, false)?;
    let statistics = plan.statistics();
    let generation = clock.last.elapsed() - statistics.lowering;
    clock.measured.times[5] = statistics.lowering;
    clock.measured.times[6] = generation;
    (clock.measured.loops, clock.measured.functions) = (statistics.loops, statistics.functions);
    (clock.last, clock.stage) = (Instant::now(), 7);
    plan.run();
    clock.tick();
    Ok(clock.measured)
}

/// The fastest run: not the first one, which alone parses what is reached of the library and loads the program's pages.
fn report(name: &str, text: &str, folder: &Path) {
    let best = (0..RUNS).map(|_| measure(text, folder)).collect::<Result<Vec<_>, _>>();
    let runs = match best {
        Ok(runs) => runs,
        Err(problem) => return println!("{name:>16}  {}", problem.message),
    };
    let Some(best) = runs.iter().min_by_key(|run| run.total()) else { return };
    let times: String = best.times.iter().map(|time| format!("{:>11.2}", time.as_secs_f64() * 1e3)).collect();
    let counts = format!("{} nodes, {} optimised, {} loops, {} functions", best.built, best.optimised, best.loops, best.functions);
    println!("{name:>16}{times}{:>11.2}   {counts}", best.total().as_secs_f64() * 1e3);
}

fn main() {
    let wanted: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let wants = |name: &str| wanted.is_empty() || wanted.iter().any(|wanted| name.starts_with(wanted.as_str()));
    println!("{:>16}{}{:>11}   milliseconds", "", STAGES.map(|stage| format!("{stage:>11}")).concat(), "total");
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    for name in EXAMPLES.iter().filter(|name| wants(name)) {
        match std::fs::read_to_string(folder.join(format!("{name}.tilde"))) {
            Ok(text) => report(name, &text, &folder),
            Err(error) => println!("{name:>16}  {error}"),
        }
    }
    for (kind, text) in [("layers", deep as fn(usize) -> String), ("couplings", couplings)] {
        for depth in DEPTHS {
            let name = format!("{kind} {depth}");
            if wants(&name) {
                report(&name, &text(depth), &folder);
            }
        }
    }
}
