"""A hidden Markov model of counts with Poisson emissions by EM, in NumPy: forward and backward passes, M-step."""

import numpy as np
from scipy.special import logsumexp
from scipy.stats import poisson


def forward(params, y):
    start, transition, rates = params
    emission = poisson.logpmf(y[:, None], rates)
    alpha = np.empty_like(emission)
    alpha[0] = np.log(start) + emission[0]
    for t in range(1, len(y)):
        alpha[t] = logsumexp(alpha[t - 1][:, None] + np.log(transition), axis=0) + emission[t]
    return alpha, emission


def backward(params, emission):
    beta = np.zeros_like(emission)
    for t in range(len(beta) - 2, -1, -1):
        beta[t] = logsumexp(np.log(params[1]) + emission[t + 1] + beta[t + 1], axis=1)
    return beta


def em_step(params, y):
    alpha, emission = forward(params, y)
    beta = backward(params, emission)
    log_likelihood = logsumexp(alpha[-1])
    smoothed = np.exp(alpha + beta - log_likelihood)
    pairs = alpha[:-1, :, None] + np.log(params[1]) + (emission + beta)[1:, None] - log_likelihood
    counts = np.exp(pairs).sum(0)
    transition = counts / counts.sum(1, keepdims=True)
    return (smoothed[0], transition, y @ smoothed / smoothed.sum(0)), log_likelihood


def init():
    return np.full(3, 1 / 3), np.full((3, 3), 0.05) + 0.85 * np.eye(3), np.array([10.0, 20.0, 30.0])


def train(y, steps=200):
    params = init()
    for _ in range(steps):
        params, log_likelihood = em_step(params, y)
    return params, log_likelihood
