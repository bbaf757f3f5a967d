"""Writes diffusion_bound.json: the variational bound of denoising diffusion (Ho, Jain, Abbeel: Denoising diffusion probabilistic models,
2020, equation 5) on the mixture of mixture_diffusion.py, where the best prediction of the noise is known, and the
same bound and the entropy for moons(noise: 0.05), by quadrature.

    pip install numpy==2.4.6 scipy==1.17.1
    python diffusion_bound.py > diffusion_bound.json

Of each x(0) in `rows`, expectations over x(t) by the trapezoidal rule in the plane, which is exact here to rounding:

- `prior`: KL of q(x[T] | x[0]) from N(0, I)
- `kl_beta`, `kl_posterior`: the sum over t in 2..T of the KL of q(x[t-1] | x[t], x[0]) from N(mean of the model, s² I), where s² is beta[t]
  or the variance of q(x[t-1] | x[t], x[0])
- `reconstruction_beta`: the expectation of log p(x[0] | x[1]) with variance beta[1]; `reconstruction_posterior`: with that of the posterior at t = 2
- `elbo_beta`, `elbo_posterior`: reconstruction - kl - prior. They bound the model's log-likelihood, so a row's may lie above that of the mixture

`mean_…` is the mean over x(0) of the mixture: no noise prediction reaches a mean_elbo above this one, and this one lies below -entropy.
"""

import numpy as np
import scipy
from scipy.interpolate import CubicSpline

from mixture_diffusion import COVS, MEANS, MIXTURE, ROWS, WEIGHTS, Mixture, moments_and_entropy, plain, readable

SPACING, REACH = 0.1, 7.0
SIDE = np.arange(-REACH, REACH + SPACING / 2, SPACING)
PLANE = np.stack(np.meshgrid(SIDE, SIDE), axis=-1).reshape(-1, 2)
SHARE = np.exp(-0.5 * (PLANE**2).sum(-1)) * SPACING**2 / (2 * np.pi)


def schedule(T, first, last):
    """Index t - 1 holds the value at t in 1..T."""
    beta = first + (last - first) * np.arange(T) / (T - 1)
    alpha_bar = np.cumprod(1 - beta)
    before = np.append(1.0, alpha_bar[:-1])
    return {
        "beta": beta,
        "alpha_bar": alpha_bar,
        "posterior_of_xt": np.sqrt(1 - beta) * (1 - before) / (1 - alpha_bar),
        "posterior_of_x0": np.sqrt(before) * beta / (1 - alpha_bar),
        "posterior_var": beta * (1 - before) / (1 - alpha_bar),
    }


def error(alpha_bar, x0):
    """The expectation over x(t), given x(0), of |x(0) - E[x(0) | x(t)]|²."""
    x = np.sqrt(alpha_bar) * x0 + np.sqrt(1 - alpha_bar) * PLANE
    predicted = Mixture(np.sqrt(alpha_bar), 1 - alpha_bar).expectations(x)[1]
    return SHARE @ ((x0 - predicted) ** 2).sum(-1)


def mean_error(alpha_bar):
    """The same over x(0) too: E tr Var[x(0) | x(t)], where the variance is b²/a times the Jacobian of the mean."""
    mixture = Mixture(np.sqrt(alpha_bar), 1 - alpha_bar)
    trace = mixture.expectations(PLANE)[3] * (1 - alpha_bar) / np.sqrt(alpha_bar)
    return np.exp(mixture.log_density(PLANE)) @ trace * SPACING**2


def bound(tables, errors, squares, variance, first_variance):
    """The terms where x(0) has these errors at each t and this squared length, and the model these variances."""
    moved = tables["posterior_of_x0"] ** 2 * errors
    ratio, final = tables["posterior_var"][1:] / variance[1:], tables["alpha_bar"][-1]
    kl = (ratio - 1 - np.log(ratio) + moved[1:] / (2 * variance[1:])).sum()
    reconstruction = -moved[0] / (2 * first_variance) - np.log(2 * np.pi * first_variance)
    prior = 0.5 * (final * squares - 2 * final - 2 * np.log1p(-final))
    return {"kl": kl, "reconstruction": reconstruction, "elbo": reconstruction - kl - prior}, prior


