"""What each full program needs besides its model: options, a loop that logs, checkpoints and resumes bit for bit, pictures."""

import argparse
import json
import os
import re
import signal
from pathlib import Path

import jax
import matplotlib
import matplotlib.pyplot as plt
import numpy as np

matplotlib.use("agg")
ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT / "data"


def series(example):
    """The list of numbers that an example holds, so that both have the same."""
    text = (ROOT / "examples" / f"{example}.tilde").read_text()
    numbers = re.search(r"^data [^\[]*\[1\.\.\w+\] .*?= \[(.*?)\]", text, re.DOTALL | re.MULTILINE)
    return np.array([float(number) for number in numbers[1].split(",")])


def options(description, steps):
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--steps", type=int, default=steps)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("runs") / Path(os.sys.argv[0]).stem)
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--json", action="store_true", help="print the results as one line of JSON")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    return args


def split(rows, fraction):
    """Rows to train on and held-out rows, evenly spread."""
    i = np.arange(len(rows))
    held_out = np.floor((i + 1) * fraction) > np.floor(i * fraction)
    return rows[~held_out], rows[held_out]


def save(path, state, i):
    """Replaced as a whole, so that a run that is killed leaves the last complete one."""
    leaves = {f"leaf{n}": np.asarray(leaf) for n, leaf in enumerate(jax.tree.leaves(state))}
    with open(path.with_suffix(".new"), "wb") as file:
        np.savez(file, step=i, **leaves)
    os.replace(path.with_suffix(".new"), path)


def load(path, state):
    file = np.load(path)
    leaves, structure = jax.tree.flatten(state)
    found = [file[f"leaf{n}"] for n in range(len(leaves))]
    if [leaf.shape for leaf in found] != [np.shape(leaf) for leaf in leaves]:
        raise SystemExit(f"{path} is of another model")
    return jax.tree.unflatten(structure, found), int(file["step"])


def run(args, state, step):
    """`step(state, i)` gives the next state and the objective; the state is saved every 100 steps and when interrupted."""
    checkpoint, log = args.out / "state.npz", args.out / "metrics.jsonl"
    state, start = load(checkpoint, state) if args.resume else (state, 0)
    lines = log.read_text().splitlines()[:start] if args.resume else []
    stopped = []
    signal.signal(signal.SIGINT, lambda *_: stopped.append(True))
    for i in range(start, args.steps):
        state, objective = step(state, i)
        if not np.isfinite(objective):
            raise SystemExit(f"the objective became {objective} in step {i}")
        lines.append(json.dumps({"step": i, "objective": float(objective)}))
        if stopped or i % 100 == 99 or i == args.steps - 1:
            save(checkpoint, state, i + 1)
            log.write_text("\n".join(lines) + "\n")
        if stopped:
            raise SystemExit(f"interrupted; --resume goes on from {args.out}")
    plt.figure()
    plt.plot([json.loads(line)["objective"] for line in lines])
    picture(args, "training")
    return state


def picture(args, name):
    plt.savefig(args.out / f"{name}.png")
    plt.close()


def scatter(args, name, data, draws):
    plt.figure()
    plt.scatter(data[:, 0], data[:, 1], s=4, label="data")
    plt.scatter(draws[:, 0], draws[:, 1], s=4, label="draws")
    plt.legend()
    picture(args, name)


def band(args, name, y, mean, std):
    plt.figure()
    plt.plot(y, ".")
    plt.plot(mean)
    plt.fill_between(np.arange(len(mean)), mean - 2 * std, mean + 2 * std, alpha=0.3)
    picture(args, name)


def report(args, results):
    values = {name: np.asarray(value).round(6).tolist() for name, value in results.items()}
    print(
        json.dumps(values)
        if args.json
        else "\n".join(f"{name}  {value}" for name, value in values.items())
    )
