"""A variational autoencoder of 8x8 digits, in JAX and Optax: networks, bound, training loop."""

import jax
import jax.numpy as jnp
import optax

D, Z, H, BATCH = 64, 8, 128, 64
optimiser = optax.adam(1e-3)


def init(key):
    sizes = {"h": (D, H), "mean": (H, Z), "log_std": (H, Z), "g": (Z, H), "logits": (H, D)}
    glorot = jax.nn.initializers.glorot_uniform()
    keys = jax.random.split(key, len(sizes))
    return {n: (glorot(k, s), jnp.zeros(s[1])) for k, (n, s) in zip(keys, sizes.items())}


def dense(params, name, x):
    W, b = params[name]
    return x @ W + b


def encode(params, x):
    h = jnp.tanh(dense(params, "h", x))
    return dense(params, "mean", h), dense(params, "log_std", h)


def decode(params, z):
    return dense(params, "logits", jnp.tanh(dense(params, "g", z)))


def draw(params, key, x):
    mean, log_std = encode(params, x)
    noise = jax.random.normal(key, mean.shape)
    return mean + jnp.exp(log_std) * noise, noise, mean, log_std


def log_likelihood(params, x, z):
    logits = decode(params, z)
    return (x * logits - jax.nn.softplus(logits)).sum(-1)


def elbo(params, key, x):
    z, _, mean, log_std = draw(params, key, x)
    kl = 0.5 * (mean**2 + jnp.exp(2 * log_std) - 1 - 2 * log_std).sum(-1)
    return log_likelihood(params, x, z) - kl


@jax.jit
def step(params, moments, key, x):
    loss, grads = jax.value_and_grad(lambda p: -elbo(p, key, x).mean())(params)
    updates, moments = optimiser.update(grads, moments)
    return optax.apply_updates(params, updates), moments, loss


def train(key, x, epochs=100):
    params = init(key)
    moments = optimiser.init(params)
    for epoch in range(epochs):
        key, order_key, noise_key = jax.random.split(key, 3)
        order = jax.random.permutation(order_key, len(x))
        for i in range(len(x) // BATCH):
            rows = x[order[i * BATCH : (i + 1) * BATCH]]
            params, moments, loss = step(params, moments, jax.random.fold_in(noise_key, i), rows)
    return params, -loss
