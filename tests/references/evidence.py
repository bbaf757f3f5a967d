"""Writes evidence.json: evidences, likelihoods and posteriors of textbook models, by independent systems in double precision.

    pip install numpy==2.4.6 scipy==1.17.1 scikit-learn==1.9.1 statsmodels==0.15.0 hmmlearn==0.3.3 jax==0.10.2 numpyro==0.22.0
    python evidence.py > evidence.json

Each model has its inputs, from which a test rebuilds it, and values by name. All logarithms are natural and all densities normalised.
`system` says what computed the values; where a value has no library function it is a quadrature or an enumeration of the joint
density, never the closed form that Tilde uses.
"""

import itertools
import json
import logging
import platform
import warnings
from pathlib import Path

import hmmlearn
import jax
import numpy as np
import numpyro
import scipy
import sklearn
import statsmodels
from hmmlearn.hmm import PoissonHMM
from scipy import integrate, stats
from scipy.special import logsumexp
from sklearn.decomposition import PCA, FactorAnalysis
from sklearn.linear_model import BayesianRidge, LinearRegression
from sklearn.mixture import BayesianGaussianMixture, GaussianMixture
from sklearn.naive_bayes import GaussianNB
from statsmodels.tsa.statespace.structural import UnobservedComponents

jax.config.update("jax_enable_x64", True)
logging.disable(logging.WARNING)
warnings.simplefilter("ignore")  # EM is stopped early on purpose

models = {}
iris = np.load(Path(__file__).resolve().parents[2] / "data" / "iris.npz")
flowers, species = iris["tenths"] / 10, iris["y"].astype(int)


def plain(value):
    return {key: plain(v) for key, v in value.items()} if isinstance(value, dict) else np.asarray(value).tolist()


def model(name, meaning, system, inputs, values):
    models[name] = {"meaning": meaning, "system": system, "inputs": plain(inputs), "values": plain(values)}


def log_integral(f, low, high, **options):
    """log of the integral of exp(f), scaled so that the integrand is of order 1."""
    grid = np.linspace(low, high, 2003)[1:-1]
    values = np.array([f(x) for x in grid])
    peak = values.max()
    settings = dict(epsabs=0, epsrel=1e-12, limit=1000, points=[grid[values.argmax()]]) | options
    return peak + np.log(integrate.quad(lambda x: np.exp(f(x) - peak), low, high, **settings)[0])


# One parameter, by quadrature

flips, a, b = np.array([1, 0, 1, 0, 1, 1, 0]), 2.0, 3.0
joint = lambda t: stats.beta(a, b).logpdf(t) + stats.bernoulli(t).logpmf(flips).sum()
evidence = log_integral(joint, 0, 1)
moment = lambda f: np.exp(log_integral(lambda t: joint(t) + np.log(f(t)), 0, 1) - evidence)
model(
    "beta_bernoulli",
    "theta ~ Beta(a, b), each flip ~ Bernoulli(theta)",
    "scipy.integrate.quad over theta",
    {"x": flips, "a": a, "b": b},
    {
        "log_evidence": evidence,
        "posterior_mean": moment(lambda t: t),
        "posterior_var": moment(lambda t: t * t) - moment(lambda t: t) ** 2,
        "log_posterior_at_half": joint(0.5) - evidence,
        "log_predictive_one": np.log(moment(lambda t: t)),
        "log_evidence_of_fair_coin": stats.bernoulli(0.5).logpmf(flips).sum(),
    },
)

counts, n = np.array([3, 7, 5, 2]), 10
joint = lambda t: stats.beta(a, b).logpdf(t) + stats.binom(n, t).logpmf(counts).sum()
evidence = log_integral(joint, 0, 1)
posterior = stats.beta(a + counts.sum(), b + n * len(counts) - counts.sum())
model(
    "beta_binomial",
    "theta ~ Beta(a, b), each count ~ Binomial(n, theta)",
    "scipy.integrate.quad; scipy.stats.betabinom for one count and for the predictive",
    {"x": counts, "n": n, "a": a, "b": b},
    {
        "log_evidence": evidence,
        "log_evidence_of_first": stats.betabinom(n, a, b).logpmf(counts[0]),
        "log_predictive_four": stats.betabinom(n, *posterior.args).logpmf(4),
        "posterior_mean": posterior.mean(),
        "posterior_var": posterior.var(),
        "log_posterior_at_half": joint(0.5) - evidence,
    },
)

