"""RealNVP on two moons, in JAX and Optax: both directions of the couplings, log-determinant, training loop."""

import jax
import jax.numpy as jnp
import optax

COUPLINGS, H, BATCH = 8, 64, 512
optimiser = optax.adam(1e-3)


def init(key):
    glorot = jax.nn.initializers.glorot_uniform()
    sizes = [(1, H), (H, H), (H, 2)]
    keys = jax.random.split(key, (COUPLINGS, len(sizes)))
    return [[(glorot(k, s), jnp.zeros(s[1])) for k, s in zip(row, sizes)] for row in keys]


def scale_and_shift(net, u):
    for W, b in net[:-1]:
        u = jax.nn.silu(u @ W + b)
    W, b = net[-1]
    log_scale, shift = jnp.split(u @ W + b, 2, axis=-1)
    return jnp.tanh(log_scale), shift


def forward(params, z):
    a, b = jnp.split(z, 2, axis=-1)
    for net in reversed(params):
        log_scale, shift = scale_and_shift(net, b)
        a, b = b, (a - shift) * jnp.exp(-log_scale)
    return jnp.concatenate([a, b], axis=-1)


def log_density(params, x):
    a, b = jnp.split(x, 2, axis=-1)
    log_det = 0.0
    for net in params:
        log_scale, shift = scale_and_shift(net, a)
        a, b = b * jnp.exp(log_scale) + shift, a
        log_det += log_scale
    base = jax.scipy.stats.norm.logpdf(a) + jax.scipy.stats.norm.logpdf(b)
    return (base + log_det).squeeze(-1)


@jax.jit
def step(params, moments, x):
    loss, grads = jax.value_and_grad(lambda p: -log_density(p, x).mean())(params)
    updates, moments = optimiser.update(grads, moments)
    return optax.apply_updates(params, updates), moments, loss


def train(key, x, steps=5000):
    params = init(key)
    moments = optimiser.init(params)
    epoch_length = len(x) // BATCH
    for i in range(steps):
        if i % epoch_length == 0:
            key, order_key = jax.random.split(key)
            order = jax.random.permutation(order_key, len(x))
        rows = order[i % epoch_length * BATCH :][:BATCH]
        params, moments, loss = step(params, moments, x[rows])
    return params, -loss
