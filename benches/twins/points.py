"""What the programs on two moons share: the points, their minibatches, and the training of a diffusion on them."""

import jax
import numpy as np

from program import run


def moons(rng, rows, noise=0.05):
    upper, angle = rng.random(rows) < 0.5, rng.uniform(0, np.pi, rows)
    x = np.where(upper, np.cos(angle), 1 - np.cos(angle))
    y = np.where(upper, np.sin(angle), 0.5 - np.sin(angle))
    return (np.stack([x, y], -1) + noise * rng.standard_normal((rows, 2))).astype(np.float32)


def minibatch(key, i, rows, batch):
    """Of step i; every epoch permutes anew and drops the rest."""
    epoch, turn = divmod(i, len(rows) // batch)
    order = jax.random.permutation(jax.random.fold_in(key, epoch), len(rows))
    return rows[order[turn * batch : (turn + 1) * batch]]


def learn(args, model):
    """The points, the averaged weights, and a key to draw with."""
    rows = moons(np.random.default_rng(args.seed), 10_000)
    keys = jax.random.split(jax.random.key(args.seed), 4)
    init_key, order_key, train_key, draw_key = keys
    step = jax.jit(model.step)

    def training_step(state, i):
        x = minibatch(order_key, i, rows, model.BATCH)
        return step(state, jax.random.fold_in(train_key, i), x)

    _, average, _ = run(args, model.init(init_key), training_step)
    return rows, average, draw_key