counts, shape, rate = np.array([3, 1, 4, 1, 5, 9, 2]), 2.5, 0.8
joint = lambda l: stats.gamma(shape, scale=1 / rate).logpdf(l) + stats.poisson(l).logpmf(counts).sum()
evidence = log_integral(joint, 0, 60)
posterior = stats.gamma(shape + counts.sum(), scale=1 / (rate + len(counts)))
model(
    "gamma_poisson",
    "rate ~ Gamma(shape, rate), each count ~ Poisson(rate)",
    "scipy.integrate.quad; scipy.stats.nbinom for one count and for the predictive",
    {"x": counts, "shape": shape, "rate": rate},
    {
        "log_evidence": evidence,
        "log_evidence_of_first": stats.nbinom(shape, rate / (1 + rate)).logpmf(counts[0]),
        "log_predictive_six": stats.nbinom(shape + counts.sum(), (rate + len(counts)) / (rate + len(counts) + 1)).logpmf(6),
        "posterior_mean": posterior.mean(),
        "posterior_var": posterior.var(),
        "log_posterior_at_three": joint(3.0) - evidence,
    },
)

times = np.array([0.3, 1.7, 0.2, 0.9, 2.4])
joint = lambda l: stats.gamma(shape, scale=1 / rate).logpdf(l) + stats.expon(scale=1 / l).logpdf(times).sum()
evidence = log_integral(joint, 0, 30)
posterior = stats.gamma(shape + len(times), scale=1 / (rate + times.sum()))
model(
    "gamma_exponential",
    "rate ~ Gamma(shape, rate), each time ~ Exponential(rate)",
    "scipy.integrate.quad; scipy.stats.lomax for the predictive",
    {"x": times, "shape": shape, "rate": rate},
    {
        "log_evidence": evidence,
        "log_predictive_half": stats.lomax(shape + len(times), scale=rate + times.sum()).logpdf(0.5),
        "posterior_mean": posterior.mean(),
        "posterior_var": posterior.var(),
        "log_posterior_at_one": joint(1.0) - evidence,
    },
)

alpha, counts, faces = np.array([0.5, 1.5, 2.0]), np.array([4, 1, 3]), np.array([0, 2, 0, 1, 0, 2, 2, 0])
simplex = lambda f: integrate.dblquad(
    lambda v, u: f(np.array([u, v * (1 - u), (1 - v) * (1 - u)])) * (1 - u), 0, 1, 0, 1, epsabs=0, epsrel=1e-11
)[0]
ordered = np.log(simplex(lambda p: stats.dirichlet([1.5, 1.5, 2.0]).pdf(p) * np.prod(p ** (counts - [1, 0, 0]))))
ordered += np.log(alpha[0] / alpha.sum())  # the first face, so that the integrand stays bounded
model(
    "dirichlet_categorical",
    "probs ~ Dirichlet(alpha), each face ~ Categorical(probs)",
    "scipy.integrate.dblquad over the simplex",
    {"x": faces, "alpha": alpha},
    {
        "log_evidence": ordered,
        "log_predictive": np.log((alpha + counts) / (alpha + counts).sum()),
        "posterior_mean": stats.dirichlet(alpha + counts).mean(),
        "log_posterior": stats.dirichlet(alpha + counts).logpdf([0.5, 0.2, 0.3]),
        "log_posterior_at": [0.5, 0.2, 0.3],
    },
)
model(
    "dirichlet_multinomial",
    "probs ~ Dirichlet(alpha), counts ~ Multinomial(n, probs)",
    "scipy.stats.dirichlet_multinomial",
    {"counts": counts, "n": counts.sum(), "alpha": alpha},
    {
        "log_evidence": stats.dirichlet_multinomial(alpha, counts.sum()).logpmf(counts),
        "log_predictive_next_two_one_one": stats.dirichlet_multinomial(alpha + counts, 4).logpmf([2, 1, 1]),
    },
)

# Normal data

