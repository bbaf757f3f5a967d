"""Flow matching (Lipman et al. 2023) on two moons along x(t) = (1 - t) x(0) + t noise, in JAX and Optax: loss, two samplers, training loop."""

from functools import partial

import jax
import jax.numpy as jnp
import optax

D, H, FEATURES, BATCH, EMA = 2, 128, 32, 512, 0.999
optimiser = optax.adam(1e-3)


def init(key):
    glorot = jax.nn.initializers.glorot_uniform()
    sizes = [(D + FEATURES, H), (H, H), (H, D)]
    net = [(glorot(k, s), jnp.zeros(s[1])) for k, s in zip(jax.random.split(key, 3), sizes)]
    return net, net, optimiser.init(net)


def velocity(net, x, t):
    """Of rows x [n, D] at times [n, 1]."""
    angle = 2 * jnp.pi * t * 1000.0 ** (jnp.arange(FEATURES // 2) / (FEATURES // 2 - 1))
    h = jnp.concatenate([x, jnp.sin(angle), jnp.cos(angle)], -1)
    for W, b in net[:-1]:
        h = jax.nn.silu(h @ W + b)
    W, b = net[-1]
    return h @ W + b


def loss(net, key, x0):
    time_key, noise_key = jax.random.split(key)
    t = jax.random.uniform(time_key, (len(x0), 1))
    noise = jax.random.normal(noise_key, x0.shape)
    x = (1 - t) * x0 + t * noise
    return jnp.mean((velocity(net, x, t) - (noise - x0)) ** 2)


def step(state, key, x0):
    net, average, moments = state
    value, grads = jax.value_and_grad(loss)(net, key, x0)
    updates, moments = optimiser.update(grads, moments)
    net = optax.apply_updates(net, updates)
    return (net, optax.incremental_update(net, average, 1 - EMA), moments), value


def euler_step(slope, x, t, h):
    return x - h * slope(x, t)


def rk4_step(slope, x, t, h):
    first = slope(x, t)
    second = slope(x - h / 2 * first, t - h / 2)
    third = slope(x - h / 2 * second, t - h / 2)
    fourth = slope(x - h * third, t - h)
    return x - h / 6 * (first + 2 * second + 2 * third + fourth)


@partial(jax.jit, static_argnums=(2, 3, 4))
def solve(net, key, rows, method, steps):
    slope = lambda x, t: velocity(net, x, jnp.full((rows, 1), t))
    back = lambda x, t: (method(slope, x, t, 1 / steps), None)
    start = jax.random.normal(key, (rows, D))
    return jax.lax.scan(back, start, 1 - jnp.arange(steps) / steps)[0]


def euler(net, key, rows, steps=100):
    return solve(net, key, rows, euler_step, steps)


def rk4(net, key, rows, steps=25):
    return solve(net, key, rows, rk4_step, steps)


def train(key, x, steps=20_000):
    state = init(key)
    turn, per_epoch = jax.jit(step), len(x) // BATCH
    for i in range(steps):
        key, order_key, step_key = jax.random.split(key, 3)
        if i % per_epoch == 0:
            order = jax.random.permutation(order_key, len(x))
        state, value = turn(state, step_key, x[order[i % per_epoch * BATCH :][:BATCH]])
    return state[1], value
