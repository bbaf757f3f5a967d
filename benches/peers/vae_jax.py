"""The variational autoencoder of examples/vae.tilde, in JAX."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import Array
from jax.scipy.special import logsumexp
from jax.scipy.stats import norm

from common import minibatches, mnist_binary, report
from common_jax import arguments, dense, heading, init_dense, train

PIXELS, HIDDEN, LATENT = 784, 500, 20
BATCH, STEPS_PER_EPOCH = 100, 90
IWAE_SAMPLES = 100

optimiser = optax.adam(1e-3)


def init(key: Array) -> dict:
    sizes = {
        "enc_hidden": (PIXELS, HIDDEN),
        "enc_mean": (HIDDEN, LATENT),
        "enc_log_std": (HIDDEN, LATENT),
        "dec_hidden": (LATENT, HIDDEN),
        "dec_logits": (HIDDEN, PIXELS),
    }
    keys = jax.random.split(key, len(sizes))
    return {name: init_dense(k, *size) for k, (name, size) in zip(keys, sizes.items())}


def encode(params: dict, x: Array) -> tuple[Array, Array]:
    h = jnp.tanh(dense(params["enc_hidden"], x))
    return dense(params["enc_mean"], h), dense(params["enc_log_std"], h)


def log_likelihood(params: dict, x: Array, z: Array) -> Array:
    logits = dense(params["dec_logits"], jnp.tanh(dense(params["dec_hidden"], z)))
    return (x * logits - jax.nn.softplus(logits)).sum(-1)


def kl_to_prior(mean: Array, log_std: Array) -> Array:
    return 0.5 * (mean**2 + jnp.exp(2 * log_std) - 1 - 2 * log_std).sum(-1)


def negative_elbo(params: dict, key: Array, x: Array) -> Array:
    mean, log_std = encode(params, x)
    z = mean + jnp.exp(log_std) * jax.random.normal(key, mean.shape)
    return (kl_to_prior(mean, log_std) - log_likelihood(params, x, z)).mean()


def step(state: tuple, x: Array) -> tuple[tuple, Array]:
    params, moments, key = state
    key, noise_key = jax.random.split(key)
    loss, grads = jax.value_and_grad(negative_elbo)(params, noise_key, x)
    updates, moments = optimiser.update(grads, moments)
    return (optax.apply_updates(params, updates), moments, key), loss


@jax.jit
def bounds(params: dict, key: Array, x: Array) -> tuple[Array, Array]:
    """Per row: the ELBO averaged over IWAE_SAMPLES draws, and the importance-weighted bound from the same draws."""
    mean, log_std = encode(params, x)
    noise = jax.random.normal(key, (IWAE_SAMPLES, *mean.shape))
    z = mean + jnp.exp(log_std) * noise
    reconstruction = log_likelihood(params, x, z)
    log_weight = reconstruction + (norm.logpdf(z) - norm.logpdf(noise) + log_std).sum(-1)
    elbo = reconstruction.mean(0) - kl_to_prior(mean, log_std)
    return elbo, logsumexp(log_weight, axis=0) - jnp.log(IWAE_SAMPLES)


def main() -> None:
    parser = arguments(__doc__, steps=0)
    parser.add_argument("--epochs", type=int, default=20, help="used unless --steps is given")
    args = parser.parse_args()
    args.steps = args.steps or args.epochs * STEPS_PER_EPOCH

    train_rows, held_out = mnist_binary()
    init_key, train_key, eval_key = jax.random.split(jax.random.key(args.seed), 3)
    params = init(init_key)
    batches = minibatches(np.random.default_rng(args.seed), len(train_rows), BATCH)
    state = (params, optimiser.init(params), train_key)
    (params, _, _), timing = train(step, state, train_rows, batches, args.steps, scan=args.mode == "scan")

    result = heading("vae", args) | timing
    if args.timing:
        return report(result, args.json)
    parts = held_out.reshape(-1, BATCH, PIXELS)
    keys = jax.random.split(eval_key, len(parts))
    elbo, iwae = np.mean([bounds(params, key, part) for key, part in zip(keys, parts)], axis=(0, 2))
    report(result | {"elbo": float(elbo), "iwae": float(iwae)}, args.json)


if __name__ == "__main__":
    main()
