"""Diffusion with the preconditioning, noise levels and Heun sampler of Karras et al. (2022) on two moons, in JAX and Optax."""

from functools import partial

import jax
import jax.numpy as jnp
import optax

D, H, FEATURES, BATCH, EMA = 2, 128, 32, 512, 0.999
SIGMA_DATA, SIGMA_MIN, SIGMA_MAX, RHO = 0.7, 0.002, 80.0, 7
optimiser = optax.adam(1e-3)


def init(key):
    glorot = jax.nn.initializers.glorot_uniform()
    sizes = [(D + FEATURES, H), (H, H), (H, D)]
    net = [(glorot(k, s), jnp.zeros(s[1])) for k, s in zip(jax.random.split(key, 3), sizes)]
    return net, net, optimiser.init(net)


def mlp(net, h):
    for W, b in net[:-1]:
        h = jax.nn.silu(h @ W + b)
    W, b = net[-1]
    return h @ W + b


def denoise(net, x, sigma):
    """Of rows x [n, D] with noise levels [n, 1] (table 1)."""
    total = jnp.sqrt(sigma**2 + SIGMA_DATA**2)
    turns = 1000.0 ** (jnp.arange(FEATURES // 2) / (FEATURES // 2 - 1))
    angle = 2 * jnp.pi * jnp.log(sigma) / 4 * turns
    features = jnp.concatenate([x / total, jnp.sin(angle), jnp.cos(angle)], -1)
    skip, out = (SIGMA_DATA / total) ** 2, sigma * SIGMA_DATA / total
    return skip * x + out * mlp(net, features)


def loss(net, key, x0):
    level_key, noise_key = jax.random.split(key)
    sigma = jnp.exp(1.2 * jax.random.normal(level_key, (len(x0), 1)) - 1.2)
    x = x0 + sigma * jax.random.normal(noise_key, x0.shape)
    weight = (sigma**2 + SIGMA_DATA**2) / (sigma * SIGMA_DATA) ** 2
    return jnp.mean(weight * (denoise(net, x, sigma) - x0) ** 2)


def step(state, key, x0):
    net, average, moments = state
    value, grads = jax.value_and_grad(loss)(net, key, x0)
    updates, moments = optimiser.update(grads, moments)
    net = optax.apply_updates(net, updates)
    return (net, optax.incremental_update(net, average, 1 - EMA), moments), value


def noise_levels(steps):
    ends = SIGMA_MAX ** (1 / RHO), SIGMA_MIN ** (1 / RHO)
    return jnp.append(jnp.linspace(*ends, steps) ** RHO, 0.0)


@partial(jax.jit, static_argnums=(2, 3))
def heun(net, key, rows, steps=18):
    """Algorithm 1: 2 steps - 1 evaluations."""

    def slope(x, sigma):
        return (x - denoise(net, x, jnp.full((rows, 1), sigma))) / sigma

    def back(x, pair):
        sigma, below = pair
        first = slope(x, sigma)
        ahead = x + (below - sigma) * first
        mean = (first + slope(ahead, jnp.maximum(below, SIGMA_MIN))) / 2
        return jnp.where(below > 0, x + (below - sigma) * mean, ahead), None

    levels = noise_levels(steps)
    start = SIGMA_MAX * jax.random.normal(key, (rows, D))
    return jax.lax.scan(back, start, (levels[:-1], levels[1:]))[0]


def train(key, x, steps=20_000):
    state = init(key)
    turn, per_epoch = jax.jit(step), len(x) // BATCH
    for i in range(steps):
        key, order_key, step_key = jax.random.split(key, 3)
        if i % per_epoch == 0:
            order = jax.random.permutation(order_key, len(x))
        state, value = turn(state, step_key, x[order[i % per_epoch * BATCH :][:BATCH]])
    return state[1], value
