"""Writes discretised.json: log-probabilities of discretised distributions as integrals of densities, by mpmath with 60 digits.

    python discretised.py > discretised.json
"""

import json

import mpmath as mp

mp.mp.dps = 60


def log_cell(cdf, survival, x, levels):
    """The log-probability of the cell of x, on the side where it is not a difference of numbers near 1."""
    half = mp.mpf(1) / 2
    if x == 0:
        return mp.log(cdf(x + half))
    if x == levels - 1:
        return mp.log(survival(x - half))
    return mp.log(max(cdf(x + half) - cdf(x - half), survival(x - half) - survival(x + half)))


def normal(location, std):
    z = lambda x: (x - mp.mpf(location)) / mp.mpf(std) / mp.sqrt(2)
    return lambda x: mp.erfc(-z(x)) / 2, lambda x: mp.erfc(z(x)) / 2


def logistic(location, scale):
    z = lambda x: (x - mp.mpf(location)) / mp.mpf(scale)
    return lambda x: 1 / (1 + mp.exp(-z(x))), lambda x: 1 / (1 + mp.exp(z(x)))


values = {}
for name, family in (("DiscretisedLogistic", logistic), ("DiscretisedNormal", normal)):
    for location, spread in ((100.3, 8.0), (0.2, 0.05), (-20.5, 3.0), (250.0, 1.9), (128.0, 2.1), (128.0, 300.0), (3.0, 0.4)):
        for x in (0, 1, 3, 100, 128, 254, 255):
            value = log_cell(*family(location, spread), x, 256)
            values[f"{name}({location}, {spread}).log_prob({x})"] = float(value)
    values[f"{name}(2.5, 1.5, levels: 4).log_prob(3)"] = float(log_cell(*family(2.5, 1.5), 3, 4))
for x in (-200.0, -12.5, -3.0, -0.5, 0.0, 0.5, 3.0, 9.0):
    values[f"log_normal_cdf({x})"] = float(mp.log(mp.erfc(-mp.mpf(x) / mp.sqrt(2)) / 2))

print(json.dumps({"source": f"mpmath {mp.__version__}, 60 digits", "expressions": values}, indent=1))
