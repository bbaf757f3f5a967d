"""Writes sampler_orders.json: errors and orders of convergence of samplers on diffusions of a Gaussian mixture, where drift and noise
prediction are exact.

    pip install numpy==2.4.6 scipy==1.17.1
    python sampler_orders.py > sampler_orders.json

`flow`: deterministic samplers of the probability flow, from `starts` at time 1 to `until` in a number of equal steps of time, or of equal steps
of log-SNR. Per method the `ends` with the least number of `steps`, the `errors` (root mean square over starts of the distance from the exact
end) and the `orders`, log2 of the ratio of neighbouring errors. `adaptive`: the same ends by Dormand-Prince of SciPy, with its evaluations.

`edm`: the same with the noise levels of Karras et al. (2022), equation 5, from 80 to 0.002.

`reverse`: stochastic samplers in one dimension, from the exact law at time 1 to `until` in equal steps. Errors of the expectations of `tests`, by
the backward equation: E[u(x(s)) | x(t)] on a grid with Gauss-Hermite quadrature, so without sampling error. `variances` is that of the end
where the data is N(0, `gaussian_var`) and the start N(0, 1), which is a linear recursion; `exact_variance` that of the data with noise at `until`.
"""

import numpy as np
import scipy
from scipy.integrate import solve_ivp
from scipy.interpolate import CubicSpline

from mixture_diffusion import MIXTURE, STARTS, Mixture, edm, plain, readable, vp

UNTIL, STEPS = 1e-3, [20, 40, 80, 160, 320, 640]
LINE_WEIGHTS, LINE_MEANS, LINE_VARS = np.array([0.5, 0.3, 0.2]), np.array([-1.5, 1.0, 0.25]), np.array([0.3, 0.15, 0.4])
GAUSSIAN_VAR = 0.25

# Butcher tableaux: rows of coefficients, weights
EULER = [[]], [1]
HEUN = [[], [1]], [1 / 2, 1 / 2]
RK4 = [[], [1 / 2], [0, 1 / 2], [0, 0, 1]], [1 / 6, 1 / 3, 1 / 3, 1 / 6]
DORMAND_PRINCE = [
    [],
    [1 / 5],
    [3 / 40, 9 / 40],
    [44 / 45, -56 / 15, 32 / 9],
    [19372 / 6561, -25360 / 2187, 64448 / 6561, -212 / 729],
    [9017 / 3168, -355 / 33, 46732 / 5247, 49 / 176, -5103 / 18656],
], [35 / 384, 0, 500 / 1113, 125 / 192, -2187 / 6784, 11 / 84]


def runge_kutta(tableau):
    def solve(process, x, times):
        rows, weights = tableau
        for t, s in zip(times, times[1:]):
            h, slopes = s - t, []
            for row in rows:
                ahead = x + h * sum(c * slope for c, slope in zip(row, slopes))
                slopes.append(process.flow(t + h * sum(row), ahead)[0])
            x = x + h * sum(w * slope for w, slope in zip(weights, slopes))
        return x

    return solve


def predictions(process, x, t):
    """Of x(0) and of the noise."""
    mixture = Mixture(process.a(t), process.var(t))
    score, x0, _, _ = mixture.expectations(x)
    return x0, -np.sqrt(process.var(t)) * score


def ddim(process, x, times):
    """Song, Meng, Ermon: Denoising diffusion implicit models (2021), equation 12 with eta = 0: the exponential Euler method."""
    for t, s in zip(times, times[1:]):
        x0, noise = predictions(process, x, t)
        x = process.a(s) * x0 + np.sqrt(process.var(s)) * noise
    return x


def dpm_solver(process, x, times):
    """DPM-Solver++(2M) (Lu et al. 2022), algorithm 2; the first step is one of DDIM."""
    half_log_snr = lambda t: np.log(process.a(t)) - np.log(process.var(t)) / 2
    before = None
    for r, t, s in zip([None, *times], times, times[1:]):
        x0, _ = predictions(process, x, t)
        h = half_log_snr(s) - half_log_snr(t)
        if before is None:
            data = x0
        else:
            ratio = (half_log_snr(t) - half_log_snr(r)) / h
            data = x0 + (x0 - before) / (2 * ratio)
        x = np.sqrt(process.var(s) / process.var(t)) * x - process.a(s) * np.expm1(-h) * data
        before = x0
    return x


