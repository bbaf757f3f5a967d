"""The job of `tilde run examples/realnvp_derived.tilde`."""

import jax
import numpy as np

from program import options, report, run, scatter, split
from realnvp_derived_model import BATCH, forward, init, log_density, optimiser, step


def moons(rng, rows, noise=0.05):
    upper, angle = rng.random(rows) < 0.5, rng.uniform(0, np.pi, rows)
    x = np.where(upper, np.cos(angle), 1 - np.cos(angle))
    y = np.where(upper, np.sin(angle), 0.5 - np.sin(angle))
    return (np.stack([x, y], -1) + noise * rng.standard_normal((rows, 2))).astype(np.float32)


def main():
    args = options(__doc__, steps=5000)
    train_rows, held_out = split(moons(np.random.default_rng(args.seed), 20_000), 0.5)
    init_key, order_key, draw_key = jax.random.split(jax.random.key(args.seed), 3)
    epoch_length = len(train_rows) // BATCH

    def training_step(state, i):
        epoch, turn = divmod(i, epoch_length)
        order = jax.random.permutation(jax.random.fold_in(order_key, epoch), len(train_rows))
        params, moments, loss = step(*state, train_rows[order[turn * BATCH : (turn + 1) * BATCH]])
        return (params, moments), -loss

    params = init(init_key)
    params, _ = run(args, (params, optimiser.init(params)), training_step)
    draws = forward(params, jax.random.normal(draw_key, (2000, 2)))
    scatter(args, "points", held_out[:2000], draws)
    report(args, {"log_density": log_density(params, held_out).mean()})


if __name__ == "__main__":
    main()
