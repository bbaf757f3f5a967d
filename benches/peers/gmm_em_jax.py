"""benches/workloads/gmm_em.tilde in JAX: EM of a Gaussian mixture with full covariances, both steps as products with the rows' moments."""

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from jax.scipy.special import logsumexp

from common import gmm_start, measured, report
from common_jax import arguments, compiled, heading


def moments(x: Array) -> Array:
    """Of each row: 1, x, and the products x_i x_j for i <= j."""
    upper = np.triu_indices(x.shape[1])
    return jnp.concatenate([jnp.ones((len(x), 1)), x, x[:, upper[0]] * x[:, upper[1]]], axis=1)


def coefficients(w: Array, mu: Array, cov: Array) -> Array:
    """[moments, components]: log w + log N(x; mu, cov) as a linear function of the moments of x."""
    k, d = mu.shape
    factor = jnp.linalg.cholesky(cov)
    inverse = jax.vmap(lambda f: lax.linalg.triangular_solve(f, jnp.eye(d), left_side=True, lower=True))(factor)
    precision = jnp.swapaxes(inverse, 1, 2) @ inverse
    linear = jnp.einsum("kij,kj->ki", precision, mu)
    log_det = 2 * jnp.log(jnp.diagonal(factor, axis1=1, axis2=2)).sum(-1)
    constant = jnp.log(w) - (d * jnp.log(2 * jnp.pi) + log_det + (linear * mu).sum(-1)) / 2
    upper = np.triu_indices(d)
    quadratic = -precision[:, *upper] * np.where(upper[0] == upper[1], 0.5, 1.0).astype(np.float32)
    return jnp.concatenate([constant[:, None], linear, quadratic], axis=1).T


def iteration(params: tuple, phi: Array) -> tuple[tuple, Array]:
    """The next parameters, and the mean log-likelihood at these."""
    k, d = params[1].shape
    joint = phi @ coefficients(*params)
    log_likelihood = logsumexp(joint, axis=1, keepdims=True)
    sums = jnp.exp(joint - log_likelihood).T @ phi
    n, mu = sums[:, 0], sums[:, 1 : 1 + d] / sums[:, :1]
    second = jnp.zeros((k, d, d)).at[:, *np.triu_indices(d)].set(sums[:, 1 + d :] / n[:, None])
    second = second + jnp.swapaxes(jnp.triu(second, 1), 1, 2)
    # One long sum in f32 would lose the fourth digit.
    mean = log_likelihood.reshape(100, -1).mean(1).mean()
    return (n / len(phi), mu, second - mu[:, :, None] * mu[:, None, :]), mean


def main() -> None:
    args = arguments(__doc__, steps=50).parse_args()
    x, *start = gmm_start(args.from_)
    phi = jax.jit(moments)(jnp.asarray(x - x.mean(0)))
    params = tuple(map(jnp.asarray, (start[0], start[1] - x.mean(0), start[2])))
    if args.mode == "scan":

        def fit(params: tuple, phi: Array) -> tuple[tuple, Array]:
            return lax.scan(lambda carry, _: iteration(carry, phi), params, length=args.steps)

        call, compile_ms = compiled(fit, params, phi)
        run = lambda: np.asarray(call(params, phi)[1])
    else:
        call, compile_ms = compiled(iteration, params, phi)

        def run() -> np.ndarray:
            now, values = params, []
            for _ in range(args.steps):
                now, value = call(now, phi)
                values.append(value)
            return np.stack(values)

    values, timing = measured(run, compile_ms, repeats=2, steps=args.steps)
    report(heading("gmm_em", args) | timing | {"loss": float(values[-1])}, args.json)


if __name__ == "__main__":
    main()
