"""Writes mixture_diffusion.json: diffusions of a mixture of three Gaussians in the plane, whose density, score and posterior mean are
known at every time. NumPy and SciPy in double precision.

    pip install numpy==2.4.6 scipy==1.17.1
    python mixture_diffusion.py > mixture_diffusion.json

With x(t) = a x(0) + b e, the density of x(t) is the mixture of N(a m_k, a² S_k + b² I). Of each process the file holds

- of `times`: signal a, noise b, var b², log_snr = log(a²/b²), drift_rate F and diffusion g of dx = F x dt + g dW
- of `kernels`, pairs [s, t] with s < t: x(t) | x(s) is N(kernel_signal x(s), kernel_var); x(s) | x(t), x(0) is
  N(posterior_of_xt x(t) + posterior_of_x0 x(0), posterior_var)
- of `points`, [[x, y], t]: log_density, score; the expectations given x(t) of x(0) (`x0`), of e (`predicted_noise`), of a e - b x(0) (`v`);
  velocity = a' x0 + b' e, which is the drift of the probability-flow equation, its divergence, and the drift F x - g² score of the reverse
  equation (Anderson)
- of `starts`, points at the last time: x(0) at the end of the probability flow (`decoded`), and its exact log-density
- of `rows`, points at time 0: the end of the flow at the last time (`encoded`); the integral over time of the divergence along it
  (`log_volume`); the exact log-density (`log_likelihood`) and that by the flow from N(0, I) and from N(0, b²) at the last time, which are
  no approximations of it but what a model with that prior has to give; and these two where the row is taken for x(`late`), as models do whose
  prediction has no bound at time 0
"""

import json
import re

import numpy as np
import scipy
from scipy.integrate import quad, solve_ivp

WEIGHTS = np.array([0.5, 0.3, 0.2])
MEANS = np.array([[-1.5, 0.5], [1.0, 1.25], [0.75, -1.5]])
COVS = np.array([[[0.3, 0.1], [0.1, 0.2]], [[0.15, -0.05], [-0.05, 0.25]], [[0.4, 0.0], [0.0, 0.1]]])
MIXTURE = {"weights": WEIGHTS, "means": MEANS, "covs": COVS}
PLACES = [[-1.0, 0.0], [0.5, 1.5], [2.0, -1.0], [0.0, 0.0]]
ROWS = [[-1.5, 0.5], [1.25, 1.0], [0.0, -1.25], [2.0, 2.5], [-0.25, 0.25]]
LATE = 1e-3  # Of the range of times.
STARTS = [[0.5, -0.25], [-1.0, 0.75], [1.5, 1.25], [-0.125, -2.0], [0.0, 0.0]]  # In units of b at the last time.


class Mixture:
    """The mixture of N(a m_k, a² S_k + var I)."""

    def __init__(self, a, var):
        self.a, self.var = a, var
        self.covs = a**2 * COVS + var * np.eye(2)
        self.precisions = np.linalg.inv(self.covs)

    def at(self, x):
        """Of x [..., 2]: weighted log-densities of the components [..., 3], their scores [..., 3, 2]."""
        residual = x[..., None, :] - self.a * MEANS
        scores = -np.einsum("kij,...kj->...ki", self.precisions, residual)
        log = np.log(WEIGHTS) + 0.5 * (residual * scores).sum(-1) - 0.5 * np.linalg.slogdet(2 * np.pi * self.covs)[1]
        return log, scores

    def log_density(self, x):
        return np.logaddexp.reduce(self.at(x)[0], axis=-1)

    def expectations(self, x):
        """Given x(t) = x: of the score and of x(0), and the traces of their Jacobians."""
        log, scores = self.at(x)
        share = np.exp(log - np.logaddexp.reduce(log, axis=-1, keepdims=True))
        score = np.einsum("...k,...ki->...i", share, scores)
        centres = MEANS - self.a * np.einsum("kij,...kj->...ki", COVS, scores)
        x0 = np.einsum("...k,...ki->...i", share, centres)
        pull = scores - score[..., None, :]
        trace_score = np.einsum("...k,...ki,...ki->...", share, scores, pull) - share @ np.trace(self.precisions, axis1=1, axis2=2)
        gains = self.a * np.einsum("kij,kji->k", COVS, self.precisions)
        trace_x0 = np.einsum("...k,...ki,...ki->...", share, centres, pull) + share @ gains
        return score, x0, trace_score, trace_x0