def chain(T, first, last):
    tables, rows = schedule(T, first, last), np.array(ROWS)
    times = sorted({1, 2, T // 2, T})
    values = {name: table[np.array(times) - 1] for name, table in tables.items()}
    squares = [*(rows**2).sum(-1), WEIGHTS @ ((MEANS**2).sum(-1) + np.trace(COVS, axis1=1, axis2=2))]
    errors = np.array([[*(error(a, x0) for x0 in rows), mean_error(a)] for a in tables["alpha_bar"]]).T
    choices = {"beta": (tables["beta"], tables["beta"][0]), "posterior": (tables["posterior_var"], tables["posterior_var"][1])}
    for choice, variances in choices.items():
        terms, priors = zip(*(bound(tables, *of_row, *variances) for of_row in zip(errors, squares)))
        for name in terms[0]:
            *of_rows, mean = (of_row[name] for of_row in terms)
            values |= {f"{name}_{choice}": of_rows, f"mean_{name}_{choice}": mean}
        values |= {"prior": priors[:-1], "mean_prior": priors[-1]}
        assert values[f"mean_elbo_{choice}"] < -moments_and_entropy()["values"]["entropy"]
    return {"inputs": MIXTURE | {"T": T, "first": first, "last": last, "times": times, "rows": rows}, "values": values}


class Moons:
    """The two half circles of `moons`, as equal Gaussians centred on the nodes of the midpoint rule over the angle."""

    def __init__(self, noise, nodes=400):
        angle = (np.arange(nodes) + 0.5) * np.pi / nodes
        upper = np.stack([np.cos(angle), np.sin(angle)], axis=-1)
        self.centres, self.noise = np.concatenate([upper, [1.0, 0.5] - upper]), noise
        self.squares = (self.centres**2).sum(-1)

    def plane(self, a, b, rows_at_once=4000):
        """Of x = a x(0) + b e, in parts: log-densities, shares of the nodes, and the area of a point."""
        var = (a * self.noise) ** 2 + b**2
        spacing, reach = np.sqrt(var) / 4, 7 * np.sqrt(var)
        low, high = a * self.centres.min(0) - reach, a * self.centres.max(0) + reach
        sides = [np.arange(low[i], high[i], spacing) for i in range(2)]
        for part in batched(np.stack(np.meshgrid(*sides), axis=-1).reshape(-1, 2), rows_at_once):
            distance = (part**2).sum(-1)[:, None] + a**2 * self.squares - 2 * a * part @ self.centres.T
            least = distance.min(-1, keepdims=True)
            shares = np.exp((least - distance) / (2 * var))
            total = shares.sum(-1)
            log_density = np.log(total / len(self.centres)) - least[:, 0] / (2 * var) - np.log(2 * np.pi * var)
            yield log_density, shares / total[:, None], spacing**2

    def entropy(self):
        return -sum((np.exp(log) * log).sum() * area for log, _, area in self.plane(1.0, 0.0))

    def mean_error(self, alpha_bar):
        """E tr Var[x(0) | x(t)]: within a node's Gaussian, and between nodes."""
        a, var = np.sqrt(alpha_bar), 1 - alpha_bar
        kept = var / (alpha_bar * self.noise**2 + var)
        between = 0.0
        for log, shares, area in self.plane(a, np.sqrt(var)):
            spread = shares @ self.squares - ((shares @ self.centres) ** 2).sum(-1)
            between += (np.exp(log) * spread).sum() * area
        return 2 * self.noise**2 * kept + kept**2 * between


def batched(rows, at_once):
    return np.split(rows, range(at_once, len(rows), at_once))


def moons(noise, T, first, last):
    data, tables = Moons(noise), schedule(T, first, last)
    log_snr = lambda alpha_bar: np.log(alpha_bar / (1 - alpha_bar))
    # The logarithm of the error is smooth in the log-SNR; at 120 times it is computed, between them interpolated.
    times = np.unique(np.round(T ** np.linspace(0, 1, 60)).astype(int)).tolist() + np.linspace(1, T, 60).astype(int).tolist()
    nodes = tables["alpha_bar"][np.unique(times) - 1][::-1]
    spline = CubicSpline(log_snr(nodes), np.log([data.mean_error(alpha_bar) for alpha_bar in nodes]))
    errors = np.exp(spline(log_snr(tables["alpha_bar"])))
    squares = data.squares.mean() + 2 * noise**2
    values = {"entropy": data.entropy()}
    choices = {"beta": (tables["beta"], tables["beta"][0]), "posterior": (tables["posterior_var"], tables["posterior_var"][1])}
    for choice, variances in choices.items():
        terms, values["mean_prior"] = bound(tables, errors, squares, *variances)
        values |= {f"mean_{name}_{choice}": term for name, term in terms.items()}
        assert values[f"mean_elbo_{choice}"] < -values["entropy"]
    return {"inputs": {"noise": noise, "T": T, "first": first, "last": last}, "values": values}


def main():
    models = {"ddpm_20": chain(20, 0.02, 0.6), "ddpm_1000": chain(1000, 1e-4, 0.02), "moons": moons(0.05, 1000, 1e-4, 0.02)}
    print(readable({"source": f"NumPy {np.__version__}, SciPy {scipy.__version__}", "models": plain(models)}))


if __name__ == "__main__":
    main()
