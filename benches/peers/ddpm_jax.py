"""The two-dimensional diffusion model of examples/ddpm.tilde, in JAX."""

import time

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import Array, lax

from common import arguments, minibatches, report
from common_jax import init_mlp, mlp, train
from metrics import distances
from planar import moons

DIMS, FEATURES, TIMES = 2, 32, 1000
ROWS, BATCH, EMA = 10_000, 512, 0.999

# Index t - 1 holds the value at time t in 1..TIMES.
BETA = np.linspace(1e-4, 0.02, TIMES)
ALPHA_BAR = np.cumprod(1 - BETA)

optimiser = optax.adam(1e-3)


def predicted_noise(params: list, x: Array, t: Array) -> Array:
    frequency = 10_000.0 ** (-jnp.arange(FEATURES // 2) / (FEATURES // 2))
    angle = t[..., None] * frequency
    return mlp(params, jnp.concatenate([x, jnp.sin(angle), jnp.cos(angle)], axis=-1))


def noise_matching(params: list, key: Array, x0: Array) -> Array:
    time_key, noise_key = jax.random.split(key)
    t = jax.random.randint(time_key, (len(x0),), 1, TIMES + 1)
    noise = jax.random.normal(noise_key, x0.shape)
    signal = jnp.asarray(ALPHA_BAR, jnp.float32)[t - 1, None]
    xt = jnp.sqrt(signal) * x0 + jnp.sqrt(1 - signal) * noise
    return jnp.mean((predicted_noise(params, xt, t) - noise) ** 2)


def step(state: tuple, x0: Array) -> tuple[tuple, Array]:
    params, average, moments, key = state
    key, loss_key = jax.random.split(key)
    loss, grads = jax.value_and_grad(noise_matching)(params, loss_key, x0)
    updates, moments = optimiser.update(grads, moments)
    params = optax.apply_updates(params, updates)
    average = optax.incremental_update(params, average, 1 - EMA)
    return (params, average, moments, key), loss


@jax.jit
def ancestral(params: list, key: Array) -> Array:
    """ROWS draws; the variance of each reverse step is beta[t], and the last step adds no noise."""

    def denoise(x: Array, t: Array) -> tuple[Array, None]:
        beta, alpha_bar = (jnp.asarray(table, jnp.float32)[t - 1] for table in (BETA, ALPHA_BAR))
        noise = predicted_noise(params, x, jnp.broadcast_to(t, ROWS))
        mean = (x - beta / jnp.sqrt(1 - alpha_bar) * noise) / jnp.sqrt(1 - beta)
        fresh = jax.random.normal(jax.random.fold_in(key, t), x.shape)
        return mean + jnp.where(t > 1, jnp.sqrt(beta), 0) * fresh, None

    start = jax.random.normal(jax.random.fold_in(key, TIMES + 1), (ROWS, DIMS))
    return lax.scan(denoise, start, jnp.arange(TIMES, 0, -1))[0]


def main() -> None:
    args = arguments(__doc__, steps=20_000).parse_args()
    rng = np.random.default_rng(args.seed)
    rows = moons(rng, ROWS)
    init_key, train_key, draw_key = jax.random.split(jax.random.key(args.seed), 3)
    params = init_mlp(init_key, [DIMS + FEATURES, 128, 128, DIMS])
    state = (params, jax.tree.map(jnp.copy, params), optimiser.init(params), train_key)
    (_, average, _, _), timing = train(step, state, rows, minibatches(rng, ROWS, BATCH), args.steps)

    compiled = ancestral.lower(average, draw_key).compile()
    start = time.perf_counter()
    draws = np.asarray(compiled(average, draw_key))
    draw_s = time.perf_counter() - start
    result = {"workload": "ddpm", "system": "jax-scan", "version": jax.__version__, "steps": args.steps}
    report(result | distances(draws, [moons(rng, ROWS) for _ in range(3)]) | {"draw_s": draw_s} | timing, args.json)


if __name__ == "__main__":
    main()