METHODS = {
    "euler": runge_kutta(EULER),
    "heun": runge_kutta(HEUN),
    "rk4": runge_kutta(RK4),
    "dormand_prince": runge_kutta(DORMAND_PRINCE),
    "ddim": ddim,
    "dpm_solver_2m": dpm_solver,
}


def orders(errors):
    errors = np.array(errors)
    return np.log2(errors[:-1] / errors[1:])


def convergence(process, starts, exact, grid, steps):
    found = {}
    for name, method in METHODS.items():
        ends = [method(process, starts, grid(n)) for n in steps]
        errors = [np.sqrt(((end - exact) ** 2).sum(-1).mean()) for end in ends]
        found[name] = {"ends": ends[0], "errors": errors, "orders": orders(errors)}
    return found


def exact_ends(process, starts, last, until):
    return np.array([process.solve(x, last, until)[0] for x in starts])


def adaptive(process, starts, exact, tolerance):
    """SciPy's RK45 is Dormand-Prince with local extrapolation, of each start on its own."""
    slope = lambda t, x: process.flow(t, x)[0]
    solved = [solve_ivp(slope, (1.0, UNTIL), x, method="RK45", rtol=tolerance, atol=tolerance) for x in starts]
    error = np.sqrt(((np.array([one.y[:, -1] for one in solved]) - exact) ** 2).sum(-1).mean())
    return {"tolerance": tolerance, "error": error, "evaluations": [one.nfev for one in solved]}


def flow():
    process, starts = vp(0.1, 20.0), np.array(STARTS)
    exact = exact_ends(process, starts, 1.0, UNTIL)
    log_snr = lambda t: np.log(process.a(t) ** 2 / process.var(t))

    def area(t_log_snr):
        """The integral of beta at which the log-SNR has this value, then the time."""
        total = np.logaddexp(0, -t_log_snr)
        return (np.sqrt(0.1**2 + 2 * 19.9 * total) - 0.1) / 19.9

    in_time = lambda n: np.linspace(1, UNTIL, n + 1)
    in_log_snr = lambda n: area(np.linspace(log_snr(1.0), log_snr(UNTIL), n + 1))
    inputs = MIXTURE | process.constants | {"starts": starts, "until": UNTIL, "steps": STEPS}
    values = {"exact": exact, "time": convergence(process, starts, exact, in_time, STEPS)}
    values |= {"log_snr": convergence(process, starts, exact, in_log_snr, STEPS)}
    values |= {"adaptive": [adaptive(process, starts, exact, tolerance) for tolerance in (1e-3, 1e-5, 1e-7, 1e-9)]}
    return {"equation": process.equation, "inputs": inputs, "values": values}


def edm_flow():
    process, steps = edm(), [18, 36, 72, 144, 288]
    starts = 80.0 * np.array(STARTS)
    levels = lambda n: np.linspace(80.0 ** (1 / 7), 0.002 ** (1 / 7), n) ** 7
    exact = exact_ends(process, starts, 80.0, 0.002)
    inputs = MIXTURE | {"starts": starts, "first": 80.0, "until": 0.002, "rho": 7, "levels": steps}
    values = {"exact": exact, "karras": convergence(process, starts, exact, levels, steps)}
    return {"equation": process.equation, "inputs": inputs, "values": values}


class Line:
    """A diffusion of a mixture on the line."""

    def __init__(self, process, weights, means, variances):
        self.process, self.weights, self.means, self.variances = process, weights, means, variances

    def parts(self, x, t):
        a, spread = self.process.a(t), self.process.a(t) ** 2 * self.variances + self.process.var(t)
        residual = x[..., None] - a * self.means
        log = np.log(self.weights) - residual**2 / (2 * spread) - np.log(2 * np.pi * spread) / 2
        return log, -residual / spread

    def density(self, x, t):
        return np.exp(np.logaddexp.reduce(self.parts(x, t)[0], axis=-1))

    def score(self, x, t):
        log, scores = self.parts(x, t)
        return (np.exp(log - np.logaddexp.reduce(log, axis=-1, keepdims=True)) * scores).sum(-1)

    def drift(self, x, t):
        return self.process.rate(t) * x - self.process.diffusion(t) ** 2 * self.score(x, t)