y = np.array([2.1, 3.4, 1.9, 2.8, 4.0])
m0, s0, s = 1.0, 2.0, 0.7
joint = lambda m: stats.norm(m0, s0).logpdf(m) + stats.norm(m, s).logpdf(y).sum()
evidence = stats.multivariate_normal(np.full(5, m0), s**2 * np.eye(5) + s0**2).logpdf(y)
assert abs(evidence - log_integral(joint, -10, 15)) < 1e-10
mean = integrate.quad(lambda m: m * np.exp(joint(m) - evidence), -10, 15, epsabs=1e-13, points=[2.8])[0]
var = integrate.quad(lambda m: (m - mean) ** 2 * np.exp(joint(m) - evidence), -10, 15, epsabs=1e-13, points=[2.8])[0]
model(
    "normal_normal",
    "mu ~ Normal(m0, s0), each y ~ Normal(mu, s), s known; s0 and s are standard deviations",
    "scipy.stats.multivariate_normal for the evidence, scipy.integrate.quad for the posterior",
    {"y": y, "m0": m0, "s0": s0, "s": s},
    {
        "log_evidence": evidence,
        "posterior_mean": mean,
        "posterior_std": var**0.5,
        "log_predictive_three": stats.norm(mean, (var + s**2) ** 0.5).logpdf(3.0),
        "log_posterior_at_three": joint(3.0) - evidence,
    },
)

kappa, shape, scale = 0.5, 1.5, 0.8


def student(data):
    """Evidence of data under the normal-inverse-gamma prior: a multivariate Student t."""
    k = len(data)
    return stats.multivariate_t(np.full(k, m0), scale / shape * (np.eye(k) + 1 / kappa), df=2 * shape).logpdf(data)


def log_joint(m, v):
    return (
        stats.invgamma(shape, scale=scale).logpdf(v) + stats.norm(m0, (v / kappa) ** 0.5).logpdf(m) + stats.norm(m, v**0.5).logpdf(y).sum()
    )


def average(f):
    """Posterior expectation by the trapezoid rule over log v and u, mu = centre + sqrt(v) u."""
    u, r = np.meshgrid(np.linspace(-9, 9, 601), np.linspace(-8, 20, 2801), indexing="ij")
    v = np.exp(r)
    m = 2.7 + v**0.5 * u
    density = stats.invgamma(shape, scale=scale).logpdf(v) + 1.5 * r + stats.norm(m0, (v / kappa) ** 0.5).logpdf(m)
    density = np.exp(density + sum(stats.norm(m, v**0.5).logpdf(x) for x in y))
    return (f(m, v) * density).sum() / density.sum()


inputs = {"y": y, "m0": m0, "kappa": kappa, "shape": shape, "scale": scale}
predictive = lambda point: student(np.append(y, point)) - student(y)
model(
    "normal_inverse_gamma",
    "v ~ InverseGamma(shape, scale), mu ~ Normal(m0, sqrt(v / kappa)), each y ~ Normal(mu, sqrt(v))",
    "scipy.stats.multivariate_t; the posterior moments by a grid over (mu, log v)",
    inputs,
    {
        "log_evidence": student(y),
        "log_predictive_three": predictive(3.0),
        "log_predictive_minus_one": predictive(-1.0),
        "log_posterior_at_mu_3_v_half": log_joint(3.0, 0.5) - student(y),
        "posterior_mean_of_mu": average(lambda m, v: m),
        "posterior_mean_of_v": average(lambda m, v: v),
        "posterior_mean_of_precision": average(lambda m, v: 1 / v),
    },
)
model(
    "normal_gamma",
    "t ~ Gamma(shape, rate: scale), mu ~ Normal(m0, 1 / sqrt(kappa t)), each y ~ Normal(mu, 1 / sqrt(t))",
    "scipy.stats.multivariate_t; the posterior moments by a grid over (mu, log v)",
    inputs,
    {
        "log_evidence": student(y),
        "log_predictive_three": predictive(3.0),
        "log_posterior_at_mu_3_t_2": log_joint(3.0, 0.5) - student(y) + np.log(0.25),  # |dv/dt| = 1 / t^2
        "posterior_mean_of_mu": average(lambda m, v: m),
        "posterior_mean_of_t": average(lambda m, v: 1 / v),
    },
)

points = np.array([[0.3, 1.2], [-0.5, 0.4], [1.1, 2.0], [0.2, 0.1]])
m0, kappa, dof, W = np.array([0.1, 0.5]), 0.7, 4.0, np.array([[0.6, 0.1], [0.1, 0.9]])


