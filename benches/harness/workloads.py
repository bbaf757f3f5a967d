"""What is measured: for each workload its commands, how closely the systems must agree, and the work that no system can avoid."""

from dataclasses import dataclass, replace
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
SPECIFICATIONS = REPOSITORY / "benches" / "workloads"
FLOAT = 4  # bytes
EARLY = 100  # steps from the start, as peers report their losses


@dataclass(frozen=True)
class Contraction:
    """`count` times: sum over j of a[b, i, j] c[b, j, l]. The layout tells which operand lies in memory with its two axes exchanged."""

    count: float
    rows: int
    inner: int
    columns: int
    batch: int = 1
    layout: str = "nn"

    @property
    def operations(self) -> float:
        return 2.0 * self.count * self.batch * self.rows * self.inner * self.columns


@dataclass(frozen=True)
class Workload:
    name: str
    title: str
    peers: tuple[str, ...]
    steps: int
    """Of a timed run: of the optimiser, sweeps of all draws, iterations; 1 where there is one result"""
    tolerance: float
    """How far apart the systems' losses may be: means over the second half, or with a common start each of the first"""
    contractions: tuple[Contraction, ...]
    bytes: float
    """Moved at least in a step: parameters and optimiser's state read and written, data read, activations written"""
    kind: str = "train"
    specification: str = ""
    common_batch: int = 0
    """Where it is given, all systems start from Tilde's parameters and take its minibatches of so many rows. Nothing else is random,
    so that their first losses are compared"""

    @property
    def file(self) -> Path:
        return SPECIFICATIONS / f"{self.specification or self.name}.tilde"

    @property
    def compared_steps(self) -> list[int]:
        """The first steps whose losses Tilde logs: step 1 and every hundredth of all."""
        every = max(self.steps // 100, 1)
        return sorted({1, *range(every, EARLY + 1, every)})

    def quick(self) -> "Workload":
        """With a fifth of the steps where their number is free; losses that are still falling agree less closely."""
        if self.kind != "train":
            return self
        tolerance = self.tolerance if self.common_batch else 2 * self.tolerance
        return replace(self, steps=max(200, self.steps // 500 * 100), tolerance=tolerance)


SCAN, JIT = ("--mode", "scan"), ("--mode", "jit")
FLAGS = {"jax-scan": SCAN, "jax-jit": JIT, "torch-eager": (), "torch-compile": ("--compile",), "sklearn": ()}
LIBRARY = {"jax-scan": "jax", "jax-jit": "jax", "torch-eager": "torch", "torch-compile": "torch", "sklearn": "sklearn"}
FOUR = ("jax-scan", "jax-jit", "torch-eager", "torch-compile")

DRAWS, SWEEPS, POINTS = 10_000, 1000, 1000


def dense(rows: int, inner: int, columns: int, count: int = 1, of_input: bool = True) -> list[Contraction]:
    """A dense layer with its derivatives; those by the input are left out where the input is data."""
    forward = Contraction(count, rows, inner, columns)
    by_weights = Contraction(count, inner, rows, columns, layout="tn")
    by_input = Contraction(count, rows, columns, inner, layout="nt")
    return [forward, by_weights, *([by_input] if of_input else [])]


def adam(parameters: int) -> float:
    """Bytes: parameter and two moments, read and written."""
    return 6 * FLOAT * parameters


def layers(*sizes: int) -> int:
    """Parameters of dense layers."""
    return sum(inner * columns + columns for inner, columns in zip(sizes, sizes[1:]))


def vae() -> Workload:
    b, d, h, z = 100, 784, 500, 20
    work = [*dense(b, d, h, of_input=False), *dense(b, h, z, count=2), *dense(b, z, h), *dense(b, h, d)]
    parameters = layers(d, h) + 2 * layers(h, z) + layers(z, h, d)
    moved = adam(parameters) + FLOAT * b * (2 * d + 2 * h + 3 * z)
    return Workload("vae", "VAE 784-500-20, batch 100", FOUR, 500, 2.0, tuple(work), moved)


def ddpm() -> Workload:
    b, d, h = 512, 34, 128
    work = [*dense(b, d, h, of_input=False), *dense(b, h, h, count=2), *dense(b, h, 2)]
    moved = adam(layers(d, h, h, h, 2)) + FLOAT * b * (2 + 34 + 3 * h + 2)
    return Workload("ddpm", "DDPM in 2-D, 3 x 128, batch 512", FOUR, 1000, 0.02, tuple(work), moved)


def ddpm_draw() -> Workload:
    n, h = DRAWS, 128
    work = (Contraction(1, n, 2, h), Contraction(2, n, h, h), Contraction(1, n, h, 2))
    moved = FLOAT * (2 * 2 * n + layers(2, h, h, h, 2))
    return Workload("ddpm_draw", "its 10,000 draws, a sweep of 1,000", FOUR, SWEEPS, 0.04, work, moved, "draw", "ddpm")


def gmm_em() -> Workload:
    n, d, k = 100_000, 16, 32
    moments = 1 + d + d * (d + 1) // 2
    work = (Contraction(1, n, moments, k), Contraction(1, k, n, moments, layout="tn"))
    moved = FLOAT * (n * d + n * k)
    return Workload("gmm_em", "GMM by EM, 100,000 x 16, K = 32", (*FOUR, "sklearn"), 50, 1e-4 * 27, work, moved, "em")


def rbm() -> Workload:
    b, v, h = 100, 784, 500
    work = (Contraction(2, b, v, h), Contraction(1, b, h, v, layout="nt"), Contraction(2, v, b, h, layout="tn"))
    moved = 2 * FLOAT * (v * h + v + h) + FLOAT * b * (2 * v + 3 * h)
    return Workload("rbm", "RBM 784 x 500, CD-1, batch 100", FOUR, 500, 1.0, work, moved)


def realnvp() -> Workload:
    b, h, couplings = 512, 64, 8
    work = [*dense(b, 1, h, couplings), *dense(b, h, h, couplings), *dense(b, h, 2, couplings)]
    moved = couplings * (adam(layers(1, h, h, 2)) + FLOAT * b * (2 * h + 4)) + FLOAT * b * 2
    # Training is unstable at this rate: JAX alone, with seeds 0 to 4, ends between 0.62 and 1.15
    title = "RealNVP, 8 couplings, 2 x 64, batch 512"
    return Workload("realnvp", title, FOUR, 2000, 1e-3, tuple(work), moved, common_batch=b)


def likelihood() -> Workload:
    """139 steps a point on average (diffrax), of 6 drifts and, by Lobatto's rule, of 2 drifts with their derivatives along both axes and of
    the derivatives at the end."""
    n, h, evaluations = POINTS, 128, 139 * (6 + 2 * 3 + 2)
    work = (Contraction(evaluations, n, 2, h), Contraction(2 * evaluations, n, h, h), Contraction(evaluations, n, h, 2))
    moved = FLOAT * evaluations * (4 * n + layers(34, h, h, h, 2))
    peers = ("jax-jit", "torch-eager", "torch-compile")
    return Workload("likelihood", "ODE likelihood of 1,000 points, Dopri5 1e-5", peers, 1, 2e-3, work, moved, "likelihood")


def attention() -> Workload:
    b, n, w, heads, kinds = 64, 32, 64, 4, 64
    c, rows = w // heads, b * n
    work = [*dense(rows, w, 3 * w), *dense(rows, w, w), *dense(rows, w, 4 * w), *dense(rows, 4 * w, w), *dense(b * (n - 1), w, kinds)]
    each = b * heads
    work += [Contraction(1, n, c, n, each, "nt"), Contraction(1, n, n, c, each)]
    work += [Contraction(1, n, c, n, each, "nt"), Contraction(1, n, n, c, each, "tn")]
    work += [Contraction(1, n, n, c, each), Contraction(1, n, n, c, each, "tn")]
    parameters = kinds * w + n * w + 4 * w * w + layers(w, 4 * w, w) + layers(w, kinds) + 6 * w
    moved = adam(parameters) + FLOAT * (rows * (3 * w + 3 * w + w + 4 * w + kinds) + each * n * n)
    title = "Transformer block, 64 x 32 tokens, width 64"
    return Workload("attention", title, FOUR, 300, 1e-3, tuple(work), moved, common_batch=b)


def all_workloads() -> dict[str, Workload]:
    made = [vae(), ddpm(), ddpm_draw(), gmm_em(), rbm(), realnvp(), likelihood(), attention()]
    return {workload.name: workload for workload in made}
