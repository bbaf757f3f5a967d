"""Writes mean_field.json: a variational Gaussian mixture, by scikit-learn's BayesianGaussianMixture and the bound as in Bishop's book.

    pip install numpy==2.4.6 scipy==1.17.1 scikit-learn==1.9.1
    python mean_field.py > mean_field.json

scikit-learn leaves constants out of its bound, so that the bound is computed here, term by term, from equations 10.71 to 10.77 of
Bishop: Pattern recognition and machine learning (2006), at the parameters that scikit-learn found.
"""

import json
import warnings

import numpy as np
import scipy
import sklearn
from scipy.special import digamma, gammaln, multigammaln, softmax, xlogy
from sklearn.mixture import BayesianGaussianMixture

warnings.simplefilter("ignore")  # it stops at the last iteration on purpose

X = np.array(
    [[0.1, 0.3], [-0.4, 0.2], [0.5, -0.6], [-0.2, -0.3], [0.3, 0.9], [-0.7, 0.4], [5.2, 4.8], [4.7, 5.5], [5.9, 5.1], [4.4, 4.6]]
    + [[5.3, 5.9], [1.9, 3.1], [2.4, 2.2]]
)
(N, D), K = X.shape, 3
concentration, count, dof, mean, scale = 0.5, 1.0, 3.0, np.zeros(D), np.eye(D)
start = (np.ones(K), np.array([[0.0, 0.0], [5.0, 5.0], [2.0, 3.0]]), np.ones(K), np.full(K, 3.0), np.array([np.eye(D)] * K))


def expected_logs(a, nu, W):
    log_det = np.array([digamma((n - np.arange(D)) / 2).sum() + D * np.log(2) + np.linalg.slogdet(w)[1] for n, w in zip(nu, W)])
    return digamma(a) - digamma(a.sum()), log_det  # equations 10.65 and 10.66


def responsibilities(a, m, b, nu, W):
    log_w, log_det = expected_logs(a, nu, W)
    gap = X[:, None] - m
    distance = D / b + nu * np.einsum("nki,kij,nkj->nk", gap, W, gap)  # equation 10.64
    return softmax(log_w + log_det / 2 - D / 2 * np.log(2 * np.pi) - distance / 2, axis=1)  # equation 10.46


def log_b(W, nu):  # equation B.79
    return -nu / 2 * np.linalg.slogdet(W)[1] - nu * D / 2 * np.log(2) - multigammaln(nu / 2, D)


def log_c(a):  # equation B.23
    return gammaln(a.sum()) - gammaln(a).sum()


def bound(a, m, b, nu, W):
    r, (log_w, log_det) = responsibilities(a, m, b, nu, W), expected_logs(a, nu, W)
    n = r.sum(0)
    centre = r.T @ X / n[:, None]
    S = np.array([(r[:, k, None] * (X - centre[k])).T @ (X - centre[k]) / n[k] for k in range(K)])
    quadratic = lambda k, u: u @ W[k] @ u
    of = lambda term: sum(term(k) for k in range(K))
    rows = of(
        lambda k: n[k]
        * (log_det[k] - D / b[k] - nu[k] * (np.trace(S[k] @ W[k]) + quadratic(k, centre[k] - m[k])) - D * np.log(2 * np.pi))
        / 2
    )
    classes = (r * log_w).sum()
    weights = log_c(np.full(K, concentration)) + (concentration - 1) * log_w.sum()
    gaussians = of(
        lambda k: (D * np.log(count / (2 * np.pi)) + log_det[k] - D * count / b[k] - count * nu[k] * quadratic(k, m[k] - mean)) / 2
        + log_b(scale, dof)
        + (dof - D - 1) / 2 * log_det[k]
        - nu[k] * np.trace(np.linalg.inv(scale) @ W[k]) / 2
    )
    entropy = lambda k: -log_b(W[k], nu[k]) - (nu[k] - D - 1) / 2 * log_det[k] + nu[k] * D / 2  # equation B.82
    q = xlogy(r, r).sum() + ((a - 1) * log_w).sum() + log_c(a)
    q += of(lambda k: log_det[k] / 2 + D / 2 * np.log(b[k] / (2 * np.pi)) - D / 2 - entropy(k))
    return rows + classes + weights + gaussians - q


class FromResponsibilities(BayesianGaussianMixture):
    def _initialize_parameters(self, X, random_state, xp=None):
        self._initialize(X, responsibilities(*start))


fit = FromResponsibilities(
    n_components=K,
    weight_concentration_prior_type="dirichlet_distribution",
    weight_concentration_prior=concentration,
    mean_precision_prior=count,
    mean_prior=mean,
    degrees_of_freedom_prior=dof,
    covariance_prior=np.linalg.inv(scale),
    reg_covar=0,
    tol=0,
    max_iter=1000,
).fit(X)
dofs = fit.degrees_of_freedom_
scales = np.array([np.linalg.inv(cov * n) for cov, n in zip(fit.covariances_, dofs)])
found = (fit.weight_concentration_, fit.means_, fit.mean_precision_, dofs, scales)
values = {"bound_at_start": bound(*start), "bound": bound(*found)}
values |= {name: value.tolist() for name, value in zip(["a", "m", "b", "nu", "W"], found)}
source = f"NumPy {np.__version__}, SciPy {scipy.__version__}, scikit-learn {sklearn.__version__}"
print(json.dumps({"source": source, "inputs": {"x": X.tolist(), "start": start[1].tolist()}, "values": values}, indent=1))
