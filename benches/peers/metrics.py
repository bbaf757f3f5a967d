"""Distances between sets of points, and what they are between fresh sets: the floor, below which a difference means nothing.

    python metrics.py points.npy 'moons(noise: 0.05)'      # a generated set, as a .tilde file writes it
    python metrics.py points.npy other.npy

Prints JSON: `swd`, the sliced Wasserstein-1 distance, and `energy`, the energy distance, each the mean over three fresh sets as
large as that of the points, with the floor and its greatest value over the pairs of fresh sets.
"""

import argparse
import itertools
import json
import statistics
from collections.abc import Callable

import numpy as np

from planar import named


def sliced_wasserstein(a: np.ndarray, b: np.ndarray, directions: int = 256, seed: int = 0) -> float:
    """Mean over random unit directions of the 1-D Wasserstein-1 distance between equally many projected points."""
    unit = np.random.default_rng(seed).standard_normal((a.shape[1], directions))
    unit /= np.linalg.norm(unit, axis=0)
    return float(np.abs(np.sort(a @ unit, axis=0) - np.sort(b @ unit, axis=0)).mean())


def mean_distance(a: np.ndarray, b: np.ndarray, rows_at_once: int = 500) -> float:
    """Mean Euclidean distance over all pairs."""
    a, b = a.astype(np.float64), b.astype(np.float64)
    squares, total = (b**2).sum(1), 0.0
    for part in np.split(a, range(rows_at_once, len(a), rows_at_once)):
        total += np.sqrt(np.maximum((part**2).sum(1)[:, None] + squares - 2 * part @ b.T, 0)).sum()
    return total / (len(a) * len(b))


def distances(draws: np.ndarray, fresh: list[np.ndarray]) -> dict[str, float]:
    """Mean distances of the draws from sets of fresh data, and those of the fresh sets from each other: the floor."""
    inside = {id(set_): mean_distance(set_, set_) for set_ in (draws, *fresh)}

    def energy_distance(a: np.ndarray, b: np.ndarray) -> float:
        """2 E|a - b| - E|a - a'| - E|b - b'| over all pairs, so never negative."""
        return 2 * mean_distance(a, b) - inside[id(a)] - inside[id(b)]

    result = {}
    measures: dict[str, Callable] = {"swd": sliced_wasserstein, "energy": energy_distance}
    for name, measure in measures.items():
        floor = [measure(a, b) for a, b in itertools.combinations(fresh, 2)]
        result[name] = statistics.mean(measure(draws, set_) for set_ in fresh)
        result |= {f"{name}_floor": statistics.mean(floor), f"{name}_floor_greatest": max(floor)} if floor else {}
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("points", help=".npy of rows")
    parser.add_argument("reference", help="another .npy, or a generated set")
    parser.add_argument("--seed", type=int, default=0, help="of the fresh sets")
    parser.add_argument("--sets", type=int, default=3, help="how many fresh sets")
    args = parser.parse_args()
    points = np.load(args.points)
    points = points.reshape(-1, points.shape[-1])
    if not np.isfinite(points).all():
        raise SystemExit(f"{args.points} holds {np.sum(~np.isfinite(points))} numbers that are not finite")
    if args.reference.endswith(".npy"):
        reference = [np.load(args.reference)]
    else:
        rng = np.random.default_rng(args.seed)
        reference = [named(args.reference, rng, len(points)) for _ in range(args.sets)]
    print(json.dumps({"rows": len(points)} | distances(points, reference)))


if __name__ == "__main__":
    main()
