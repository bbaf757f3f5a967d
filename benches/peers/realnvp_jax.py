"""A RealNVP flow on the two moons, in JAX."""

import time
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import Array
from jax.scipy.stats import norm

from common import common_start, minibatches, report, trained
from common_jax import arguments, dense_of, heading, init_mlp, mlp, train
from metrics import distances
from planar import moons, moons_log_density

COUPLINGS, HIDDEN = 8, 64
ROWS, BATCH = 10_000, 512

optimiser = optax.adam(1e-3)


def scale_and_shift(net: list, kept: Array) -> tuple[Array, Array]:
    raw_log_scale, shift = jnp.split(mlp(net, kept), 2, axis=-1)
    return jnp.tanh(raw_log_scale), shift


def log_density(params: list, x: Array) -> Array:
    """x = f(z), where each coupling of f rescales one dimension by the other, and swaps the two; here from the last to the first."""
    a, b = jnp.split(x, 2, axis=-1)
    log_det = 0.0
    for net in reversed(params):
        kept, moved = b, a
        log_scale, shift = scale_and_shift(net, kept)
        a, b = kept, (moved - shift) * jnp.exp(-log_scale)
        log_det -= log_scale
    return (norm.logpdf(a) + norm.logpdf(b) + log_det).squeeze(-1)


@jax.jit
def draw(params: list, key: Array) -> Array:
    a, b = jax.random.normal(key, (2, ROWS, 1))
    for net in params:
        log_scale, shift = scale_and_shift(net, a)
        a, b = b * jnp.exp(log_scale) + shift, a
    return jnp.concatenate([a, b], axis=-1)


def negative_log_likelihood(params: list, x: Array) -> Array:
    return -log_density(params, x).mean()


def step(state: tuple, x: Array) -> tuple[tuple, Array]:
    params, moments = state
    loss, grads = jax.value_and_grad(negative_log_likelihood)(params, x)
    updates, moments = optimiser.update(grads, moments)
    return (optax.apply_updates(params, updates), moments), loss


def of_tilde(folder: Path) -> list:
    couplings = [trained(folder, f"f.affine_coupling{number}.mlp1.dense") for number in range(1, COUPLINGS + 1)]
    return [[dense_of(*layer) for layer in coupling] for coupling in couplings]


def main() -> None:
    args = arguments(__doc__, steps=5_000).parse_args()
    rng = np.random.default_rng(args.seed)
    init_key, draw_key = jax.random.split(jax.random.key(args.seed))
    if args.from_:
        params, (rows, batches) = of_tilde(args.from_), common_start(args.from_)
    else:
        rows = moons(rng, ROWS)
        params = [init_mlp(key, [1, HIDDEN, HIDDEN, 2]) for key in jax.random.split(init_key, COUPLINGS)]
        batches = minibatches(rng, ROWS, BATCH)
    (params, _), timing = train(step, (params, optimiser.init(params)), rows, batches, args.steps, scan=args.mode == "scan")

    result = heading("realnvp", args) | timing
    if args.timing:
        return report(result, args.json)
    held_out = moons(rng, ROWS)
    likelihood = {
        "loglik": -float(negative_log_likelihood(params, held_out)),
        "loglik_truth": float(moons_log_density(held_out).mean()),
    }
    compiled = draw.lower(params, draw_key).compile()
    start = time.perf_counter()
    draws = np.asarray(compiled(params, draw_key))
    draw_s = time.perf_counter() - start
    quality = likelihood | distances(draws, [held_out, moons(rng, ROWS), moons(rng, ROWS)])
    report(result | quality | {"draw_s": draw_s}, args.json)


if __name__ == "__main__":
    main()
