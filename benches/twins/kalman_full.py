"""The job of `tilde run examples/kalman.tilde`."""

import jax
import jax.numpy as jnp
import numpy as np

from kalman_model import filtered, init, optimiser, smoothed, step
from program import band, options, report, run


def series(seed=0, length=100, level_std=0.5, noise=0.8):
    rng = np.random.default_rng(seed)
    return jnp.asarray(
        np.cumsum(level_std * rng.standard_normal(length)) + noise * rng.standard_normal(length)
    )


def main():
    args = options(__doc__, steps=300)
    jax.config.update("jax_enable_x64", True)
    y = series()

    def training_step(state, i):
        params, moments, loss = step(*state, y)
        return (params, moments), -loss

    params = init(y)
    params, _ = run(args, (params, optimiser.init(params)), training_step)
    mean, var = smoothed(params, y)
    band(args, "smoothed", y, mean, jnp.sqrt(var))
    scales = {name: jnp.exp(value) for name, value in params.items()}
    report(args, {"loglik": filtered(params, y)[0]} | scales)


if __name__ == "__main__":
    main()
