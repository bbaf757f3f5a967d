"""The least time that a workload's contractions and traffic can take here, by what the libraries and a plain copy reach."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable

import numpy as np

from harness.workloads import FLOAT, REPOSITORY, Contraction, Workload

SECONDS_A_CONTRACTION = 0.08
CRATE = REPOSITORY / "benches" / "contractions"


def least(call: Callable[[], object], seconds: float = SECONDS_A_CONTRACTION) -> float:
    """Seconds of a call: the least of blocks, since other work on the machine only adds."""
    call()
    start = time.perf_counter()
    call()
    once = time.perf_counter() - start
    size = max(1, int(seconds / 8 / max(once, 1e-7)))
    blocks = []
    for _ in range(8):
        start = time.perf_counter()
        for _ in range(size):
            call()
        blocks.append((time.perf_counter() - start) / size)
    return min(blocks)


def operands(c: Contraction) -> tuple[np.ndarray, np.ndarray]:
    """As they lie in memory."""
    rng = np.random.default_rng(0)
    a = (c.inner, c.rows) if c.layout[0] == "t" else (c.rows, c.inner)
    b = (c.columns, c.inner) if c.layout[1] == "t" else (c.inner, c.columns)
    shapes = [(c.batch, *shape) if c.batch > 1 else shape for shape in (a, b)]
    return tuple(rng.standard_normal(shape, dtype=np.float32) for shape in shapes)


def by_numpy(c: Contraction) -> float:
    a, b = operands(c)
    a, b = (m.swapaxes(-1, -2) if turned == "t" else m for m, turned in zip((a, b), c.layout))
    out = np.empty((*a.shape[:-1], b.shape[-1]), np.float32)
    return least(lambda: np.matmul(a, b, out=out))


def by_torch(c: Contraction) -> float:
    import torch

    a, b = (torch.from_numpy(m) for m in operands(c))
    a, b = (m.transpose(-1, -2) if turned == "t" else m for m, turned in zip((a, b), c.layout))
    out = torch.empty(*a.shape[:-1], b.shape[-1])
    return least(lambda: torch.matmul(a, b, out=out))


def by_jax(c: Contraction) -> float:
    import jax

    a, b = (jax.numpy.asarray(m) for m in operands(c))
    inner = [-1 if c.layout[0] == "n" else -2, -2 if c.layout[1] == "n" else -1]
    contracting = tuple((m.ndim + axis,) for m, axis in zip((a, b), inner))
    batch = ((0,), (0,)) if c.batch > 1 else ((), ())
    call = jax.jit(lambda a, b: jax.lax.dot_general(a, b, (contracting, batch)))
    return least(lambda: call(a, b).block_until_ready())


def by_crates(contractions: tuple[Contraction, ...]) -> list[dict[str, float]]:
    """Seconds of each by the crates gemm and faer; nothing where cargo is missing."""
    if not shutil.which("cargo"):
        return [{} for _ in contractions]
    build = ["cargo", "run", "--release", "--quiet", "--manifest-path", str(CRATE / "Cargo.toml")]
    lines = "".join(f"{c.rows} {c.inner} {c.columns} {c.batch} {c.layout}\n" for c in contractions)
    environment = os.environ | {"RUSTFLAGS": "-C target-cpu=native"}
    done = subprocess.run(build, input=lines, check=True, capture_output=True, text=True, env=environment)
    return [json.loads(line) for line in done.stdout.splitlines()]


def copy_seconds(moved: float) -> float:
    """Of a plain copy by all cores that reads and writes so many bytes together."""
    import torch

    source = torch.ones(max(1, int(moved / 2 / FLOAT)))
    target = torch.empty_like(source)
    return least(lambda: target.copy_(source))


def floor(workload: Workload) -> dict:
    """Milliseconds of a step, and how each contraction was done best."""
    rows = []
    for c, of_crates in zip(workload.contractions, by_crates(workload.contractions)):
        seconds = {"numpy": by_numpy(c), "torch": by_torch(c), "jax": by_jax(c)} | of_crates
        best = min(seconds, key=seconds.get)
        shape = f"{c.count:g} x [{c.batch}, {c.rows}, {c.inner}, {c.columns}] {c.layout}"
        rates = {name: round(c.operations / c.count / s / 1e9, 1) for name, s in seconds.items()}
        rows.append({"shape": shape, "best": best, "ms": 1e3 * c.count * seconds[best], "gflops": rates})
    contractions_ms = sum(row["ms"] for row in rows)
    traffic_ms = 1e3 * copy_seconds(workload.bytes)
    return {"ms": contractions_ms + traffic_ms, "contractions_ms": contractions_ms, "traffic_ms": traffic_ms, "contractions": rows}


def measured_apart(name: str) -> dict:
    """The floor of a workload, measured in a process of its own: the libraries' threads do not outlive it."""
    command = [sys.executable, "-m", "harness.floors", name]
    return json.loads(subprocess.run(command, cwd=REPOSITORY / "benches", check=True, capture_output=True, text=True).stdout)


if __name__ == "__main__":
    from harness.workloads import all_workloads

    print(json.dumps(floor(all_workloads()[sys.argv[1]])))
