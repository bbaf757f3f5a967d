"""The job of `tilde run examples/vae_digits.tilde`."""

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
from jax.scipy.special import logsumexp
from jax.scipy.stats import norm

from program import DATA, options, picture, report, run, split
from vae_digits_model import BATCH, Z, decode, draw, elbo, init, log_likelihood, optimiser, step


def iwae(params, key, x, samples=100):
    def log_weight(key):
        z, noise, _, log_std = draw(params, key, x)
        return log_likelihood(params, x, z) + (norm.logpdf(z) - norm.logpdf(noise) + log_std).sum(
            -1
        )

    log_weights = jax.vmap(log_weight)(jax.random.split(key, samples))
    return logsumexp(log_weights, axis=0) - jnp.log(samples)


def digits(args, params, key):
    images = jax.nn.sigmoid(decode(params, jax.random.normal(key, (64, Z))))
    grid = images.reshape(8, 8, 8, 8).swapaxes(1, 2).reshape(64, 64)
    plt.figure()
    plt.imshow(grid, cmap="gray")
    plt.axis("off")
    picture(args, "digits")


def main():
    pixels = np.load(DATA / "digits.npz")["x"]
    train_rows, held_out = split((pixels > 8).astype(np.float32), 0.1)
    epoch_length = len(train_rows) // BATCH
    args = options(__doc__, steps=100 * epoch_length)
    init_key, order_key, noise_key, eval_key = jax.random.split(jax.random.key(args.seed), 4)

    def training_step(state, i):
        epoch, turn = divmod(i, epoch_length)
        order = jax.random.permutation(jax.random.fold_in(order_key, epoch), len(train_rows))
        rows = train_rows[order[turn * BATCH : (turn + 1) * BATCH]]
        params, moments, loss = step(*state, jax.random.fold_in(noise_key, i), rows)
        return (params, moments), -loss

    params = init(init_key)
    params, _ = run(args, (params, optimiser.init(params)), training_step)
    digits(args, params, eval_key)
    bounds = jax.vmap(lambda key: elbo(params, key, held_out))(jax.random.split(eval_key, 16))
    report(args, {"elbo": bounds.mean(), "iwae": iwae(params, eval_key, held_out).mean()})


if __name__ == "__main__":
    main()
