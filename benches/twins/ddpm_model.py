"""Denoising diffusion (Ho, Jain, Abbeel 2020) on two moons, in JAX and Optax: schedule, posterior, loss, bound, two samplers, training loop."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax

D, T, H, FEATURES, BATCH, EMA = 2, 1000, 128, 32, 512, 0.999
optimiser = optax.adam(1e-3)

# Index t holds the value at t in 0..T.
beta = np.concatenate([[0.0], np.linspace(1e-4, 0.02, T)])
alpha_bar = np.cumprod(1 - beta)
before = np.concatenate([[1.0], alpha_bar[:-1]])
posterior_of_x0 = np.sqrt(before) * beta / np.maximum(1 - alpha_bar, 1e-12)
posterior_of_xt = np.sqrt(1 - beta) * (1 - before) / np.maximum(1 - alpha_bar, 1e-12)
posterior_var = beta * (1 - before) / np.maximum(1 - alpha_bar, 1e-12)
signal, std = np.sqrt(alpha_bar), np.sqrt(1 - alpha_bar)


def at(table, t):
    return jnp.asarray(table, jnp.float32)[t][..., None]


def init(key):
    glorot = jax.nn.initializers.glorot_uniform()
    sizes = [(D + FEATURES, H), (H, H), (H, D)]
    net = [(glorot(k, s), jnp.zeros(s[1])) for k, s in zip(jax.random.split(key, 3), sizes)]
    return net, net, optimiser.init(net)


def eps(net, x, t):
    angle = t[..., None] * 10_000.0 ** (-jnp.arange(FEATURES // 2) / (FEATURES // 2))
    h = jnp.concatenate([x, jnp.sin(angle), jnp.cos(angle)], axis=-1)
    for W, b in net[:-1]:
        h = jax.nn.silu(h @ W + b)
    W, b = net[-1]
    return h @ W + b


def x0_hat(net, x, t):
    return (x - at(std, t) * eps(net, x, t)) / at(signal, t)


def posterior_mean(x0, x, t):
    return at(posterior_of_x0, t) * x0 + at(posterior_of_xt, t) * x


def loss(net, key, x0):
    time_key, noise_key = jax.random.split(key)
    t = jax.random.randint(time_key, (len(x0),), 1, T + 1)
    noise = jax.random.normal(noise_key, x0.shape)
    x = at(signal, t) * x0 + at(std, t) * noise
    return jnp.mean((eps(net, x, t) - noise) ** 2)


def step(state, key, x0):
    net, average, moments = state
    value, grads = jax.value_and_grad(loss)(net, key, x0)
    updates, moments = optimiser.update(grads, moments)
    net = optax.apply_updates(net, updates)
    return (net, optax.incremental_update(net, average, 1 - EMA), moments), value


@jax.jit
def nelbo(net, key, x0):
    """L_0 + KL terms + L_T of each row, with variance beta[t], over all t."""

    def term(total, t):
        noise = jax.random.normal(jax.random.fold_in(key, t), x0.shape)
        times = jnp.full(len(x0), t)
        x = at(signal, times) * x0 + at(std, times) * noise
        model, var = posterior_mean(x0_hat(net, x, times), x, times), at(beta, t)
        off = jnp.sum((posterior_mean(x0, x, times) - model) ** 2, -1) / (2 * var)
        ratio = at(posterior_var, t) / var
        kl = off + D / 2 * (ratio - 1 - jnp.log(ratio))
        l0 = jnp.sum((x0 - model) ** 2, -1) / (2 * var) + D / 2 * jnp.log(2 * jnp.pi * var)
        return total + jnp.where(t == 1, l0, kl), None

    left = alpha_bar[T]
    prior = 0.5 * jnp.sum(left * x0**2 - left - np.log1p(-left), -1)
    return jax.lax.scan(term, prior, jnp.arange(1, T + 1))[0]


@partial(jax.jit, static_argnums=2)
def ancestral(net, key, rows):
    def back(x, t):
        times = jnp.full(rows, t)
        noise = jax.random.normal(jax.random.fold_in(key, t), x.shape)
        mean = posterior_mean(x0_hat(net, x, times), x, times)
        return mean + jnp.where(t > 1, jnp.sqrt(at(beta, t)), 0) * noise, None

    start = jax.random.normal(jax.random.fold_in(key, 0), (rows, D))
    return jax.lax.scan(back, start, jnp.arange(T, 0, -1))[0]


@partial(jax.jit, static_argnums=(2, 3))
def ddim(net, key, rows, steps=50):
    def back(x, pair):
        t, s = (jnp.full(rows, time) for time in pair)
        x0, noise = x0_hat(net, x, t), eps(net, x, t)
        return at(signal, s) * x0 + at(std, s) * noise, None

    grid = jnp.round(jnp.linspace(T, 0, steps + 1)).astype(int)
    start = jax.random.normal(key, (rows, D))
    return jax.lax.scan(back, start, (grid[:-1], grid[1:]))[0]


def train(key, x, steps=20_000):
    state = init(key)
    turn, per_epoch = jax.jit(step), len(x) // BATCH
    for i in range(steps):
        key, order_key, step_key = jax.random.split(key, 3)
        if i % per_epoch == 0:
            order = jax.random.permutation(order_key, len(x))
        state, value = turn(state, step_key, x[order[i % per_epoch * BATCH :][:BATCH]])
    return state[1], value
