"""Measures Tilde beside JAX, PyTorch and scikit-learn on the workloads of `workloads/`, all in turn (A B A B ...).

Prints tables of medians and ratios with their spread, and writes them to peers/results.json, a bar chart and docs/performance.md.
Losses, likelihoods and moments of draws are compared before anything is timed. Ctrl-C shows what is there.
"""

import argparse
import datetime
import importlib.metadata
import json
import math
import os
import sys
import tempfile
from pathlib import Path

from harness import agreement, chart, floors, tables
from harness.systems import Bench, Failed
from harness.workloads import FLAGS, REPOSITORY, Workload, all_workloads

RESULTS = REPOSITORY / "benches" / "peers" / "results.json"
DOCUMENT = REPOSITORY / "docs" / "performance.md"
CHART = REPOSITORY / "docs" / "pictures" / "peers.png"
ONCE_IS_ENOUGH_MS = 10_000
PACKAGES = ["jax", "torch", "numpy", "optax", "diffrax", "torchdiffeq", "scikit-learn"]


def machine() -> dict:
    names = [line.partition(":")[2].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    return {
        "date": datetime.date.today().isoformat(),
        "processor": names[0] if names else "unknown processor",
        "cores": os.cpu_count(),
        "load": os.getloadavg()[0],
        "versions": {package: version(package) for package in PACKAGES},
    }


def version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "missing"


def tried(bench: Bench, workload: Workload, system: str, one_thread: bool) -> dict | None:
    """A report, or none with a message."""
    load = os.getloadavg()[0]
    try:
        return bench.run(workload, system, one_thread) | {"load_before": round(load, 2), "date": datetime.date.today().isoformat()}
    except Failed as failure:
        print(f"left out: {system} on {workload.name}: {failure}", file=sys.stderr)
        return None


def faster_alone(bench: Bench, workload: Workload, systems: list[str]) -> list[str]:
    """Of these systems those of PyTorch that one thread serves better than all of them."""

    def step_ms(system: str, one_thread: bool) -> float:
        report = tried(bench, workload, system, one_thread)
        return report["step_ms"] if report else math.inf

    bench.prepare(workload)
    of_torch = [system for system in workload.peers if system.startswith("torch") and system in systems]
    return [system for system in of_torch if step_ms(system, True) < step_ms(system, False)]


def measure(bench: Bench, workload: Workload, systems: list[str], rounds: int, entry: dict) -> None:
    """Fills the entry of a workload: the first round tells whether the systems agree, and is timed if they do."""
    bench.prepare(workload)
    left = [name for name in systems if name == "tilde" or name in workload.peers]
    fresh: dict[str, list[dict]] = {name: [] for name in left}
    for turn in range(rounds):
        for name in list(fresh):
            if turn and fresh[name][0]["step_ms"] * workload.steps > ONCE_IS_ENOUGH_MS:
                continue
            if report := tried(bench, workload, name, name in entry.get("one_thread", [])):
                fresh[name].append(report)
                entry.setdefault("systems", {})[name] = fresh[name]
            else:
                del fresh[name]
                entry.get("systems", {}).pop(name, None)
        if turn == 0 and entry.get("systems"):
            first = {name: runs[0] for name, runs in entry["systems"].items()}
            entry["agreement"] = agreement.summary(workload, first)
            print(f"{workload.name}: {entry['agreement']['apart']:.2g} apart", file=sys.stderr)


def measure_all(args: argparse.Namespace, workloads: dict[str, Workload], results: dict) -> None:
    entries = results["workloads"]
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(args.tilde.resolve(), Path(folder))
        for name in args.only or workloads:
            entry = entries.setdefault(name, {})
            if args.try_threads:
                entry["one_thread"] = faster_alone(bench, workloads[name], args.systems)
            if not args.only_floors:
                measure(bench, workloads[name], args.systems, args.rounds, entry)
            if args.floors:
                entry["floor"] = floors.measured_apart(name)
            if entry.get("systems"):
                print("\n" + tables.of_workload(workloads[name], entry), flush=True)
            args.results.write_text(json.dumps(results, indent=1) + "\n")


def arguments(names: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=names, metavar="WORKLOAD", help=f"of {', '.join(names)}; others stay as they are")
    everything = ["tilde", *FLAGS]
    parser.add_argument("--systems", nargs="+", choices=everything, default=everything, help="others stay as they are in the results")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--try-threads", action="store_true", help="first find where PyTorch is faster with one thread; kept in the results")
    parser.add_argument("--quick", action="store_true", help="a fifth of the steps")
    parser.add_argument("--tilde", type=Path, default=REPOSITORY / "target/release/tilde", help="its binary")
    parser.add_argument("--no-floors", dest="floors", action="store_false", help="keep those of the results")
    parser.add_argument("--only-floors", action="store_true", help="keep the systems of the results")
    parser.add_argument("--show", action="store_true", help="measure nothing, only write tables and chart of the results")
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--document", type=Path, default=DOCUMENT, help="gets the tables between its marks")
    parser.add_argument("--chart", type=Path, default=CHART)
    return parser.parse_args()


def main() -> None:
    workloads = all_workloads()
    args = arguments(list(workloads))
    if args.quick:
        workloads = {name: workload.quick() for name, workload in workloads.items()}
    results = json.loads(args.results.read_text()) if args.results.exists() else {}
    entries = results.setdefault("workloads", {})
    try:
        if not args.show:
            results["machine"] = machine() | {"rounds": args.rounds, "quick": args.quick}
            measure_all(args, workloads, results)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
    entries = {name: entries[name] for name in workloads if entries.get(name, {}).get("systems")}
    results["workloads"] = entries
    text = tables.document(workloads, entries, results["machine"])
    print("\n" + tables.overview(workloads, entries))
    args.results.write_text(json.dumps(results, indent=1) + "\n")
    if args.document.exists():
        args.document.write_text(tables.replaced(args.document.read_text(), text))
    chart.draw(workloads, entries, args.chart)


if __name__ == "__main__":
    main()
