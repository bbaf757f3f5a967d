"""Writes chains.json: log-densities and posterior moments of linear-Gaussian chains, from the joint Gaussian of all members in dense
algebra, and those of the local level model of the Nile from statsmodels, in double precision.

    pip install numpy==2.4.6 statsmodels==0.15.0
    python chains.py > chains.json
"""

import json

import numpy as np
import statsmodels
import statsmodels.api
from statsmodels.tsa.statespace.structural import UnobservedComponents


def log_normal(x, mean, cov):
    residual = x - mean
    return -0.5 * (residual @ np.linalg.solve(cov, residual) + np.linalg.slogdet(2 * np.pi * cov)[1])


def scalar():
    x, n = np.array([1.0, 0.5, 2.0, -1.0, 0.3]), 5
    mean, cov = np.zeros(n), np.zeros((n, n))
    mean[0], cov[0, 0] = 0.5, 4.0
    for t in range(1, n):
        mean[t] = 0.9 * mean[t - 1] + 0.1 * (t + 1)
        cov[t, :t] = 0.9 * cov[t - 1, :t]
        cov[:t, t] = cov[t, :t]
        cov[t, t] = 0.81 * cov[t - 1, t - 1] + 0.49
    seen = cov + 0.64 * np.eye(n)
    gain = cov @ np.linalg.inv(seen)
    smoothed, spread = mean + gain @ (x - mean), cov - gain @ cov
    some = [0, 1, 4]
    all_but_last = log_normal(x[:4], mean[:4], seen[:4, :4])
    return {
        "log_evidence": log_normal(x, mean, seen),
        "log_evidence_without_3_and_4": log_normal(x[some], mean[some], seen[np.ix_(some, some)]),
        "log_prediction": log_normal(x, mean, seen) - all_but_last,
        "smoothed_mean": smoothed.tolist(),
        "smoothed_std": np.sqrt(np.diag(spread)).tolist(),
        "log_second_at_1": log_normal(np.array([1.0]), smoothed[1:2], spread[1:2, 1:2]),
        "prior_std": np.sqrt(np.diag(cov)).tolist(),
    }


def vector():
    x, n = np.array([1.0, 0.5, 2.0, -1.0, 0.3, 0.8]), 6
    F, Q, h = np.array([[1.0, 0.5], [-0.2, 0.9]]), np.eye(2), np.array([1.0, 0.5])
    mean, cov = np.zeros((n, 2)), np.zeros((n, n, 2, 2))
    mean[0], cov[0, 0] = [0.0, 1.0], Q
    for t in range(1, n):
        mean[t] = F @ mean[t - 1]
        for s in range(t):
            cov[t, s] = F @ cov[t - 1, s]
            cov[s, t] = cov[t, s].T
        cov[t, t] = F @ cov[t - 1, t - 1] @ F.T + Q
    H = np.kron(np.eye(n), h)
    cov, mean = cov.transpose(0, 2, 1, 3).reshape(2 * n, 2 * n), mean.reshape(-1)
    seen, expected = H @ cov @ H.T + 0.36 * np.eye(n), H @ mean - 0.1
    gain = cov @ H.T @ np.linalg.inv(seen)
    return {
        "log_evidence": log_normal(x, expected, seen),
        "smoothed_mean": (mean + gain @ (x - expected)).tolist(),
        "smoothed_var": np.diag(cov - gain @ H @ cov).tolist(),
    }


def nile():
    flow = statsmodels.api.datasets.nile.load_pandas().data["volume"].to_numpy()
    model = UnobservedComponents(flow, "local level")
    model.ssm.initialize_known(np.array([1000.0]), np.array([[1e8]]))
    model.ssm.loglikelihood_burn = 0
    result = model.smooth([15099.0, 1469.1])
    return {
        "log_likelihood": result.llf,
        "smoothed_mean": result.smoothed_state[0].tolist(),
        "smoothed_std": np.sqrt(result.smoothed_state_cov[0, 0]).tolist(),
    }


source = f"NumPy {np.__version__}, statsmodels {statsmodels.__version__}"
print(json.dumps({"source": source, "models": {"scalar": scalar(), "vector": vector(), "nile": nile()}}, indent=1))
