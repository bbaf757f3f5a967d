"""What every peer shares: the data, the order of minibatches, the clock and the report."""

import argparse
import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file

REPOSITORY = Path(__file__).resolve().parents[2]
MNIST = REPOSITORY / "data" / "mnist10k.npz"
WORKLOADS = REPOSITORY / "benches" / "workloads"
EARLY = 100  # steps from the start whose losses are reported one by one


def mnist_binary() -> tuple[np.ndarray, np.ndarray]:
    """(train [9000, 784], held out [1000, 784]) in {0, 1}; every tenth row is held out, as `split: 0.1` does."""
    pixels = np.load(MNIST)["x"].reshape(-1, 784)
    binary = (pixels > 127).astype(np.float32)
    held_out = np.arange(len(binary)) % 10 == 9
    return binary[~held_out], binary[held_out]


def parameters(folder: Path) -> dict[str, np.ndarray]:
    """What Tilde trained, or starts from, by its names."""
    return load_file(folder / "params.safetensors")


def common_start(folder: Path) -> tuple[np.ndarray, Iterator[np.ndarray]]:
    """The rows of the data and those of each step's minibatch, as Tilde takes them."""
    return np.load(folder / "rows.npy"), iter(np.load(folder / "order.npy"))


def trained(folder: Path, prefix: str) -> list[tuple[np.ndarray, np.ndarray]]:
    """Weights [in, out] and biases of the dense layers of one network of Tilde, in order."""
    tensors = parameters(folder)
    count = sum(name.startswith(prefix) and name.endswith(".W") for name in tensors)
    layers = [f"{prefix}{number}" for number in range(1, count + 1)]
    return [(np.ascontiguousarray(tensors[f"{layer}.W"].T), tensors[f"{layer}.b"]) for layer in layers]


def gmm_start(folder: Path) -> tuple[np.ndarray, ...]:
    """The rows, and the parameters w, mu, S that Tilde starts from, as the bench left them in a folder."""
    start = np.load(folder / "start.npz")
    return np.load(WORKLOADS / "data" / "gmm.npy"), *(start[name].astype(np.float32) for name in ("w", "mu", "S"))


def minibatches(rng: np.random.Generator, rows: int, batch: int) -> Iterator[np.ndarray]:
    """Row indices without replacement within an epoch, for ever; a short last batch is dropped."""
    while True:
        order = rng.permutation(rows).astype(np.int32)
        for start in range(0, rows - batch + 1, batch):
            yield order[start : start + batch]


def since_launch_ms() -> float:
    """Since the kernel started this process (10 ms resolution), so interpreter start and imports count."""
    fields_after_name = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
    launched = int(fields_after_name[19]) / os.sysconf("SC_CLK_TCK")
    return 1000 * (time.clock_gettime(time.CLOCK_BOOTTIME) - launched)


def peak_mb() -> float:
    """High-water mark of resident memory; unlike ru_maxrss it does not inherit the parent's."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def quartiles(step_ms: list[float]) -> dict[str, float]:
    """Of steady steps: the caller leaves out the first, which compiles or warms up."""
    p25, median, p75 = np.percentile(step_ms, [25, 50, 75])
    return {"step_ms": median, "step_ms_p25": p25, "step_ms_p75": p75}


def settled(losses: np.ndarray) -> dict:
    """Mean loss over the second half of the steps, with the standard error of that mean if steps were independent; the first losses."""
    half = np.asarray(losses, float)[len(losses) // 2 :]
    return {"loss": half.mean(), "loss_error": half.std() / len(half) ** 0.5, "early": losses[:EARLY].tolist()}


def measured(call: Callable[[], object], compile_ms: float | None, repeats: int, steps: int = 1) -> tuple[object, dict[str, float]]:
    """The result of a call that does all steps, and its timings; without compile_ms the first call is taken to compile.

    Without repeats the first call is all there is. The first step is done when all are, less what the others take.
    """
    call_ms = []
    for turn in range(1 + repeats):
        start = time.perf_counter()
        result = call()
        call_ms.append(1000 * (time.perf_counter() - start))
        if turn == 0:
            all_steps_ms = since_launch_ms()
    steady = quartiles([ms / steps for ms in call_ms[1:] or call_ms])
    first_step_ms = all_steps_ms - (steps - 1) * steady["step_ms"]
    if compile_ms is None:
        compile_ms = max(0.0, call_ms[0] - steps * steady["step_ms"])
    return result, steady | {"first_step_ms": first_step_ms, "compile_ms": compile_ms, "peak_mb": peak_mb()}


def arguments(description: str, steps: int) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--steps", type=int, default=steps)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--from", dest="from_", type=Path, metavar="DIR", help="what Tilde trained, or starts from")
    parser.add_argument("--timing", action="store_true", help="no figures of quality")
    parser.add_argument("--json", action="store_true", help="print one line of JSON")
    return parser


def add_drawing(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--draw", type=int, default=0, metavar="N", help="draw so many instead of training")


def describe_draws(draws: np.ndarray) -> dict:
    """Mean and covariance, to compare systems by."""
    return {"mean": draws.mean(0).tolist(), "covariance": np.cov(draws.T).tolist(), "draws": len(draws)}


def rounded(value: object) -> object:
    if isinstance(value, dict):
        return {key: rounded(item) for key, item in value.items()}
    if isinstance(value, list):
        return [rounded(item) for item in value]
    return float(f"{value:.7g}") if isinstance(value, float) else value


def report(result: dict, as_json: bool) -> None:
    if as_json:
        print(json.dumps(rounded(result)))
    else:
        print("\n".join(f"{key:>14}  {value}" for key, value in rounded(result).items()))