class Process:
    """x(t) = a(t) x(0) + b(t) e for t in 0..last, from a, b² and their derivatives."""

    def __init__(self, equation, last, a, da, var, dvar, times, **constants):
        self.equation, self.last, self.times, self.constants = equation, last, times, constants
        self.a, self.da, self.var, self.dvar = a, da, var, dvar

    def rate(self, t):
        return self.da(t) / self.a(t)

    def diffusion(self, t):
        return np.sqrt(self.dvar(t) - 2 * self.rate(t) * self.var(t))

    def flow(self, t, x):
        """Velocity a' E[x(0)] + b' E[e], where b' E[e] = -b b' score, and its divergence."""
        score, x0, trace_score, trace_x0 = Mixture(self.a(t), self.var(t)).expectations(x)
        half = self.dvar(t) / 2
        return self.da(t) * x0 - half * score, self.da(t) * trace_x0 - half * trace_score

    def solve(self, x, start, end):
        """The end of the probability flow, and the integral of the divergence along it, from the start to the end."""

        def slope(t, state):
            velocity, divergence = self.flow(t, state[:2])
            return np.append(velocity, divergence)

        solved = solve_ivp(slope, (start, end), np.append(x, 0.0), method="DOP853", rtol=1e-13, atol=1e-13)
        return solved.y[:2, -1], solved.y[2, -1]


def vp(bmin, bmax):
    """Song et al., Score-based generative modeling through stochastic differential equations (2021), equation 11."""
    beta = lambda t: bmin + t * (bmax - bmin)
    area = lambda t: bmin * t + (bmax - bmin) * t**2 / 2
    a = lambda t: np.exp(-area(t) / 2)
    equation = "dx = -1/2 beta(t) x dt + sqrt(beta(t)) dW, beta(t) = bmin + t (bmax - bmin)"
    var, dvar = lambda t: -np.expm1(-area(t)), lambda t: beta(t) * np.exp(-area(t))
    return Process(equation, 1.0, a, lambda t: -beta(t) / 2 * a(t), var, dvar, [0.01, 0.1, 0.4, 0.8, 1.0], bmin=bmin, bmax=bmax)


def subvp(bmin, bmax):
    """The same, equation 12."""
    ordinary = vp(bmin, bmax)
    equation = "dx = -1/2 beta(t) x dt + sqrt(beta(t) (1 - exp(-2 B(t)))) dW, beta as in vp, B its integral from 0"
    var, dvar = lambda t: ordinary.var(t) ** 2, lambda t: 2 * ordinary.var(t) * ordinary.dvar(t)
    return Process(equation, 1.0, ordinary.a, ordinary.da, var, dvar, ordinary.times, bmin=bmin, bmax=bmax)


def ve(smin, smax):
    """The same, equation 9; here with x(0) itself at time 0, not x(0) with noise smin."""
    log_ratio = np.log(smax / smin)
    equation = "dx = smin (smax / smin)^t sqrt(2 log(smax / smin)) dW"
    var, dvar = lambda t: smin**2 * np.expm1(2 * log_ratio * t), lambda t: 2 * log_ratio * smin**2 * np.exp(2 * log_ratio * t)
    return Process(equation, 1.0, lambda t: 1.0, lambda t: 0.0, var, dvar, [0.05, 0.3, 0.6, 0.9, 1.0], smin=smin, smax=smax)


