"""Writes processes.json: means and variances of linear stochastic differential equations dx = (F x + u) dt + G dW between two times,
by integrating their differential equations with DOP853 of SciPy at tolerance 1e-13.

    python processes.py > processes.json
"""

import json

import numpy as np
import scipy
from scipy.integrate import solve_ivp

I = np.eye(2)
beta = lambda t: 0.1 + t * 19.9


def integral(f, a, b):
    return scipy.integrate.quad(f, a, b, epsabs=1e-14, epsrel=1e-13)[0]


B = lambda t: 0.1 * t + 9.95 * t * t
erf = scipy.special.erf
M = np.array([[0.0, 4.0], [-1.0, -4.0]])
R = np.array([[-1.0, 0.5], [0.2, -2.0]])

# name: (declarations, range, right side, F, u, G, pairs of times)
PROCESSES = {
    "vp": ("fn beta(t) = 0.1 + t * (20.0 - 0.1)", "0..1", "-1/2 * beta(t) * x dt + sqrt(beta(t)) dW",
           lambda t: -beta(t) / 2 * I, lambda t: 0 * I[0], lambda t: np.sqrt(beta(t)) * I, [(0, 0.01), (0, 1), (0.3, 0.31)]),
    "ve": ("let smin = 0.01, smax = 50.0", "0..1", "smin * (smax / smin)^t * sqrt(2 * log(smax / smin)) dW",
           lambda t: 0 * I, lambda t: 0 * I[0], lambda t: 0.01 * 5000**t * np.sqrt(2 * np.log(5000)) * I, [(0, 0.01), (0, 1), (0.3, 0.9)]),
    "sub-vp": ("fn beta(t) = 0.1 + t * (20.0 - 0.1)\nfn B(t) = 0.1 * t + 1/2 * (20.0 - 0.1) * t^2", "0..1",
               "-1/2 * beta(t) * x dt + sqrt(beta(t) * (1 - exp(-2 * B(t)))) dW",
               lambda t: -beta(t) / 2 * I, lambda t: 0 * I[0], lambda t: np.sqrt(beta(t) * -np.expm1(-2 * B(t))) * I,
               [(0, 0.01), (0, 1), (0.3, 0.31)]),
    "ornstein-uhlenbeck": ("param theta : Positive = 1.3, sigma : Positive = 0.7, mu : Real[2] = [0.5, -2.0]", "0..3",
                           "theta * (mu - x) dt + sigma dW",
                           lambda t: -1.3 * I, lambda t: 1.3 * np.array([0.5, -2]), lambda t: 0.7 * I, [(0, 0.5), (0, 3), (1, 1.1)]),
    "edm": ("", "0..80", "sqrt(2 * t) dW", lambda t: 0 * I, lambda t: 0 * I[0], lambda t: np.sqrt(2 * t) * I, [(0, 0.002), (0, 80), (3, 3.5)]),
    "cosine": ("fn beta(t) = pi * sin(pi * t / 2) / cos(pi * t / 2)", "0..1", "-1/2 * beta(t) * x dt + sqrt(beta(t)) dW",
               lambda t: -np.pi / 2 * np.tan(np.pi * t / 2) * I, lambda t: 0 * I[0], lambda t: np.sqrt(np.pi * np.tan(np.pi * t / 2)) * I,
               [(0, 0.01), (0, 0.99), (0.3, 0.9)]),
    "bridge": ("let x1 = [1.0, 2.0]", "0..1", "(x1 - x) / (1 - t) dt + 0.7 dW",
               lambda t: -I / (1 - t), lambda t: np.array([1.0, 2]) / (1 - t), lambda t: 0.7 * I, [(0, 0.1), (0, 0.99), (0.3, 0.9)]),
    "trigonometric": ("", "0..1.5", "(cos(2 * t) * x + sin(t)) dt + sqrt(1 + cos(2 * t)) / sqrt(2) dW",
                      lambda t: np.cos(2 * t) * I, lambda t: np.sin(t) * np.ones(2), lambda t: np.abs(np.cos(t)) * I, [(0, 0.5), (0, 1.4), (0.3, 1.2)]),
    "oscillating": ("", "0..2", "-x dt + (1 + sin(3 * t) / 2) dW",
                    lambda t: -I, lambda t: 0 * I[0], lambda t: (1 + np.sin(3 * t) / 2) * I, [(0, 0.5), (0, 2), (0.3, 1.2)]),
    "gaussian": ("", "0..2", "-exp(-t^2) * x dt + exp(-t^2) dW",
                 lambda t: -np.exp(-t * t) * I, lambda t: 0 * I[0], lambda t: np.exp(-t * t) * I, [(0, 0.5), (0, 2), (0.3, 0.31)]),
    "diagonal": ("let a = [1.0, 3.0]", "0..1", "-a * t * x dt + a dW",
                 lambda t: -np.diag([1.0, 3]) * t, lambda t: 0 * I[0], lambda t: np.diag([1.0, 3]), [(0, 0.5), (0.3, 1)]),
    "sigmoid": ("", "0..1", "-sigmoid(4 * t - 2) * x dt + sqrt(sigmoid(4 * t - 2)) dW",
                lambda t: -I / (1 + np.exp(2 - 4 * t)), lambda t: 0 * I[0], lambda t: I / np.sqrt(1 + np.exp(2 - 4 * t)), [(0, 0.5), (0.3, 1)]),
}

