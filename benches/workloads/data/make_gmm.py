"""Rows for gmm_em.tilde: 100,000 draws of a mixture of 32 Gaussians in 16 dimensions, as data/gmm.npy."""

from pathlib import Path

import numpy as np

N, D, K = 100_000, 16, 32


def rows(seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    means = rng.normal(scale=2.0, size=(K, D))
    factors = rng.normal(scale=0.4, size=(K, D, D)) + 0.3 * np.eye(D)
    weights = rng.dirichlet(np.full(K, 5.0))
    component = rng.choice(K, size=N, p=weights)
    noise = rng.normal(size=(N, D))
    return (means[component] + np.einsum("nij,nj->ni", factors[component], noise)).astype(np.float32)


if __name__ == "__main__":
    np.save(Path(__file__).with_name("gmm.npy"), rows())
