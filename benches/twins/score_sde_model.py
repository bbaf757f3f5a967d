"""A score-based diffusion in continuous time (Song et al. 2021) on two moons, in JAX and Optax: kernels, loss, three samplers, likelihood,
training loop."""

from functools import partial
from typing import Callable, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax.experimental.ode import odeint

D, H, FEATURES, BATCH, EMA, FIRST = 2, 128, 32, 512, 0.999, 1e-3
BMIN, BMAX = 0.1, 20.0
optimiser = optax.adam(1e-3)


class Process(NamedTuple):
    """x(t) | x(0) is N(signal x(0), std²), for t in 0..1, where dx = rate x dt + diffusion dW. The score is the network's times `scale`."""

    signal: Callable
    std: Callable
    rate: Callable
    diffusion: Callable
    scale: Callable = lambda t: 1.0


def beta(t):
    return BMIN + t * (BMAX - BMIN)


def log_signal(t):
    return -0.5 * (BMIN * t + (BMAX - BMIN) * t**2 / 2)


vp = Process(
    signal=lambda t: jnp.exp(log_signal(t)),
    std=lambda t: jnp.sqrt(-jnp.expm1(2 * log_signal(t))),
    rate=lambda t: -0.5 * beta(t),
    diffusion=lambda t: jnp.sqrt(beta(t)),
)


def init(key):
    glorot = jax.nn.initializers.glorot_uniform()
    sizes = [(D + FEATURES, H), (H, H), (H, D)]
    net = [(glorot(k, s), jnp.zeros(s[1])) for k, s in zip(jax.random.split(key, 3), sizes)]
    return net, net, optimiser.init(net)


def score(net, x, t, q):
    """Of one row."""
    angle = 2 * jnp.pi * t * 1000.0 ** (jnp.arange(FEATURES // 2) / (FEATURES // 2 - 1))
    h = jnp.concatenate([x, jnp.sin(angle), jnp.cos(angle)])
    for W, b in net[:-1]:
        h = jax.nn.silu(h @ W + b)
    W, b = net[-1]
    return (h @ W + b) * q.scale(t)


scores = jax.vmap(score, (None, 0, None, None))


def loss(net, key, x0, q=vp):
    time_key, noise_key = jax.random.split(key)
    t = jax.random.uniform(time_key, (len(x0), 1), minval=FIRST)
    noise = jax.random.normal(noise_key, x0.shape)
    x = q.signal(t) * x0 + q.std(t) * noise
    s = jax.vmap(lambda x, t: score(net, x, t, q))(x, t[:, 0])
    return jnp.mean(jnp.sum((q.std(t) * s + noise) ** 2, -1))


def step(state, key, x0, q=vp):
    net, average, moments = state
    value, grads = jax.value_and_grad(loss)(net, key, x0, q)
    updates, moments = optimiser.update(grads, moments)
    net = optax.apply_updates(net, updates)
    return (net, optax.incremental_update(net, average, 1 - EMA), moments), value


def prior(key, rows, q):
    return q.std(1.0) * jax.random.normal(key, (rows, D))


def predict(net, x, t, s, noise, q):
    """From t to s < t by the reverse equation."""
    h, g = t - s, q.diffusion(t)
    mean = x - h * (q.rate(t) * x - g**2 * scores(net, x, t, q))
    return mean + jnp.where(s > FIRST, g * jnp.sqrt(h), 0) * noise


def correct(net, x, t, noise, snr, q):
    s = scores(net, x, t, q)
    norm = lambda v: jnp.linalg.norm(v, axis=-1).mean()
    h = 2 * (snr * norm(noise) / norm(s)) ** 2
    return x + h * s + jnp.sqrt(2 * h) * noise


@partial(jax.jit, static_argnums=(2, 3, 4, 5))
def predictor_corrector(net, key, rows, steps=500, snr=0.16, q=vp):
    """By Euler-Maruyama alone where snr is None."""

    def back(x, now):
        t, s, key = now
        z, w = jax.random.normal(key, (2, rows, D))
        x = predict(net, x, t, s, z, q)
        return x if snr is None else correct(net, x, s, w, snr, q), None

    grid, keys = jnp.linspace(1, FIRST, steps + 1), jax.random.split(key, steps + 1)
    x = prior(keys[0], rows, q)
    return jax.lax.scan(back, x, (grid[:-1], grid[1:], keys[1:]))[0]


def euler_maruyama(net, key, rows, steps=500, q=vp):
    return predictor_corrector(net, key, rows, steps, None, q)


def velocity(net, x, t, q):
    return q.rate(t) * x - q.diffusion(t) ** 2 / 2 * score(net, x, t, q)


@partial(jax.jit, static_argnums=(2, 3))
def probability_flow(net, key, rows, q=vp, tolerance=1e-5):
    """By Dormand-Prince, with one step size for all rows."""
    slope = lambda x, u: -jax.vmap(lambda row: velocity(net, row, 1 - u, q))(x)
    times = jnp.array([0, 1 - FIRST])
    return odeint(slope, prior(key, rows, q), times, rtol=tolerance, atol=tolerance)[-1]


@partial(jax.jit, static_argnums=2)
def log_likelihood(net, x0, q=vp, tolerance=1e-5):
    """Of each row, with the exact trace."""

    def of_row(x):
        def slope(state, t):
            of_x = lambda x: velocity(net, x, t, q)
            return of_x(state[0]), jnp.trace(jax.jacfwd(of_x)(state[0]))

        times = jnp.array([FIRST, 1.0])
        path, volume = odeint(slope, (x, jnp.zeros(())), times, rtol=tolerance, atol=tolerance)
        return jax.scipy.stats.norm.logpdf(path[-1], scale=q.std(1.0)).sum() + volume[-1]

    return jax.vmap(of_row)(x0)


def train(key, x, steps=20_000):
    state = init(key)
    turn, per_epoch = jax.jit(step), len(x) // BATCH
    for i in range(steps):
        key, order_key, step_key = jax.random.split(key, 3)
        if i % per_epoch == 0:
            order = jax.random.permutation(order_key, len(x))
        state, value = turn(state, step_key, x[order[i % per_epoch * BATCH :][:BATCH]])
    return state[1], value