def next_point(data):
    """The predictive of a normal-Wishart posterior, its parameters updated by one point at a time."""
    m, k, nu, inverse = m0, kappa, dof, np.linalg.inv(W)
    for x in data:
        inverse = inverse + k / (k + 1) * np.outer(x - m, x - m)
        m, k, nu = (k * m + x) / (k + 1), k + 1, nu + 1
    return stats.multivariate_t(m, inverse * (k + 1) / (k * (nu - 1)), df=nu - 1)


evidence = sum(next_point(points[:i]).logpdf(x) for i, x in enumerate(points))
L, mu = np.array([[2.0, -0.3], [-0.3, 1.1]]), np.array([0.4, 0.8])
joint = stats.wishart(dof, W).logpdf(L) + stats.multivariate_normal(m0, np.linalg.inv(kappa * L)).logpdf(mu)
joint += stats.multivariate_normal(mu, np.linalg.inv(L)).logpdf(points).sum()
draws = stats.wishart(dof, W).rvs(200_000, random_state=0)  # a check of the evidence to its Monte Carlo error
weights = [
    stats.multivariate_normal.logpdf(points.ravel(), np.tile(m0, 4), np.kron(np.eye(4) + 1 / kappa, np.linalg.inv(d))) for d in draws[:4000]
]
assert abs(logsumexp(weights) - np.log(4000) - evidence) < 0.1
model(
    "normal_wishart",
    "L ~ Wishart(dof, W), mu ~ MvNormal(m0, inv(kappa L)), each x ~ MvNormal(mu, inv(L))",
    "scipy.stats.multivariate_t, point by point; scipy.stats.wishart for the joint density",
    {"x": points, "m0": m0, "kappa": kappa, "dof": dof, "W": W, "point": [0.0, 1.0], "mu": mu, "L": L},
    {
        "log_evidence": evidence,
        "log_predictive_at_point": next_point(points).logpdf([0.0, 1.0]),
        "log_posterior_at_mu_L": joint - evidence,
    },
)

A, offset, R = np.array([[1.0, 0.5], [-0.3, 2.0], [0.7, 0.1]]), np.array([0.1, -0.2, 0.0]), np.diag([0.5, 0.8, 0.3]) ** 2
m0, S0, x = np.array([0.4, -1.0]), np.array([[1.0, 0.3], [0.3, 0.6]]), np.array([0.9, -1.5, 0.2])
mvn = jax.scipy.stats.multivariate_normal.logpdf
log_joint_of_z = lambda z: mvn(z, m0, S0) + mvn(x, A @ z + offset, R)
covariance = -np.linalg.inv(jax.hessian(log_joint_of_z)(m0))
model(
    "linear_gaussian",
    "z ~ MvNormal(m0, S0), x ~ Normal(A z + offset, std)",
    "scipy.stats.multivariate_normal for the evidence; one step of Newton's method in JAX for the posterior",
    {"A": A, "offset": offset, "std": np.diag(R) ** 0.5, "m0": m0, "S0": S0, "x": x},
    {
        "log_evidence": stats.multivariate_normal(A @ m0 + offset, A @ S0 @ A.T + R).logpdf(x),
        "posterior_mean": m0 + covariance @ jax.grad(log_joint_of_z)(m0),
        "posterior_cov": covariance,
        "posterior_var": np.diag(covariance),
    },
)

# Regression

rng = np.random.default_rng(0)
X = np.round(rng.normal(size=(12, 3)), 2)
y = np.round(X @ [1.5, -0.7, 0.2] + 0.4 * rng.normal(size=12), 2)
ridge = BayesianRidge(fit_intercept=False, compute_score=True, alpha_1=0, alpha_2=0, lambda_1=0, lambda_2=0, tol=1e-12, max_iter=10_000)
ridge.fit(X, y)
prior_std, noise = ridge.lambda_**-0.5, ridge.alpha_**-0.5
evidence = stats.multivariate_normal(np.zeros(12), noise**2 * np.eye(12) + prior_std**2 * X @ X.T).logpdf(y)
assert abs(evidence - ridge.scores_[-1]) < 1e-6
at, std = ridge.predict([[0.5, -1.0, 2.0]], return_std=True)
least = LinearRegression(fit_intercept=False).fit(X, y)
left = y - least.predict(X)
model(
    "bayes_linear_regression",
    "w ~ Normal(0, prior_std), each y ~ Normal(dot(w, x), noise); prior_std and noise maximise the evidence",
    "sklearn.linear_model.BayesianRidge; scipy.stats.multivariate_normal for the evidence",
    {"x": X, "y": y, "prior_std": prior_std, "noise": noise, "point": [0.5, -1.0, 2.0]},
    {
        "log_evidence": evidence,
        "posterior_mean": ridge.coef_,
        "posterior_cov": ridge.sigma_,
        "posterior_var": np.diag(ridge.sigma_),
        "predictive_mean_at_point": at[0],
        "predictive_std_at_point": std[0],
        "maximum_likelihood_w": least.coef_,
        "maximum_likelihood_noise": np.mean(left**2) ** 0.5,
    },
)

