"""Distances between two sets of points. `python metrics.py a.npy b.npy` prints them as JSON."""

import json
import sys

import numpy as np


def sliced_wasserstein(a: np.ndarray, b: np.ndarray, directions: int = 256, seed: int = 0) -> float:
    """Mean over random unit directions of the 1-D Wasserstein-1 distance between equally many projected points."""
    unit = np.random.default_rng(seed).standard_normal((a.shape[1], directions))
    unit /= np.linalg.norm(unit, axis=0)
    return float(np.abs(np.sort(a @ unit, axis=0) - np.sort(b @ unit, axis=0)).mean())


def mean_distance(a: np.ndarray, b: np.ndarray, rows_at_once: int = 500) -> float:
    """Mean Euclidean distance over all pairs."""
    parts = np.split(a.astype(np.float64), range(rows_at_once, len(a), rows_at_once))
    return sum(np.linalg.norm(part[:, None] - b, axis=-1).sum() for part in parts) / (len(a) * len(b))


def energy_distance(a: np.ndarray, b: np.ndarray) -> float:
    """2 E|a - b| - E|a - a'| - E|b - b'| over all pairs, so never negative."""
    return 2 * mean_distance(a, b) - mean_distance(a, a) - mean_distance(b, b)


def distances(draws: np.ndarray, fresh: np.ndarray, other_fresh: np.ndarray) -> dict[str, float]:
    """Distances of the draws from fresh data, and of two fresh data sets from each other: the noise floor."""
    return {
        "swd": sliced_wasserstein(draws, fresh),
        "swd_floor": sliced_wasserstein(other_fresh, fresh),
        "energy": energy_distance(draws, fresh),
        "energy_floor": energy_distance(other_fresh, fresh),
    }


if __name__ == "__main__":
    a, b = map(np.load, sys.argv[1:3])
    print(json.dumps({"swd": sliced_wasserstein(a, b), "energy": energy_distance(a, b)}))