MATRICES = {
    "rotation": ("let R = [[-1.0, 0.5], [0.2, -2.0]]", "0..2", "(R @ x + [1.0, t]) dt + [0.5, 0.1 + t] dW",
                 lambda t: R, lambda t: np.array([1.0, t]), lambda t: np.diag([0.5, 0.1 + t]), [(0, 2), (0.3, 1.2)]),
    "langevin": ("let gamma = 4.0\nfn beta(t) = 1 + 3 * t", "0..1",
                 "beta(t) * ([4.0 * x[1]] ++ [-x[0] - gamma * x[1]]) dt + [[0.0, 0.0], [0.0, sqrt(2 * gamma * beta(t))]] dW",
                 lambda t: (1 + 3 * t) * M, lambda t: 0 * I[0], lambda t: np.diag([0, np.sqrt(8 * (1 + 3 * t))]), [(0, 0.01), (0.3, 0.9)]),
    "mixing": ("", "0..1", "[sin(t) * x[1] - x[0], -t * x[0]] dt + [[1.0, 0.2], [t, 1.0]] dW",
               lambda t: np.array([[-1, np.sin(t)], [-t, 0]]), lambda t: 0 * I[0], lambda t: np.array([[1, 0.2], [t, 1]]), [(0, 0.5), (0.3, 1)]),
}


def kernel(F, u, G, s, t):
    def slope(r, y):
        A, m, V = y[:4].reshape(2, 2), y[4:6], y[6:].reshape(2, 2)
        f, g = F(r), G(r)
        return np.concatenate([(f @ A).ravel(), f @ m + u(r), (f @ V + V @ f.T + g @ g.T).ravel()])

    start = np.concatenate([I.ravel(), np.zeros(6)])
    y = solve_ivp(slope, (s, t), start, method="DOP853", rtol=1e-13, atol=1e-16).y[:, -1]
    return {"from": s, "to": t, "signal": y[:4].tolist(), "shift": y[4:6].tolist(), "var": y[6:].tolist()}


def entry(declared, times, equation, F, u, G, pairs):
    return {"declared": declared, "times": times, "equation": equation, "kernels": [kernel(F, u, G, s, t) for s, t in pairs]}


both = {"elementwise": PROCESSES, "matrices": MATRICES}
tables = {kind: {name: entry(*row) for name, row in rows.items()} for kind, rows in both.items()}
print(json.dumps({"source": f"SciPy {scipy.__version__}, solve_ivp, DOP853", **tables}, indent=1))