# Mixtures

weights, means = np.array([0.3, 0.45, 0.25]), np.array([[5.0, 3.4, 1.5, 0.2], [5.9, 2.8, 4.3, 1.3], [6.6, 3.0, 5.6, 2.0]])
covs = np.array([np.diag(d) + 0.02 for d in ([0.12, 0.14, 0.03, 0.02], [0.27, 0.1, 0.22, 0.04], [0.4, 0.1, 0.3, 0.08])])
settings = dict(covariance_type="full", weights_init=weights, means_init=means, precisions_init=np.linalg.inv(covs), reg_covar=0)


def by_em(steps):
    return GaussianMixture(3, max_iter=steps, tol=0, **settings).fit(flowers)


start = GaussianMixture(3, **settings)
start.weights_, start.means_, start.covariances_ = weights, means, covs
start.precisions_cholesky_ = np.linalg.cholesky(np.linalg.inv(covs))
trail = [start.score(flowers)] + [by_em(steps).score(flowers) for steps in [1, 2, 3, 10]]
end = by_em(1000)
model(
    "gmm",
    "k ~ Categorical(weights), x ~ MvNormal(means[k], covs[k]); x is the iris data, all 150 flowers. Means over flowers",
    "sklearn.mixture.GaussianMixture",
    {"weights": weights, "means": means, "covs": covs, "flower": 75},
    {
        "mean_log_likelihood": trail[0],
        "log_likelihood_of_flower": start.score_samples(flowers[75:76])[0],
        "responsibilities_of_flower": start.predict_proba(flowers[75:76])[0],
        "mean_log_likelihood_after_em_steps_0_1_2_3_10": trail,
        "em": {"mean_log_likelihood": end.score(flowers), "weights": end.weights_, "means": end.means_},
    },
)

# Chains

start, transition, rates = np.array([0.6, 0.4]), np.array([[0.9, 0.1], [0.25, 0.75]]), np.array([1.5, 6.0])
counts = np.array([1, 0, 2, 7, 5, 8, 1, 3])
paths = np.array(list(itertools.product([0, 1], repeat=len(counts))))
log_joint = (
    np.log(start[paths[:, 0]]) + np.log(transition[paths[:, :-1], paths[:, 1:]]).sum(1) + stats.poisson(rates[paths]).logpmf(counts).sum(1)
)
posterior = np.exp(log_joint - logsumexp(log_joint))
pairs = np.einsum("p,pti,ptj->ij", posterior, np.eye(2)[paths[:, :-1]], np.eye(2)[paths[:, 1:]])
smoothed = np.einsum("p,pti->ti", posterior, np.eye(2)[paths])
filtered = []
for t in range(1, len(counts) + 1):
    part = (
        np.log(start[paths[:, 0]])
        + np.log(transition[paths[:, : t - 1], paths[:, 1:t]]).sum(1)
        + stats.poisson(rates[paths[:, :t]]).logpmf(counts[:t]).sum(1)
    )
    filtered.append([np.exp(logsumexp(part[paths[:, t - 1] == k]) - logsumexp(part)) for k in (0, 1)])


def poisson_hmm(steps=0):
    chain = PoissonHMM(
        2, params="stl", init_params="", n_iter=steps, tol=-np.inf, startprob_prior=1, transmat_prior=1, lambdas_prior=0, lambdas_weight=0
    )
    chain.startprob_, chain.transmat_, chain.lambdas_, chain.n_features = start, transition, rates[:, None], 1
    return chain.fit(counts[:, None]) if steps else chain


