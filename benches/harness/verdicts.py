"""Medians, ratios with their spread, and what they are to show."""

import math
import statistics

QUANTITIES = {"step_ms": "steady state", "first_step_ms": "cold start", "compile_ms": "compilation", "peak_mb": "peak memory"}


def median(runs: list[dict], key: str) -> float | None:
    values = [run[key] for run in runs if run.get(key) is not None]
    return statistics.median(values) if values else None


def best_peer(systems: dict[str, list[dict]], key: str, among: tuple[str, ...] | None = None) -> str | None:
    """The peer with the least median."""
    medians = {name: median(runs, key) for name, runs in systems.items() if name != "tilde" and (among is None or name in among)}
    known = {name: value for name, value in medians.items() if value is not None}
    return min(known, key=known.get) if known else None


def ratios(peer: list[dict], tilde: list[dict], key: str) -> list[float]:
    """How many times the peer takes what Tilde takes, round by round."""
    pairs = [(p.get(key), t.get(key)) for p, t in zip(peer, tilde)]
    return [p / t for p, t in pairs if p is not None and t]


def spread(values: list[float]) -> str:
    if not values:
        return "-"
    middle = f"{statistics.median(values):.3g}"
    return middle if len(values) == 1 else f"{middle} ({min(values):.3g} to {max(values):.3g})"


def compared(systems: dict[str, list[dict]], key: str) -> tuple[str, list[float]] | None:
    """The best peer and the ratios to it; for compilation the peer is XLA, the only one that tells."""
    among = ("jax-scan", "jax-jit") if key == "compile_ms" else None
    peer = best_peer(systems, key, among)
    if peer is None or not systems.get("tilde"):
        return None
    return peer, ratios(systems[peer], systems["tilde"], key)


def steady_goal(systems: dict[str, list[dict]], floor_ms: float) -> tuple[bool, str] | None:
    """Where the floor is over 60 % of the fastest peer's time, within 1.2 of it; elsewhere twice as fast as that peer, or within 1.3."""
    peer = best_peer(systems, "step_ms")
    own = median(systems.get("tilde", []), "step_ms")
    if peer is None or own is None:
        return None
    fastest = median(systems[peer], "step_ms")
    to_floor = own / floor_ms
    if floor_ms > 0.6 * fastest:
        return to_floor <= 1.2, "floor x 1.2"
    return fastest / own >= 2 or to_floor <= 1.3, "2 x faster or floor x 1.3"


def verdicts(systems: dict[str, list[dict]], floor_ms: float | None) -> dict[str, bool]:
    found = {}
    for key, goal in (("first_step_ms", 10), ("compile_ms", 20), ("peak_mb", 4)):
        if (pair := compared(systems, key)) and pair[1]:
            found[QUANTITIES[key]] = statistics.median(pair[1]) >= goal
    if floor_ms and (steady := steady_goal(systems, floor_ms)):
        found[QUANTITIES["step_ms"]] = steady[0]
    return found


def geometric_mean(values: list[float]) -> float:
    return math.exp(statistics.mean(map(math.log, values))) if values else math.nan
