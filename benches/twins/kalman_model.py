"""A local level, its two scales by maximum likelihood, in JAX: filter, smoother, gradient through the filter."""

import jax
import jax.numpy as jnp
import optax

optimiser = optax.adam(0.05)


def filtered(params, y):
    level_var, noise_var = jnp.exp(2 * params["level"]), jnp.exp(2 * params["noise"])

    def step(carry, value):
        mean, var, total = carry
        spread = var + noise_var
        total += jax.scipy.stats.norm.logpdf(value, mean, jnp.sqrt(spread))
        gain = var / spread
        mean, var = mean + gain * (value - mean), (1 - gain) * var
        return (mean, var + level_var, total), (mean, var)

    (_, _, log_likelihood), (means, variances) = jax.lax.scan(step, (1000.0, 1e8, 0.0), y)
    return log_likelihood, means, variances


def smoothed(params, y):
    _, means, variances = filtered(params, y)
    ahead = variances + jnp.exp(2 * params["level"])

    def step(carry, now):
        mean, var = carry
        filtered_mean, filtered_var, predicted_var = now
        gain = filtered_var / predicted_var
        mean = filtered_mean + gain * (mean - filtered_mean)
        var = filtered_var + gain**2 * (var - predicted_var)
        return (mean, var), (mean, var)

    last = (means[-1], variances[-1])
    rest = (means[:-1], variances[:-1], ahead[:-1])
    _, (m, v) = jax.lax.scan(step, last, rest, reverse=True)
    return jnp.append(m, last[0]), jnp.append(v, last[1])


def init():
    return {"level": jnp.log(50.0), "noise": jnp.log(100.0)}


@jax.jit
def step(params, moments, y):
    loss, grads = jax.value_and_grad(lambda p: -filtered(p, y)[0])(params)
    updates, moments = optimiser.update(grads, moments)
    return optax.apply_updates(params, updates), moments, loss


def train(y, steps=500):
    params = init()
    moments = optimiser.init(params)
    for _ in range(steps):
        params, moments, loss = step(params, moments, y)
    return params, -loss
