"""The order in which Tilde takes minibatches, as `src/runtime/shuffle.rs` defines it, for peers that start where Tilde starts."""

import numpy as np

SITE = 0x5AFF_0000
ROUNDS = 10


def philox4x32(counter: np.ndarray, key: tuple[int, int]) -> np.ndarray:
    """Philox4x32-10 of counters [n, 4] (Salmon, Moraes, Dror, Shaw 2011)."""
    c, low = counter.astype(np.uint64).T, np.uint64(0xFFFF_FFFF)
    for turn in range(ROUNDS):
        k = [np.uint64((key[0] + turn * 0x9E37_79B9) & 0xFFFF_FFFF), np.uint64((key[1] + turn * 0xBB67_AE85) & 0xFFFF_FFFF)]
        a, b = c[0] * np.uint64(0xD251_1F53), c[2] * np.uint64(0xCD9E_8D57)
        c = [b >> np.uint64(32) ^ c[1] ^ k[0], b & low, a >> np.uint64(32) ^ c[3] ^ k[1], a & low]
    return np.stack(c, axis=-1)


def permutation(rows: int, seed: int, epoch: int) -> list[int]:
    """Of an epoch, counted from 0: Fisher and Yates from the last place to the first."""
    blocks = np.arange(-(-rows // 4), dtype=np.uint64)
    zeros = np.zeros_like(blocks)
    words = philox4x32(np.stack([blocks, zeros, zeros + np.uint64(epoch), zeros], axis=-1), (seed, SITE)).ravel()[:rows]
    places = (words * np.arange(1, rows + 1, dtype=np.uint64) >> np.uint64(32)).tolist()
    order = list(range(rows))
    for i in range(rows - 1, 0, -1):
        order[i], order[places[i]] = order[places[i]], order[i]
    return order


def minibatches(rows: int, batch: int, steps: int, seed: int = 0) -> np.ndarray:
    """Row numbers [steps, batch] of a file's first `train` block without held-out rows."""
    whole = rows // batch * batch
    epochs = -(-steps * batch // whole)
    taken = [permutation(rows, seed, epoch)[:whole] for epoch in range(epochs)]
    return np.array(taken, np.int32).reshape(-1, batch)[:steps]