assert abs(poisson_hmm().score(counts[:, None]) - logsumexp(log_joint)) < 1e-10
step = poisson_hmm(1)
assert np.allclose(step.transmat_, pairs / pairs.sum(1, keepdims=True)) and np.allclose(
    step.lambdas_[:, 0], counts @ smoothed / smoothed.sum(0)
)
model(
    "hmm",
    "z[1] ~ Categorical(start), z[t] ~ Categorical(transition[z[t-1]]), each count y[t] ~ Poisson(rates[z[t]])",
    "enumeration of all 256 paths; hmmlearn.hmm.PoissonHMM for EM",
    {"y": counts, "start": start, "transition": transition, "rates": rates},
    {
        "log_likelihood": logsumexp(log_joint),
        "smoothed": smoothed,
        "filtered": filtered,
        "most_likely_path": paths[log_joint.argmax()],
        "log_joint_of_most_likely_path": log_joint.max(),
        "after_one_em_step": {"start": step.startprob_, "transition": step.transmat_, "rates": step.lambdas_[:, 0]},
        "log_likelihood_after_em_steps_0_1_2_10": [poisson_hmm(n).score(counts[:, None]) for n in (0, 1, 2, 10)],
    },
)

series = np.array([1.1, 0.7, 1.9, 2.3, 1.6, 2.8, 3.1, 2.2])
level_std, noise, m0, s0 = 0.5, 0.8, 0.3, 2.0
local = UnobservedComponents(series, "local level")
local.ssm.initialize_known(np.array([m0]), np.array([[s0**2]]))
local.ssm.loglikelihood_burn = 0
run = local.smooth([noise**2, level_std**2])
t = np.arange(len(series))
covariance = s0**2 + level_std**2 * np.minimum.outer(t, t) + noise**2 * np.eye(len(t))
assert abs(run.llf - stats.multivariate_normal(np.full(len(t), m0), covariance).logpdf(series)) < 1e-10
model(
    "local_level",
    "level[1] ~ Normal(m0, s0), level[t] ~ Normal(level[t-1], level_std), each y[t] ~ Normal(level[t], noise)",
    "statsmodels.tsa.statespace.structural.UnobservedComponents",
    {"y": series, "m0": m0, "s0": s0, "level_std": level_std, "noise": noise},
    {
        "log_likelihood": run.llf,
        "log_likelihood_terms": run.llf_obs,
        "filtered_mean": run.filtered_state[0],
        "filtered_std": run.filtered_state_cov[0, 0] ** 0.5,
        "smoothed_mean": run.smoothed_state[0],
        "smoothed_std": run.smoothed_state_cov[0, 0] ** 0.5,
        "next_y_mean": run.forecast(1)[0],
        "next_y_std": run.get_forecast(1).se_mean[0],
    },
)

# Linear latent variables, iris

mean, scatter = flowers.mean(0), np.cov(flowers.T, bias=True)
pca = PCA(2).fit(flowers)
W = pca.components_.T * (pca.explained_variance_ - pca.noise_variance_) ** 0.5
point = stats.multivariate_normal(mean, W @ W.T + pca.noise_variance_ * np.eye(4))
assert np.allclose(point.logpdf(flowers), pca.score_samples(flowers))
full, shrink = PCA(4).fit(flowers), 149 / 150  # scikit-learn divides by n - 1, maximum likelihood by n
variances = full.explained_variance_ * shrink
sigma2 = variances[2:].mean()
best = full.components_[:2].T * (variances[:2] - sigma2) ** 0.5
peak = stats.multivariate_normal(mean, best @ best.T + sigma2 * np.eye(4)).logpdf(flowers).mean()
model(
    "ppca",
    "z ~ Normal(0, 1) over Real[2], x ~ Normal(W z + mean, noise); x is the iris data. Log-likelihoods are means over flowers",
    "sklearn.decomposition.PCA.score_samples; scipy.stats.multivariate_normal",
    {"W": W, "mean": mean, "noise": pca.noise_variance_**0.5, "flower": 75},
    {
        "mean_log_likelihood": pca.score(flowers),
        "log_likelihood_of_flower": pca.score_samples(flowers[75:76])[0],
        "maximum": {"mean_log_likelihood": peak, "noise": sigma2**0.5, "covariance": best @ best.T + sigma2 * np.eye(4)},
    },
)

