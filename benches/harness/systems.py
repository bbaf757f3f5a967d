"""Runs one system on one workload in a process of its own, and returns what it reports."""

import json
import os
import re
import subprocess
import sys
import tempfile
import zlib
from pathlib import Path

import numpy as np

from harness.order import minibatches
from harness.workloads import DRAWS, FLAGS, LIBRARY, REPOSITORY, SWEEPS, Workload

PEERS = REPOSITORY / "benches" / "peers"
DATA = REPOSITORY / "benches" / "workloads" / "data"


LONGEST_S = 300
INTERPRETED = ("torch-eager", "sklearn")


class Failed(Exception):
    """A system could not run a workload; the text is its last words."""


def last_json_line(command: list[str], environment: dict[str, str] | None = None) -> dict:
    settings = {"cwd": REPOSITORY, "capture_output": True, "text": True, "env": os.environ | (environment or {})}
    try:
        done = subprocess.run(command, **settings, timeout=LONGEST_S)
        done.check_returncode()
        return json.loads(done.stdout.strip().rpartition("\n")[2])
    except (subprocess.CalledProcessError, json.JSONDecodeError) as problem:
        raise Failed(f"{problem}\n{done.stderr[-800:]}") from problem
    except subprocess.TimeoutExpired as problem:
        raise Failed(str(problem)) from problem


class Bench:
    """The binary, and a folder that holds what Tilde trained for the workloads that start from there."""

    def __init__(self, tilde: Path, folder: Path) -> None:
        self.tilde, self.folder = tilde, folder
        self.prepared: set[str] = set()

    def prepare(self, workload: Workload) -> None:
        """Data files, and the parameters that every system draws or evaluates with or starts from."""
        needs = {"gmm_em": "make_gmm.py", "attention": "make_tokens.py"}.get(workload.name)
        if needs and not (DATA / needs.replace("make_", "").replace(".py", ".npy")).exists():
            subprocess.run([sys.executable, str(DATA / needs)], check=True)
        source = workload.file.stem
        if source in self.prepared or (workload.kind == "train" and not workload.common_batch):
            return
        out = self.folder / source
        if workload.common_batch:
            self.train(workload.file, out, "--set", "rate=0", "--steps", "1")
            rows = self.evaluated(workload.file, "x", "--rows")
            np.save(out / "rows.npy", rows.astype(np.float32))
            np.save(out / "order.npy", minibatches(len(rows), workload.common_batch, workload.steps))
        elif workload.kind == "em":
            out.mkdir(exist_ok=True)
            start = {name: self.evaluated(workload.file, name) for name in ("w", "mu", "S")}
            np.savez(out / "start.npz", **start)
        else:
            self.train(workload.file, out)
        if workload.kind == "likelihood":
            np.save(out / "points.npy", self.evaluated(workload.file, "x(0)", "--rows").astype(np.float32))
        self.prepared.add(source)

    def train(self, file: Path, out: Path, *options: str) -> dict:
        return last_json_line([str(self.tilde), "train", str(file), *options, "--out", str(out), "--quiet", "--bench-json"])

    def evaluated(self, file: Path, expression: str, *flags: str) -> np.ndarray:
        return np.array(last_json_line([str(self.tilde), "eval", str(file), expression, "--json", *flags])["value"])

    def run(self, workload: Workload, system: str, one_thread: bool) -> dict:
        if system == "tilde":
            with tempfile.TemporaryDirectory() as out:
                return self.run_tilde(workload, Path(out))
        return self.run_peer(workload, system, {"OMP_NUM_THREADS": "1"} if one_thread else {})

    def run_tilde(self, workload: Workload, out: Path) -> dict:
        file, start = str(workload.file), str(self.folder / workload.file.stem)
        if workload.kind == "draw":
            drawn = out / "points.npy"
            options = ["--name", "points", "-n", str(DRAWS), "--from", start, "--out", str(drawn), "--bench-json"]
            report = last_json_line([str(self.tilde), "sample", file, *options])
            draws = np.load(drawn)
            moments = {"mean": draws.mean(0).tolist(), "covariance": np.cov(draws.T).tolist()}
            sweep_ms = report["step_ms"] / SWEEPS
            return report | moments | {"step_ms": sweep_ms, "first_step_ms": report["first_step_ms"] - (SWEEPS - 1) * sweep_ms}
        if workload.kind == "likelihood":
            report = last_json_line([str(self.tilde), "eval", file, "density", "--from", start, "--bench-json"])
            return report | {"loss": report["value"]}
        options = ["--steps", str(workload.steps), "--out", str(out), "--quiet", "--bench-json"]
        if workload.kind == "em":
            return last_json_line([str(self.tilde), "train", file, "--precision", "f32", *options])
        report = last_json_line([str(self.tilde), "train", file, *options])
        losses = logged_losses(out / "metrics.jsonl")
        late = [loss for step, loss in losses.items() if step > workload.steps // 2]
        early = {"early": [losses[step] for step in workload.compared_steps]} if workload.common_batch else {}
        return report | {"loss": float(np.mean(late))} | early

    def run_peer(self, workload: Workload, system: str, environment: dict[str, str]) -> dict:
        script = f"{workload.file.stem}_{LIBRARY[system]}.py"
        options = [*FLAGS[system], "--timing", "--json"]
        if workload.kind != "likelihood":
            options += ["--steps", str(workload.steps)]
        if workload.kind == "draw":
            options += ["--draw", str(DRAWS)]
        if workload.kind != "train" or workload.common_batch:
            options += ["--from", str(self.folder / workload.file.stem)]
        command = [sys.executable, str(PEERS / script), *options]
        run = self.run_compiling if system == "torch-compile" else last_json_line
        report = run(command, environment)
        if system in INTERPRETED:
            del report["compile_ms"]
        early = report.pop("early", None)
        if workload.common_batch:
            report["early"] = [early[step - 1] for step in workload.compared_steps]
        return report | {"command": " ".join(["python", script, *map(masked, options)])}

    def run_compiling(self, command: list[str], environment: dict[str, str]) -> dict:
        """The first run compiles from nothing, as after a change of the program; later ones, with kernels on disk, are not cold."""
        name = " ".join([*command, *environment.values()])
        cache = self.folder / f"inductor-{zlib.crc32(name.encode()):x}"
        cold = not cache.exists()
        report = last_json_line(command, environment | {"TORCHINDUCTOR_CACHE_DIR": str(cache)})
        left_out = () if cold else ("first_step_ms", "compile_ms")
        return {key: value for key, value in report.items() if key not in left_out}


def masked(option: str) -> str:
    """Without the name of a temporary folder."""
    return re.sub(r"^/.*/", "DIR/", option)


def logged_losses(log: Path) -> dict[int, float]:
    """By step, of what is minimised."""
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    return {line["step"]: line["loss"] if "loss" in line else -line["objective"] for line in lines}