def edm():
    """Karras et al., Elucidating the design space of diffusion-based generative models (2022): the noise is the time."""
    equation = "x(t) = x(0) + t e; dx = sqrt(2 t) dW"
    return Process(equation, 80.0, lambda t: 1.0, lambda t: 0.0, lambda t: t**2, lambda t: 2 * t, [0.002, 0.1, 1.0, 10.0, 80.0])


def ou(theta, sigma):
    equation = "dx = -theta x dt + sigma dW"
    level = sigma**2 / (2 * theta)
    a = lambda t: np.exp(-theta * t)
    var, dvar = lambda t: -level * np.expm1(-2 * theta * t), lambda t: sigma**2 * np.exp(-2 * theta * t)
    return Process(equation, 2.0, a, lambda t: -theta * a(t), var, dvar, [0.01, 0.5, 1.0, 1.5, 2.0], theta=theta, sigma=sigma)


def rectified():
    """Lipman et al., Flow matching (2023); Liu et al., Flow straight and fast (2023). The Itô form ends before t = 1, where a = 0."""
    equation = "x(t) = (1 - t) x(0) + t e"
    return Process(equation, 1.0, lambda t: 1 - t, lambda t: -1.0, lambda t: t**2, lambda t: 2 * t, [0.05, 0.25, 0.5, 0.75, 0.95])


def cosine():
    """a = cos(pi t / 2), b = sin(pi t / 2), as in Salimans, Ho, Progressive distillation (2022)."""
    turn = np.pi / 2
    a, da = lambda t: np.cos(turn * t), lambda t: -turn * np.sin(turn * t)
    var, dvar = lambda t: np.sin(turn * t) ** 2, lambda t: turn * np.sin(2 * turn * t)
    return Process("x(t) = cos(pi t / 2) x(0) + sin(pi t / 2) e", 1.0, a, da, var, dvar, [0.05, 0.25, 0.5, 0.75, 0.95])


def log_normal(x, var):
    return -0.5 * ((x**2).sum(-1) / var + 2 * np.log(2 * np.pi * var))


def coefficients(process):
    t = np.array(process.times)
    a, var = np.array([process.a(s) for s in t]), process.var(t)
    values = {"signal": a, "noise": np.sqrt(var), "var": var, "log_snr": np.log(a**2 / var)}
    return values | {"drift_rate": [process.rate(s) for s in t], "diffusion": [process.diffusion(s) for s in t]}


def kernels(process, pairs):
    values = {name: [] for name in ("kernel_signal", "kernel_var", "posterior_of_xt", "posterior_of_x0", "posterior_var")}
    for s, t in pairs:
        signal = process.a(t) / process.a(s)
        var = process.var(t) - signal**2 * process.var(s)
        share = process.var(s) / process.var(t)
        of_x0 = process.a(s) * var / process.var(t)
        for name, value in zip(values, (signal, var, signal * share, of_x0, var * share)):
            values[name].append(value)
    return values


def pointwise(process, points):
    values = {name: [] for name in ("log_density", "score", "x0", "predicted_noise", "v", "velocity", "divergence", "reverse_drift")}
    for x, t in points:
        x, a, b = np.array(x), process.a(t), np.sqrt(process.var(t))
        mixture = Mixture(a, b**2)
        score, x0, _, _ = mixture.expectations(x)
        noise = -b * score
        velocity, divergence = process.flow(t, x)
        reverse = process.rate(t) * x - process.diffusion(t) ** 2 * score
        of_flow = process.rate(t) * x - process.diffusion(t) ** 2 / 2 * score
        assert np.allclose(a * x0 + b * noise, x, rtol=0, atol=1e-10 * max(1, b)) and np.allclose(of_flow, velocity, rtol=1e-9, atol=1e-11)
        for name, value in zip(values, (mixture.log_density(x), score, x0, noise, a * noise - b * x0, velocity, divergence, reverse)):
            values[name].append(value)
    return values


