"""Rows for attention.tilde: 8,192 sequences of 32 tokens of 64 kinds, from a random Markov chain, as data/tokens.npy."""

from pathlib import Path

import numpy as np

N, L, K = 8_192, 32, 64


def rows(seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    ends = np.cumsum(rng.dirichlet(np.full(K, 0.1), size=K), axis=1)
    tokens = np.empty((N, L), dtype=np.int32)
    tokens[:, 0] = rng.integers(K, size=N)
    for i in range(1, L):
        tokens[:, i] = (rng.random((N, 1)) > ends[tokens[:, i - 1]]).sum(axis=1).clip(max=K - 1)
    return tokens


if __name__ == "__main__":
    np.save(Path(__file__).with_name("tokens.npy"), rows())
