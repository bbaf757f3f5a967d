"""A Gaussian mixture by EM, in NumPy and SciPy."""

import numpy as np
from scipy.special import logsumexp
from scipy.stats import multivariate_normal


def log_joint(params, x):
    return np.stack(
        [np.log(w) + multivariate_normal(m, S).logpdf(x) for w, m, S in zip(*params)], -1
    )


def em_step(params, x):
    joint = log_joint(params, x)
    log_likelihood = logsumexp(joint, axis=-1, keepdims=True)
    r = np.exp(joint - log_likelihood)
    n = r.sum(0)
    means = r.T @ x / n[:, None]
    d = x[:, None] - means
    covs = np.einsum("nk,nki,nkj->kij", r, d, d) / n[:, None, None]
    return (n / len(x), means, covs), log_likelihood.mean()


def init(rng, x, k):
    means = rng.choice(x, k, replace=False)
    return np.full(k, 1 / k), means, np.stack([np.eye(x.shape[1])] * k)


def train(rng, x, k=3, steps=100):
    params = init(rng, x, k)
    for _ in range(steps):
        params, log_likelihood = em_step(params, x)
    return params, log_likelihood