def late_likelihoods(process, rows):
    solved = [process.solve(np.array(x), LATE * process.last, process.last) for x in rows]
    encoded, volume = np.array([x for x, _ in solved]), np.array([v for _, v in solved])
    return {
        "late_log_likelihood_from_unit_prior": log_normal(encoded, 1.0) + volume,
        "late_log_likelihood_from_noise_prior": log_normal(encoded, process.var(process.last)) + volume,
    }


def flows(process, starts, rows):
    data, final = Mixture(1.0, 0.0), Mixture(process.a(process.last), process.var(process.last))
    decoded = np.array([process.solve(x, process.last, 0.0)[0] for x in starts])
    solved = [process.solve(np.array(x), 0.0, process.last) for x in rows]
    encoded, volume = np.array([x for x, _ in solved]), np.array([v for _, v in solved])
    log_likelihood = data.log_density(np.array(rows))
    error = abs(final.log_density(encoded) + volume - log_likelihood).max()
    assert error < 1e-10, f"{process.equation}: the change of variables is off by {error}"
    return {
        "decoded": decoded,
        "decoded_log_density": data.log_density(decoded),
        "encoded": encoded,
        "log_volume": volume,
        "log_likelihood": log_likelihood,
        "log_likelihood_from_unit_prior": log_normal(encoded, 1.0) + volume,
        "log_likelihood_from_noise_prior": log_normal(encoded, process.var(process.last)) + volume,
    }


def model(process):
    times, scale = process.times, np.sqrt(process.var(process.last))
    pairs = [[times[0], times[1]], [times[1], times[3]], [times[2], times[4]]]
    points = [[place, t] for t in times[:4] for place in PLACES[: 3 if t == times[0] else 4]]
    starts = np.array(STARTS) * scale
    inputs = (
        MIXTURE
        | process.constants
        | {
            "last": process.last,
            "times": times,
            "kernels": pairs,
            "points": points,
            "starts": starts,
            "rows": ROWS,
            "late": LATE * process.last,
        }
    )
    values = coefficients(process) | kernels(process, pairs) | pointwise(process, points) | flows(process, starts, ROWS)
    values |= late_likelihoods(process, ROWS)
    return {"equation": process.equation, "inputs": inputs, "values": values}


def moments_and_entropy():
    mean = WEIGHTS @ MEANS
    cov = np.einsum("k,kij->ij", WEIGHTS, COVS + np.einsum("ki,kj->kij", MEANS, MEANS)) - np.outer(mean, mean)
    side = np.linspace(-7, 7, 1401)
    grid = np.stack(np.meshgrid(side, side), axis=-1)
    log = Mixture(1.0, 0.0).log_density(grid)
    # The trapezoidal rule, exact here to rounding.
    entropy = -(np.exp(log) * log).sum() * (side[1] - side[0]) ** 2
    return {"inputs": MIXTURE, "values": {"mean": mean, "cov": cov, "entropy": entropy}}


def plain(value):
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | np.ndarray):
        return [plain(item) for item in value]
    return value if isinstance(value, str | int) else float(value)


def readable(whole):
    """As JSON, with lists of numbers on one line."""
    return re.sub(r"\[[^\[\]{}]*\]", lambda numbers: " ".join(numbers[0].split()), json.dumps(whole, indent=1))


def main():
    processes = {"vp": vp(0.1, 20.0), "vp_to_noise": vp(0.1, 60.0), "subvp": subvp(0.1, 20.0), "ve": ve(0.01, 10.0), "edm": edm()}
    processes |= {"ou": ou(1.5, 1.2), "rectified": rectified(), "cosine": cosine()}
    for name, process in processes.items():
        rate = quad(lambda s: process.rate(s), 0, process.times[2], epsabs=1e-13)[0]
        assert abs(np.exp(rate) - process.a(process.times[2])) < 1e-12, name
    models = {"mixture": moments_and_entropy()} | {name: model(process) for name, process in processes.items()}
    source = f"NumPy {np.__version__}, SciPy {scipy.__version__} (DOP853 at 1e-13)"
    print(readable({"source": source, "models": plain(models)}))


if __name__ == "__main__":
    main()