factors = FactorAnalysis(2, tol=1e-13, max_iter=30_000, svd_method="lapack").fit(flowers)
model(
    "factor_analysis",
    "z ~ Normal(0, 1) over Real[2], x ~ Normal(W z + mean, noise), noise a vector; x is the iris data. W and noise are as 30,000 steps of EM leave them (the likelihood of these data has no maximum)",
    "sklearn.decomposition.FactorAnalysis",
    {"W": factors.components_.T, "mean": factors.mean_, "noise": factors.noise_variance_**0.5, "flower": 75},
    {
        "mean_log_likelihood": factors.score(flowers),
        "log_likelihood_of_flower": factors.score_samples(flowers[75:76])[0],
        "posterior_mean_of_flower": factors.transform(flowers[75:76])[0],
    },
)

whole = stats.multivariate_normal(mean, scatter)
bayes = GaussianNB(var_smoothing=0).fit(flowers, species)
model(
    "mvn_mle",
    "x ~ MvNormal(mean, cov) at the maximum of the likelihood; x is the iris data",
    "numpy.cov, scipy.stats.multivariate_normal",
    {},
    {"mean": mean, "cov": scatter, "mean_log_likelihood": whole.logpdf(flowers).mean()},
)
model(
    "naive_bayes",
    "y ~ Categorical(prior), x ~ Normal(means[y], stds[y]) at the maximum of the likelihood; (x, y) is the iris data",
    "sklearn.naive_bayes.GaussianNB",
    {"prior": bayes.class_prior_, "means": bayes.theta_, "stds": bayes.var_**0.5, "flower": 75},
    {
        "log_joint_of_flower": bayes.predict_joint_log_proba(flowers[75:76])[0],
        "log_posterior_of_flower": bayes.predict_log_proba(flowers[75:76])[0],
        "log_evidence_of_flower": logsumexp(bayes.predict_joint_log_proba(flowers[75:76])[0]),
        "mean_log_joint": bayes.predict_joint_log_proba(flowers)[np.arange(150), species].mean(),
        "accuracy": bayes.score(flowers, species),
    },
)

# Model comparison: one conversion rate for two groups, or one for each. NumPyro's joint density, integrated by Gauss-Legendre's rule.


def groups(y1, y2, n1, n2):
    theta = numpyro.sample("theta", numpyro.distributions.Beta(1.0, 1.0).expand([2]).to_event(1))
    numpyro.sample("y1", numpyro.distributions.Binomial(n1, theta[0]), obs=y1)
    numpyro.sample("y2", numpyro.distributions.Binomial(n2, theta[1]), obs=y2)


tested = {"y1": 17, "n1": 60, "y2": 31, "n2": 65}
nodes, mass = np.polynomial.legendre.leggauss(100)
nodes, log_mass = (nodes + 1) / 2, np.log(mass / 2)
density = jax.vmap(lambda u, v: numpyro.infer.util.log_density(groups, (), tested, {"theta": jax.numpy.array([u, v])})[0])
two = np.array(density(*map(np.ravel, np.meshgrid(nodes, nodes, indexing="ij")))).reshape(100, 100) + np.add.outer(log_mass, log_mass)
shared = np.array(density(nodes, nodes)) + log_mass
model(
    "two_groups",
    "theta ~ Beta(1, 1) for each group or shared by both, y1 ~ Binomial(n1, theta), y2 ~ Binomial(n2, theta)",
    "numpyro.infer.util.log_density, by Gauss-Legendre quadrature",
    tested,
    {
        "log_evidence_two_rates": logsumexp(two),
        "log_evidence_one_rate": logsumexp(shared),
        "log_bayes_factor": logsumexp(two) - logsumexp(shared),
        "posterior_means": [(np.exp(two - logsumexp(two)).sum(1 - g) * nodes).sum() for g in (0, 1)],
        "probability_second_is_greater": integrate.quad(
            lambda t: stats.beta(32, 35).pdf(t) * stats.beta(18, 44).cdf(t), 0, 1, epsabs=1e-13
        )[0],
    },
)

versions = [
    ("NumPy", np),
    ("SciPy", scipy),
    ("scikit-learn", sklearn),
    ("statsmodels", statsmodels),
    ("hmmlearn", hmmlearn),
    ("JAX", jax),
    ("NumPyro", numpyro),
]
source = ", ".join([f"Python {platform.python_version()}"] + [f"{name} {module.__version__}" for name, module in versions])
print(json.dumps({"source": source, "models": models}, indent=1))
