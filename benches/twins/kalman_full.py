"""The job of `tilde run examples/kalman.tilde`."""

import jax
import jax.numpy as jnp

from kalman_model import filtered, init, optimiser, smoothed, step
from program import band, options, report, run, series


def main():
    args = options(__doc__, steps=500)
    jax.config.update("jax_enable_x64", True)
    y = jnp.asarray(series("kalman"))

    def training_step(state, i):
        params, moments, loss = step(*state, y)
        return (params, moments), -loss

    params = init()
    params, _ = run(args, (params, optimiser.init(params)), training_step)
    mean, var = smoothed(params, y)
    band(args, "smoothed", y, mean, jnp.sqrt(var))
    scales = {f"{name}_variance": jnp.exp(2 * value) for name, value in params.items()}
    report(args, {"loglik": filtered(params, y)[0]} | scales)


if __name__ == "__main__":
    main()
