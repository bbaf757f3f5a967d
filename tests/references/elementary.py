"""Elementary functions in f64 against 60 digits: tests/references/elementary.txt.

A line: function, bits of x (and of y), bits of the correctly rounded value, and what the exact value has beyond it in units in the
last place. `python3 tests/references/elementary.py > tests/references/elementary.txt`, with mpmath 1.3.
"""
import random
import struct

from mpmath import mp, mpf

mp.dps = 60
random.seed(5)
POINTS = 160


def bits(value):
    return format(struct.unpack("<Q", struct.pack("<d", value))[0], "016x")


def ulp(value):
    return mpf(2) ** max(mp.floor(mp.log(abs(value), 2)) - 52, -1074)


def spread(low, high):
    """Of both signs, uniform in the exponent."""
    return random.choice([-1, 1]) * mpf(2) ** random.uniform(low, high)


def positive(low, high):
    return mpf(2) ** random.uniform(low, high)


def sigmoid(x):
    return 1 / (1 + mp.exp(-x))


def softplus(x):
    return mp.log1p(mp.exp(x))


def erfinv(x):
    return mp.erfinv(x)


FUNCTIONS = {
    "exp": (mp.exp, lambda: spread(-30, 9.46)),
    "expm1": (mp.expm1, lambda: spread(-60, 9.46)),
    "log": (mp.log, lambda: random.choice([positive(-1070, 1023), positive(-1, 1), 1 + spread(-40, -3)])),
    "log1p": (mp.log1p, lambda: random.choice([positive(-60, 1000), -positive(-60, -0.001)])),
    "sin": (mp.sin, lambda: spread(-30, 16.6)),
    "cos": (mp.cos, lambda: spread(-30, 16.6)),
    "tanh": (mp.tanh, lambda: spread(-30, 4.3)),
    "sigmoid": (sigmoid, lambda: spread(-10, 9.4)),
    "softplus": (softplus, lambda: spread(-10, 9.4)),
    "erf": (mp.erf, lambda: spread(-30, 2.6)),
    "erfinv": (erfinv, lambda: random.choice([spread(-30, -0.001), 1 - positive(-50, -5)])),
    "lgamma": (lambda x: mp.log(abs(mp.gamma(x))), lambda: random.choice([positive(-60, 8), positive(-2, 5), spread(-4, 6)])),
    "digamma": (mp.digamma, lambda: random.choice([positive(-60, 8), positive(-2, 5), spread(-4, 5)])),
    "trigamma": (lambda x: mp.polygamma(1, x), lambda: random.choice([positive(-60, 8), positive(-2, 5), spread(-4, 5)])),
    "pow": (mp.power, lambda: positive(-20, 20)),
}


def line(name, function, operands):
    value = function(*[mpf(operand) for operand in operands])
    nearest = float(value)
    beyond = (value - mpf(nearest)) / ulp(value)
    return " ".join([name, *map(bits, operands), bits(nearest), f"{float(beyond):.3f}"])


for name, (function, argument) in FUNCTIONS.items():
    for _ in range(POINTS):
        x = float(argument())
        operands = (x, float(spread(-10, 5))) if name == "pow" else (x,)
        print(line(name, function, operands))
