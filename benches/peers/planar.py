"""The generated sets in the plane of `src/runtime/data/synthetic.rs`, under the same names and with the same defaults: independent float32 draws."""

import numpy as np

ENTRIES = {"k": int, "noise": float, "radius": float, "std": float}


def moons(rng: np.random.Generator, rows: int, noise: float = 0.05) -> np.ndarray:
    """Independent draws, not standardised: either half circle with probability 1/2, angle uniform, Gaussian noise."""
    upper = rng.random(rows) < 0.5
    return around(rng, moon_curve(upper, rng.uniform(0, np.pi, rows)), noise)


def gaussians(rng: np.random.Generator, rows: int, k: int = 8, radius: float = 2.0, std: float = 0.05) -> np.ndarray:
    """k equal Gaussians evenly on a circle, the first at angle 0."""
    angle = rng.integers(k, size=rows) * 2 * np.pi / k
    return around(rng, radius * np.stack([np.cos(angle), np.sin(angle)], axis=-1), std)


def swiss_roll(rng: np.random.Generator, rows: int, noise: float = 0.1) -> np.ndarray:
    """The spiral t/5 (cos t, sin t) from 3/4 of a turn to 9/4."""
    t = 1.5 * np.pi * (1 + 2 * rng.random(rows))
    return around(rng, t[:, None] / 5 * np.stack([np.cos(t), np.sin(t)], axis=-1), noise)


def checkerboard(rng: np.random.Generator, rows: int) -> np.ndarray:
    """Every other square of side 2 of a board that covers [-4, 4]²; the squares at the origin's upper right and lower left are filled."""
    column = rng.uniform(-2, 2, rows)
    lower = -2.0 * rng.integers(2, size=rows)
    row = rng.random(rows) + lower + np.floor(column) % 2
    return (2 * np.stack([column, row], axis=-1)).astype(np.float32)


def around(rng: np.random.Generator, centre: np.ndarray, noise: float) -> np.ndarray:
    return (centre + noise * rng.standard_normal(centre.shape)).astype(np.float32)


def moon_curve(upper: np.ndarray, angle: np.ndarray) -> np.ndarray:
    x = np.where(upper, np.cos(angle), 1 - np.cos(angle))
    y = np.where(upper, np.sin(angle), 0.5 - np.sin(angle))
    return np.stack([x, y], axis=-1)


def moons_log_density(points: np.ndarray, noise: float = 0.05, nodes: int = 2000) -> np.ndarray:
    """log p of the distribution that `moons` draws from, by the midpoint rule over the angle."""
    angle = (np.arange(nodes) + 0.5) * np.pi / nodes
    total = np.full(len(points), -np.inf)
    for centre in np.concatenate([moon_curve(np.full(nodes, half), angle) for half in (True, False)]):
        total = np.logaddexp(total, ((points - centre) ** 2).sum(-1) / (-2 * noise**2))
    return total - np.log(2 * nodes * 2 * np.pi * noise**2)


def named(source: str, rng: np.random.Generator, rows: int) -> np.ndarray:
    """Fresh points of a source as a .tilde file writes it: `moons(noise: 0.05)`, `gaussians(8)`, `swiss_roll()`."""
    sources = {set_.__name__: set_ for set_ in (moons, gaussians, swiss_roll, checkerboard)}
    name, _, rest = source.partition("(")
    if name not in sources:
        raise SystemExit(f"no set {name!r}; there are {', '.join(sources)}")
    pairs = [entry.rpartition(":") for entry in rest.rstrip(")").split(",") if entry.strip()]
    options = {key.strip() or "k": value for key, _, value in pairs}
    return sources[name](rng, rows, **{key: ENTRIES[key](value) for key, value in options.items()})
