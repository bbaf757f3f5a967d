"""What every peer shares: the data, the order of minibatches, the clock and the report."""

import argparse
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

MNIST = Path(__file__).resolve().parents[2] / "data" / "mnist10k.npz"


def mnist_binary() -> tuple[np.ndarray, np.ndarray]:
    """(train [9000, 784], held out [1000, 784]) in {0, 1}; every tenth row is held out, as `split: 0.1` does."""
    pixels = np.load(MNIST)["x"].reshape(-1, 784)
    binary = (pixels > 127).astype(np.float32)
    held_out = np.arange(len(binary)) % 10 == 9
    return binary[~held_out], binary[held_out]


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
    """Steady state: the first call, which compiles or warms up, is left out."""
    p25, median, p75 = np.percentile(step_ms[1:], [25, 50, 75])
    return {"step_ms": median, "step_ms_p25": p25, "step_ms_p75": p75}


def arguments(description: str, steps: int) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--steps", type=int, default=steps)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true", help="print one line of JSON")
    return parser


def rounded(value: object) -> object:
    if isinstance(value, dict):
        return {key: rounded(item) for key, item in value.items()}
    return float(f"{value:.5g}") if isinstance(value, float) else value


def report(result: dict, as_json: bool) -> None:
    if as_json:
        print(json.dumps(rounded(result)))
    else:
        print("\n".join(f"{key:>14}  {value}" for key, value in rounded(result).items()))
