"""The results as text: a table for the terminal and the same in markdown."""

import statistics

from harness.verdicts import QUANTITIES, compared, geometric_mean, median, spread, verdicts
from harness.workloads import Workload

UNITS = {"step_ms": "ms a step", "first_step_ms": "ms to the first step", "compile_ms": "ms to compile", "peak_mb": "peak MB"}
BEGIN, END = "<!-- table of benches/run.py -->", "<!-- end of the table -->"


def rows_of_systems(systems: dict[str, list[dict]]) -> list[list[str]]:
    """A row for each system: medians, each with the ratio to Tilde in the same round."""
    rows = []
    for name, runs in systems.items():
        cells = [name]
        for key in UNITS:
            value = median(runs, key)
            if value is None:
                cells.append("-")
                continue
            of_tilde = [run[key] / own[key] for run, own in zip(runs, systems.get("tilde", [])) if run.get(key) and own.get(key)]
            cells.append(f"{value:.4g}" if name == "tilde" or not of_tilde else f"{value:.4g}, {spread(of_tilde)}x")
        rows.append(cells)
    return rows


def markdown(header: list[str], rows: list[list[str]]) -> str:
    lines = ["| " + " | ".join(row) + " |" for row in [header, ["---"] * len(header), *rows]]
    return "\n".join(lines)


def of_workload(workload: Workload, entry: dict) -> str:
    """Every system on one workload, whether they agree, and the floor."""
    systems = entry["systems"]
    parts = [f"### {workload.title}", "", markdown(["system", *UNITS.values()], rows_of_systems(systems))]
    if agreement := entry.get("agreement"):
        sign = "agree" if agreement["agree"] else "DO NOT AGREE"
        parts += ["", f"The systems {sign}: {agreement['apart']:.2g} apart, {agreement['tolerance']:.2g} allowed."]
    if floor := entry.get("floor"):
        parts += ["", f"Floor {floor['ms']:.4g} ms: contractions {floor['contractions_ms']:.4g}, traffic {floor['traffic_ms']:.4g}."]
    return "\n".join(parts)


def overview_row(workload: Workload, entry: dict) -> list[str]:
    systems, floor_ms = entry["systems"], entry.get("floor", {}).get("ms")
    own = median(systems.get("tilde", []), "step_ms")
    cells = [workload.title, f"{own:.4g}" if own else "-"]
    met = verdicts(systems, floor_ms)
    for key in QUANTITIES:
        pair = compared(systems, key)
        if not pair or not pair[1]:
            cells.append("-")
            continue
        mark = {True: " ✓", False: " ✗", None: ""}[met.get(QUANTITIES[key])]
        cells.append(f"{spread(pair[1])} {pair[0]}{mark}")
    cells.append(f"{own / floor_ms:.2f} of {floor_ms:.3g}" if own and floor_ms else "-")
    return cells


def overview(workloads: dict[str, Workload], entries: dict[str, dict]) -> str:
    """A row for each workload: how many times the best peer takes what Tilde takes, and whether that is what it is to show."""
    header = ["workload", "Tilde, ms a step", *(f"{name}, best peer" for name in QUANTITIES.values()), "ratio to the floor, ms"]
    rows = [overview_row(workloads[name], entry) for name, entry in entries.items() if name in workloads]
    pairs = [compared(entry["systems"], "step_ms") for entry in entries.values()]
    mean = geometric_mean([statistics.median(pair[1]) for pair in pairs if pair and pair[1]])
    return markdown(header, rows) + f"\n\nGeometric mean of the steady states: {mean:.2f} times faster than the fastest peer."


def described(machine: dict) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    runs = f"{machine['rounds']} round{'s' if machine['rounds'] > 1 else ''} of {'short runs' if machine['quick'] else 'runs'}"
    return f"{machine['date']}, {runs}, {machine['processor']}, {machine['cores']} cores, load {machine['load']:.2f} before; {versions}."


def document(workloads: dict[str, Workload], entries: dict[str, dict], machine: dict) -> str:
    details = [of_workload(workloads[name], entry) for name, entry in entries.items() if name in workloads]
    return "\n\n".join([described(machine), overview(workloads, entries), *details])


def replaced(text: str, table: str) -> str:
    """The text with the table between its marks, or at its end if it has none."""
    marked = f"{BEGIN}\n{table}\n{END}"
    before, begin, rest = text.partition(BEGIN)
    if not begin:
        return f"{text.rstrip()}\n\n{marked}\n"
    return before + marked + rest.partition(END)[2]
