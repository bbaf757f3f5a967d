"""The job of `tilde run examples/realnvp_derived.tilde`."""

import jax
import numpy as np

from points import minibatch, moons
from program import options, report, run, scatter, split
from realnvp_derived_model import BATCH, forward, init, log_density, optimiser, step


def main():
    args = options(__doc__, steps=5000)
    train_rows, held_out = split(moons(np.random.default_rng(args.seed), 20_000), 0.5)
    init_key, order_key, draw_key = jax.random.split(jax.random.key(args.seed), 3)

    def training_step(state, i):
        params, moments, loss = step(*state, minibatch(order_key, i, train_rows, BATCH))
        return (params, moments), -loss

    params = init(init_key)
    params, _ = run(args, (params, optimiser.init(params)), training_step)
    draws = forward(params, jax.random.normal(draw_key, (2000, 2)))
    scatter(args, "points", held_out[:2000], draws)
    report(args, {"log_density": log_density(params, held_out).mean()})


if __name__ == "__main__":
    main()