def euler_maruyama(line, x, t, s, z):
    return x + line.drift(x, t) * (s - t) + line.process.diffusion(t) * np.sqrt(t - s) * z


def stochastic_heun(line, x, t, s, z):
    """The drift is the mean of those at both ends, the noise that at the middle."""
    h, dw = s - t, line.process.diffusion((t + s) / 2) * np.sqrt(t - s) * z
    f = line.drift(x, t)
    return x + (f + line.drift(x + f * h + dw, s)) / 2 * h + dw


def ancestral(line, x, t, s, z):
    """Through the posterior of x(s) given x(t) and the expected x(0), with its variance."""
    a, var = line.process.a, line.process.var
    x0 = (x + var(t) * line.score(x, t)) / a(t)
    step = var(t) - (a(t) / a(s)) ** 2 * var(s)
    return (a(t) / a(s) * var(s) * x + a(s) * step * x0) / var(t) + np.sqrt(step * var(s) / var(t)) * z


def weak(line, step, n, test, side, nodes, weights):
    """E[test(x(until))] with n steps from the exact law at time 1."""
    times, u = np.linspace(1, UNTIL, n + 1), test(side)
    for t, s in reversed(list(zip(times, times[1:]))):
        arrived = step(line, side[:, None], t, s, nodes)
        u = CubicSpline(side, u)(np.clip(arrived, side[0], side[-1])) @ weights
    return (u * line.density(side, 1.0)).sum() * (side[1] - side[0])


def gaussian_variance(process, step, n):
    """Of data N(0, GAUSSIAN_VAR): a step maps x to c x + d z, and the variance starts from 1."""
    line = Line(process, np.ones(1), np.zeros(1), np.array([GAUSSIAN_VAR]))
    times, variance = np.linspace(1, UNTIL, n + 1), 1.0
    one, none = np.ones(1), np.zeros(1)
    for t, s in zip(times, times[1:]):
        variance = step(line, one, t, s, none)[0] ** 2 * variance + step(line, none, t, s, one)[0] ** 2
    return variance


def reverse():
    process = vp(0.1, 20.0)
    line = Line(process, LINE_WEIGHTS, LINE_MEANS, LINE_VARS)
    side = np.linspace(-9, 9, 3001)
    nodes, weights = np.polynomial.hermite_e.hermegauss(24)
    weights = weights / weights.sum()
    tests = {"cos": lambda x: np.cos(2 * x), "bump": lambda x: np.exp(-((x - 1) ** 2))}
    samplers = {"euler_maruyama": euler_maruyama, "stochastic_heun": stochastic_heun, "ancestral": ancestral}
    # The errors of ancestral sampling change sign before they are asymptotic.
    steps = {name: [640, 1280, 2560] if name == "ancestral" else [40, 80, 160, 320] for name in samplers}
    values = {}
    for name, step in samplers.items():
        values[name] = {"variances": [gaussian_variance(process, step, n) for n in STEPS]}
        for label, test in tests.items():
            exact = (test(side) * line.density(side, UNTIL)).sum() * (side[1] - side[0])
            errors = [abs(weak(line, step, n, test, side, nodes, weights) - exact) for n in steps[name]]
            values[name][label] = {"exact": exact, "errors": errors, "orders": orders(errors)}
    a, var = process.a(UNTIL), process.var(UNTIL)
    values["exact_variance"] = a**2 * GAUSSIAN_VAR + var
    inputs = {"weights": LINE_WEIGHTS, "means": LINE_MEANS, "vars": LINE_VARS, "until": UNTIL, "steps": steps, "variance_steps": STEPS}
    inputs |= {"gaussian_var": GAUSSIAN_VAR, "tests": {"cos": "cos(2 x)", "bump": "exp(-(x - 1)^2)"}} | process.constants
    return {"equation": process.equation, "inputs": inputs, "values": values}


def main():
    source = f"NumPy {np.__version__}, SciPy {scipy.__version__}"
    print(readable({"source": source, "models": plain({"flow": flow(), "edm": edm_flow(), "reverse": reverse()})}))


if __name__ == "__main__":
    main()
