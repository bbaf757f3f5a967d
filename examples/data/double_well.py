"""Four particles in the plane with a double-well potential between each pair (Köhler, Klein, Noé: Equivariant flows, 2020, equation 11):
draws of exp(-U) by Metropolis' algorithm, centred at zero. `python double_well.py` writes double_well.npy, 5,000 x 4 x 2."""
import numpy as np

rng = np.random.default_rng(1)
a, b, c, d0 = 0.0, -4.0, 0.9, 4.0


def energy(x):
    i, j = np.triu_indices(4, 1)
    d = np.linalg.norm(x[:, i] - x[:, j], axis=-1) - d0
    return (a * d + b * d**2 + c * d**4).sum(-1) / 2


chains = 5000
x = rng.normal(size=(chains, 4, 2)) * 2
u = energy(x)
for step in range(20_000):
    y = x + rng.normal(size=x.shape) * (1.0 if step < 2_000 else 0.35)
    v = energy(y)
    accept = np.log(rng.uniform(size=chains)) < u - v
    x[accept], u[accept] = y[accept], v[accept]
x -= x.mean(1, keepdims=True)
print("mean energy", u.mean(), "distances", np.percentile(np.linalg.norm(x[:, 0] - x[:, 1], axis=-1), [5, 25, 50, 75, 95]))
np.save("double_well.npy", x.astype(np.float32))
