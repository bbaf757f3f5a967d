"""Writes library.json: what the standard library must compute, by SciPy, NumPy and PyTorch in double precision.

    python library.py > library.json

Each group is a text of declarations, the unconstrained numbers of its parameters, and expressions with their values.
"""

import json
import platform

import numpy as np
import scipy
import torch
from scipy import integrate, special, stats

groups = []


def group(expressions, declarations="", parameters=None):
    plain = {name: np.asarray(value, dtype=float).tolist() for name, value in expressions.items()}
    groups.append({"declarations": declarations, "parameters": parameters or {}, "expressions": plain})


def distribution(call, reference, points, members=("mean", "var", "std", "entropy"), **more):
    """Log-densities at points and members, by the names that scipy.stats gives them."""
    log_prob = reference.logpdf if hasattr(reference.dist, "pdf") else reference.logpmf
    group(
        {f"{call}.log_prob({x})": log_prob(x) for x in points}
        | {f"{call}.{name}": getattr(reference, name)() for name in members}
        | {f"{call}.{name}": value for name, value in more.items()}
    )


# Continuous

distribution("Normal(0.3, 2.0)", stats.norm(0.3, 2.0), [-50.0, 0.0, 0.3, 4.5], mode=0.3)
distribution("Normal(-1.0, 1e-3)", stats.norm(-1.0, 1e-3), [-1.0, -0.99])
distribution("Uniform(-1.0, 3.0)", stats.uniform(-1.0, 4.0), [-1.0, 0.5, 3.0, 3.5])
distribution("Laplace(0.5, 1.5)", stats.laplace(0.5, 1.5), [-20.0, 0.5, 3.0], mode=0.5)
distribution("Logistic(0.5, 1.5)", stats.logistic(0.5, 1.5), [-2000.0, -3.0, 0.5, 2000.0], mode=0.5)
distribution("StudentT(3.5, 0.1, 2.0)", stats.t(3.5, 0.1, 2.0), [-40.0, 0.1, 1e6], mode=0.1)
distribution("StudentT(1.0, 0.0, 1.0)", stats.cauchy(), [-2.0, 0.0, 1e8], ("entropy",))
distribution("Exponential(2.5)", stats.expon(scale=1 / 2.5), [1e-9, 0.3, 20.0], mode=0.0)
distribution("Gamma(0.1, 2.0)", stats.gamma(0.1, scale=0.5), [1e-30, 1e-3, 2.0], mode=0.0)
distribution("Gamma(7.5, 0.5)", stats.gamma(7.5, scale=2.0), [1e-3, 15.0, 80.0], mode=13.0)
distribution("Gamma(1.0, 0.5)", stats.gamma(1.0, scale=2.0), [1e-9, 0.5], mode=0.0)
distribution("Gamma(500.0, 10.0)", stats.gamma(500.0, scale=0.1), [40.0, 50.0])
distribution("Beta(0.5, 3.0)", stats.beta(0.5, 3.0), [1e-12, 0.2, 0.999])
distribution("Beta(20.0, 4.0)", stats.beta(20.0, 4.0), [0.01, 0.5, 0.9])
distribution("Beta(1.0, 1.0)", stats.beta(1.0, 1.0), [0.0, 0.5, 1.0])
group({"Delta(2.0).log_prob(2.0)": np.inf, "Delta(2.0).log_prob(2.1)": -np.inf, "Delta(2.0).mean": 2.0, "Delta(2.0).var": 0.0})


def continuous_bernoulli(logits):
    """Loaiza-Ganem and Cunningham (2019), equation 1, by quadrature."""
    moment = lambda power: integrate.quad(lambda x: x**power * np.exp(logits * x - max(logits, 0)), 0, 1, epsabs=0, epsrel=1e-13)[0]
    norm, mean, square = moment(0), moment(1) / moment(0), moment(2) / moment(0)
    log_prob = lambda x: logits * x - max(logits, 0) - np.log(norm)
    variance = square - mean**2
    call = f"ContinuousBernoulli({logits})"
    group(
        {f"{call}.log_prob({x})": log_prob(x) for x in [0.0, 0.3, 1.0]}
        | {f"{call}.mean": mean, f"{call}.var": variance, f"{call}.std": variance**0.5}
        | {f"{call}.entropy": -log_prob(mean)}
    )


for logits in [-30.0, -1.5, -0.1, -0.009, 0.0, 1e-4, 0.02, 0.3, 8.0]:
    continuous_bernoulli(logits)

# Discrete

distribution("Bernoulli(0.3)", stats.bernoulli(0.3), [0, 1], mode=0)
distribution("Bernoulli(prob: 1e-9)", stats.bernoulli(1e-9), [0, 1], ("mean", "entropy"))
group({"Bernoulli(0.0).log_prob(0)": 0.0, "Bernoulli(0.0).log_prob(1)": -np.inf, "Bernoulli(1.0).log_prob(1)": 0.0, "Bernoulli(1.0).entropy": 0.0})
distribution("Bernoulli(logits: -1.2)", stats.bernoulli(special.expit(-1.2)), [0, 1], mode=0)
group({
    "Bernoulli(logits: 800.0).log_prob(0)": -800.0,
    "Bernoulli(logits: 800.0).log_prob(1)": 0.0,
    "Bernoulli(logits: -1.2).prob": special.expit(-1.2),
    "Bernoulli(0.3).logits": special.logit(0.3),
})
probs, logits = np.array([0.2, 0.3, 0.5]), np.array([-1.0, 0.25, 300.0])
group(
    {f"Categorical([0.2, 0.3, 0.5]).log_prob({k})": np.log(probs[k]) for k in range(3)}
    | {"Categorical([0.2, 0.3, 0.5]).entropy": stats.entropy(probs), "Categorical([0.2, 0.3, 0.5]).mode": 2}
    | {"Categorical([0.0, 0.5, 0.5]).entropy": np.log(2), "Categorical([0.0, 0.5, 0.5]).log_prob(0)": -np.inf}
    | {f"Categorical(logits: [-1.0, 0.25, 300.0]).log_prob({k})": special.log_softmax(logits)[k] for k in range(3)}
    | {"Categorical(logits: [1.0, 0.25, 0.5]).entropy": stats.entropy(special.softmax([1.0, 0.25, 0.5]))}
    | {"Categorical(logits: [1.0, 0.25, 0.5]).probs": special.softmax([1.0, 0.25, 0.5])}
    | {"Categorical(logits: [1.0, 0.25, 0.5]).mode": 0}
)
distribution("Poisson(3.0)", stats.poisson(3.0), [0, 2, 40, -1], ("mean", "var", "std"), mode=3)
distribution("Poisson(51.5)", stats.poisson(51.5), [0, 50, 120], ("mean", "var", "std"), mode=51)
distribution("Binomial(10, 0.3)", stats.binom(10, 0.3), [0, 3, 10, 11, -1], ("mean", "var", "std"), mode=3)
distribution("Binomial(1000, 0.99)", stats.binom(1000, 0.99), [900, 990, 1000], ("mean", "var", "std"), mode=990)
group({"Binomial(5, 0.0).log_prob(0)": 0.0, "Binomial(5, 1.0).log_prob(5)": 0.0, "Binomial(5, 0.0).log_prob(1)": -np.inf})

# Priors and predictive distributions of conjugate pairs

distribution("InverseGamma(3.5, 2.0)", stats.invgamma(3.5, scale=2.0), [0.05, 0.8, 40.0], mode=2 / 4.5, centre=2 / 4.5)
distribution("Lomax(3.5, 2.0)", stats.lomax(3.5, scale=2.0), [1e-9, 0.7, 100.0])
distribution("NegativeBinomial(2.5, 0.3)", stats.nbinom(2.5, 0.3), [0, 4, 60, -1], ("mean", "var", "std"))
distribution("BetaBinomial(10, 2.0, 3.5)", stats.betabinom(10, 2.0, 3.5), [0, 4, 10, 11, -1], ("mean", "var", "std"))
shares, concentration = [0.2, 0.3, 0.5], [0.5, 1.5, 2.0]
counts = stats.multinomial(6, shares)
group({
    "Multinomial(6, [0.2, 0.3, 0.5]).log_prob([1, 2, 3])": counts.logpmf([1, 2, 3]),
    "Multinomial(6, [0.2, 0.3, 0.5]).log_prob([1, 2, 4])": -np.inf,
    "Multinomial(6, [0.2, 0.3, 0.5]).mean": 6 * np.array(shares),
    "Multinomial(6, [0.2, 0.3, 0.5]).var": np.diag(counts.cov()),
    "DirichletMultinomial(6, [0.5, 1.5, 2.0]).log_prob([1, 2, 3])": stats.dirichlet_multinomial(concentration, 6).logpmf([1, 2, 3]),
    "DirichletMultinomial(6, [0.5, 1.5, 2.0]).mean": stats.dirichlet_multinomial(concentration, 6).mean(),
    "DirichletMultinomial(6, [0.5, 1.5, 2.0]).var": stats.dirichlet_multinomial(concentration, 6).var(),
})

# Over vectors


def covariance(u):
    """The bijector of Cov[d]."""
    u = np.array(u)
    lower = np.tril(u, -1) + np.diag(np.exp(np.diag(u)))
    return lower @ lower.T


first, second = [[0.2, 9.0], [-0.4, 0.1]], [[-0.1, 0.0], [0.3, -0.5]]
A, B = stats.multivariate_normal([0.5, 1.0], covariance(first)), stats.multivariate_normal([1.0, -1.0], covariance(second))
t = stats.multivariate_t(A.mean, A.cov, df=4.5)
group(
    {
        "Wishart(5.5, S).log_prob(R)": stats.wishart(5.5, A.cov).logpdf(B.cov),
        "Wishart(5.5, S).mean": 5.5 * A.cov,
        "InverseWishart(5.5, S).log_prob(R)": stats.invwishart(5.5, A.cov).logpdf(B.cov),
        "InverseWishart(5.5, S).mean": stats.invwishart(5.5, A.cov).mean(),
        "MvStudentT(4.5, [0.5, 1.0], S).log_prob([0.1, -0.3])": t.logpdf([0.1, -0.3]),
        "MvStudentT(4.5, [0.5, 1.0], S).log_prob([200.0, -30.0])": t.logpdf([200.0, -30.0]),
    },
    "param S : Cov[2], R : Cov[2]",
    {"S": first, "R": second},
)
difference = B.mean - A.mean
inverse = np.linalg.inv(B.cov)
group(
    {
        "S": A.cov,
        "log p(x = [0.1, -0.3])": A.logpdf([0.1, -0.3]),
        "log p(x = [20.0, 30.0])": A.logpdf([20.0, 30.0]),
        "H(p(x))": A.entropy(),
        "p(x).entropy": A.entropy(),
        "p(x).mean": A.mean,
        "p(x).mode": A.mean,
        "p(x).var": np.diag(A.cov),
        "p(x).std": np.diag(A.cov) ** 0.5,
        "KL(p(x) || q(x))": 0.5 * (np.trace(inverse @ A.cov) + difference @ inverse @ difference - 2 + np.linalg.slogdet(B.cov)[1] - np.linalg.slogdet(A.cov)[1]),
        "KL(p(x) || p(x))": 0.0,
    },
    "param S : Cov[2] = identity\nparam R : Cov[2] = identity\n"
    "p(x : Real[2]) = MvNormal([0.5, 1.0], cov: S)\nq(x) = MvNormal([1.0, -1.0], cov: R)\n",
    {"S": np.ravel(first).tolist(), "R": np.ravel(second).tolist()},
)
dirichlet = stats.dirichlet([0.5, 1.5, 2.0])
group({
    "Dirichlet([0.5, 1.5, 2.0]).entropy": dirichlet.entropy(),
    "Dirichlet([0.5, 1.5, 2.0]).mean": dirichlet.mean(),
    "Dirichlet([0.5, 1.5, 2.0]).var": dirichlet.var(),
    "Dirichlet([0.5, 1.5, 2.0]).std": dirichlet.var() ** 0.5,
    "log p(x = [0.2, 0.3, 0.5])": dirichlet.logpdf([0.2, 0.3, 0.5]),
    "log p(x = [1e-12, 0.5, 0.499999999999])": dirichlet.logpdf([1e-12, 0.5, 0.499999999999]),
}, "p(x : Simplex[3]) = Dirichlet([0.5, 1.5, 2.0])\n")

# Closed forms, by quadrature of p (log p - log q), or by enumeration


def divergence(p, q):
    if hasattr(p.dist, "pmf"):
        low, high = p.support()
        k = np.arange(low, min(high, 2000) + 1)
        return np.sum(p.pmf(k) * (p.logpmf(k) - q.logpmf(k)))
    # The places where the integrand bends
    edges = np.unique([p.ppf(u) for u in [0, 1e-300, 1e-30, 1e-9, 1e-3, 0.25, 0.5, 0.75, 0.999, 1 - 1e-9, 1]] + [m for m in [q.median(), p.median(), p.median() + 200 * p.std()] if p.support()[0] < m < p.support()[1]])
    f = lambda x: p.pdf(x) * (p.logpdf(x) - q.logpdf(x)) if p.pdf(x) > 0 else 0.0
    return sum(integrate.quad(f, a, b, epsabs=1e-14, epsrel=1e-13, limit=500)[0] for a, b in zip(edges, edges[1:]))


pairs = [
    ("Normal(0.3, 2.0)", stats.norm(0.3, 2.0), "Normal(-1.0, 0.7)", stats.norm(-1.0, 0.7)),
    ("Uniform(0.0, 1.0)", stats.uniform(0.0, 1.0), "Uniform(-0.5, 2.0)", stats.uniform(-0.5, 2.5)),
    ("Laplace(0.3, 2.0)", stats.laplace(0.3, 2.0), "Laplace(-1.0, 0.7)", stats.laplace(-1.0, 0.7)),
    ("Exponential(0.7)", stats.expon(scale=1 / 0.7), "Exponential(2.0)", stats.expon(scale=1 / 2.0)),
    ("Gamma(2.5, 0.7)", stats.gamma(2.5, scale=1 / 0.7), "Gamma(1.2, 2.0)", stats.gamma(1.2, scale=1 / 2.0)),
    ("Beta(2.5, 1.7)", stats.beta(2.5, 1.7), "Beta(1.2, 3.0)", stats.beta(1.2, 3.0)),
    ("Bernoulli(0.3)", stats.bernoulli(0.3), "Bernoulli(0.9)", stats.bernoulli(0.9)),
    ("Bernoulli(logits: -1.0)", stats.bernoulli(special.expit(-1.0)), "Bernoulli(logits: 2.0)", stats.bernoulli(special.expit(2.0))),
    ("Bernoulli(0.3)", stats.bernoulli(0.3), "Bernoulli(logits: 2.0)", stats.bernoulli(special.expit(2.0))),
    ("Bernoulli(logits: -1.0)", stats.bernoulli(special.expit(-1.0)), "Bernoulli(0.9)", stats.bernoulli(0.9)),
    ("Poisson(3.0)", stats.poisson(3.0), "Poisson(7.5)", stats.poisson(7.5)),
    ("Binomial(12, 0.3)", stats.binom(12, 0.3), "Binomial(12, 0.6)", stats.binom(12, 0.6)),
]
group({f"KL({p} || {q})": divergence(P, Q) for p, P, q, Q in pairs} | {f"KL({p} || {p})": 0.0 for p, _, _, _ in pairs})


softmax = special.softmax
a, b = np.array([0.2, 0.3, 0.5]), np.array([0.6, 0.3, 0.1])
la, lb = np.array([1.0, 0.25, 0.5]), np.array([-1.0, 0.0, 2.0])
group({
    "KL(Categorical([0.2, 0.3, 0.5]) || Categorical([0.6, 0.3, 0.1]))": stats.entropy(a, b),
    "KL(Categorical([0.0, 0.5, 0.5]) || Categorical([0.6, 0.3, 0.1]))": stats.entropy([0.0, 0.5, 0.5], b),
    "KL(Categorical(logits: [1.0, 0.25, 0.5]) || Categorical(logits: [-1.0, 0.0, 2.0]))": stats.entropy(softmax(la), softmax(lb)),
    "KL(Categorical(logits: [1.0, 0.25, 0.5]) || Categorical([0.6, 0.3, 0.1]))": stats.entropy(softmax(la), b),
    "KL(Categorical([0.2, 0.3, 0.5]) || Categorical(logits: [-1.0, 0.0, 2.0]))": stats.entropy(a, softmax(lb)),
    "KL(Bernoulli(0.0) || Bernoulli(0.9))": -np.log(0.1),
    "KL(Bernoulli(1.0) || Bernoulli(1.0))": 0.0,
})


def dirichlet_divergence(a, b):
    """By quadrature over the triangle."""
    p, q = stats.dirichlet(a), stats.dirichlet(b)
    f = lambda y, x: (lambda v: p.pdf(v) * (p.logpdf(v) - q.logpdf(v)))([x, y * (1 - x), (1 - x) * (1 - y)]) * (1 - x)
    return integrate.dblquad(f, 0, 1, 0, 1, epsabs=1e-12, epsrel=1e-12)[0]


group({"KL(Dirichlet([2.0, 3.5, 4.0]) || Dirichlet([1.5, 2.0, 3.0]))": dirichlet_divergence([2.0, 3.5, 4.0], [1.5, 2.0, 3.0])})
entropies = {call: reference.entropy() for call, reference in [
    ("Normal(0.3, 2.0)", stats.norm(0.3, 2.0)),
    ("Uniform(-1.0, 3.0)", stats.uniform(-1.0, 4.0)),
    ("Laplace(0.5, 1.5)", stats.laplace(0.5, 1.5)),
    ("Logistic(0.5, 1.5)", stats.logistic(0.5, 1.5)),
    ("StudentT(3.5, 0.1, 2.0)", stats.t(3.5, 0.1, 2.0)),
    ("Exponential(2.5)", stats.expon(scale=1 / 2.5)),
    ("Gamma(7.5, 0.5)", stats.gamma(7.5, scale=2.0)),
    ("Beta(0.5, 3.0)", stats.beta(0.5, 3.0)),
    ("Bernoulli(0.3)", stats.bernoulli(0.3)),
    ("Bernoulli(logits: -1.2)", stats.bernoulli(special.expit(-1.2))),
    ("Dirichlet([0.5, 1.5, 2.0])", dirichlet),
]}
group({f"H({call})": value for call, value in entropies.items()} | {
    "H(Categorical([0.2, 0.3, 0.5]))": stats.entropy(a),
    "H(Categorical(logits: [1.0, 0.25, 0.5]))": stats.entropy(softmax(la)),
    # A product over three numbers
    "H(Normal([0.0, 1.0, 2.0], [1.0, 2.0, 3.0]))": sum(stats.norm(0, s).entropy() for s in [1.0, 2.0, 3.0]),
    "KL(Normal([0.0, 1.0], 1.0) || Normal([1.0, 1.0], 2.0))": divergence(stats.norm(0, 1), stats.norm(1, 2)) + divergence(stats.norm(1, 1), stats.norm(1, 2)),
})

# Functions

F, T = torch.nn.functional, lambda x: torch.tensor(x, dtype=torch.float64)
group({
    f"{name}({x})": f(T(x)).item()
    for name, f in {"relu": F.relu, "leaky_relu": F.leaky_relu, "silu": F.silu, "gelu": F.gelu, "elu": F.elu, "log_sigmoid": F.logsigmoid, "normal_cdf": special.ndtr}.items()
    for x in [-40.0, -1.5, -1e-9, 0.0, 0.7, 40.0]
})
v, w = np.array([1.0, -2.0, 0.5]), np.array([0.3, 0.1, -0.7])
group({
    "logit(0.3)": special.logit(0.3),
    "logit(1e-12)": special.logit(1e-12),
    "log_factorial(20.0)": special.gammaln(21),
    "log_beta(0.5, 7.0)": special.betaln(0.5, 7.0),
    "log_choose(50.0, 3.0)": np.log(special.comb(50, 3)),
    "xlogx(0.0)": 0.0,
    "xlogx(0.3)": special.xlogy(0.3, 0.3),
    "xlogy(0.0, 0.0)": 0.0,
    "dot([1.0, -2.0, 0.5], [0.3, 0.1, -0.7])": v @ w,
    "norm([1.0, -2.0, 0.5])": np.linalg.norm(v),
    "norm2([1.0, -2.0, 0.5])": v @ v,
    "var([1.0, -2.0, 0.5])": np.var(v),
    "outer([1.0, -2.0], [0.3, 0.1, -0.7])": np.outer(v[:2], w),
    "trace([[1.0, 2.0], [3.0, 5.0]])": 6.0,
    "softmax([1.0, -2.0, 0.5])": special.softmax(v),
    "softmax([1000.0, -2000.0, 999.0])": special.softmax([1000.0, -2000.0, 999.0]),
    "log_softmax([1000.0, -2000.0, 999.0])": special.log_softmax([1000.0, -2000.0, 999.0]),
    "one_hot[4](2)": [0, 0, 1, 0],
})

# Layers


def sinusoidal(t, d):
    rates = 10000.0 ** (-np.arange(d // 2) / (d // 2))
    return np.concatenate([np.sin(t * rates), np.cos(t * rates)])


def fourier(t, d):
    turns = 2 * np.pi * t * 1000.0 ** (np.arange(d // 2) / (d // 2 - 1))
    return np.concatenate([np.sin(turns), np.cos(turns)])


W1, b1, W2, b2 = np.array([[0.1, -0.4], [0.5, 0.3], [-0.2, 0.6]]), np.array([0.0, 0.1, -0.1]), np.array([[1.0, -1.0, 0.5]]), np.array([0.25])
x = np.array([0.7, -1.3])
silu = lambda h: h * special.expit(h)
group({
    "sinusoidal[8](3.0)": sinusoidal(3.0, 8),
    "sinusoidal[4](1000.0)": sinusoidal(1000.0, 4),
    "fourier[8](0.3)": fourier(0.3, 8),
    "layer_norm([1.0, -2.0, 0.5])": F.layer_norm(T(v), [3]).numpy(),
    "layer_norm([1e4, 10001.0, 10002.0])": F.layer_norm(T([1e4, 10001.0, 10002.0]), [3]).numpy(),
})
group({"f([0.7, -1.3])": W2 @ silu(W1 @ x + b1) + b2}, "net f(x : Real[2]) -> Real[1] = mlp[3, 1](x)\n",
      {"f.mlp1.dense1.W": W1.ravel().tolist(), "f.mlp1.dense1.b": b1.tolist(), "f.mlp1.dense2.W": W2.ravel().tolist(), "f.mlp1.dense2.b": b2.tolist()})

# Optimisers: five steps on a quadratic

START, TARGET, CURVATURE = [1.0, -2.0, 0.5], [0.0, 0.5, 3.0], [1.0, 10.0, 0.1]


def trajectory(make):
    x = torch.tensor(START, dtype=torch.float64, requires_grad=True)
    optimizer = make([x])
    path = []
    for _ in range(5):
        optimizer.zero_grad()
        (torch.tensor(CURVATURE, dtype=torch.float64) * (x - torch.tensor(TARGET, dtype=torch.float64)) ** 2).sum().backward()
        optimizer.step()
        path.append(x.detach().tolist())
    return path


optimisers = {
    "SGD(0.03)": lambda p: torch.optim.SGD(p, 0.03),
    "SGD(0.03, momentum: 0.9)": lambda p: torch.optim.SGD(p, 0.03, momentum=0.9),
    "Adam(0.1)": lambda p: torch.optim.Adam(p, 0.1),
    "Adam(0.1, b1: 0.5, b2: 0.9)": lambda p: torch.optim.Adam(p, 0.1, betas=(0.5, 0.9)),
    "AdamW(0.1, decay: 0.3)": lambda p: torch.optim.AdamW(p, 0.1, weight_decay=0.3),
    "RMSProp(0.1)": lambda p: torch.optim.RMSprop(p, 0.1, alpha=0.9),
}

# Quantiles, the tails finer

levels = [0.001, 0.01, *np.arange(1, 20) / 20, 0.99, 0.999]
quantiles = {call: reference.ppf(levels).tolist() for call, reference in {
    "Normal(0.3, 2.0)": stats.norm(0.3, 2.0),
    "Uniform(-1.0, 3.0)": stats.uniform(-1.0, 4.0),
    "Laplace(0.5, 1.5)": stats.laplace(0.5, 1.5),
    "Logistic(0.5, 1.5)": stats.logistic(0.5, 1.5),
    "StudentT(1.0, 0.1, 2.0)": stats.t(1.0, 0.1, 2.0),
    "StudentT(3.5, 0.1, 2.0)": stats.t(3.5, 0.1, 2.0),
    "Exponential(2.5)": stats.expon(scale=1 / 2.5),
    "Gamma(0.1, 2.0)": stats.gamma(0.1, scale=0.5),
    "Gamma(1.0, 2.0)": stats.gamma(1.0, scale=0.5),
    "Gamma(7.5, 0.5)": stats.gamma(7.5, scale=2.0),
    "Beta(0.1, 0.2)": stats.beta(0.1, 0.2),
    "Beta(0.5, 3.0)": stats.beta(0.5, 3.0),
    "Beta(20.0, 4.0)": stats.beta(20.0, 4.0),
}.items()}
for bernoulli in [-8.0, -1e-5, 0.0, 0.02, 3.0]:
    quantiles[f"ContinuousBernoulli({bernoulli})"] = [np.log1p(u * np.expm1(bernoulli)) / bernoulli if bernoulli else u for u in levels]

versions = f"Python {platform.python_version()}, NumPy {np.__version__}, SciPy {scipy.__version__}, PyTorch {torch.__version__.split('+')[0]}"


def finite(value):
    """JSON has no infinities."""
    if isinstance(value, list):
        return [finite(v) for v in value]
    return value if np.isfinite(value) else str(value)


for each in groups:
    each["expressions"] = {name: finite(value) for name, value in each["expressions"].items()}
whole = {"source": versions, "groups": groups, "quantiles": {"levels": levels, "of": quantiles}, "optimisers": {name: trajectory(make) for name, make in optimisers.items()}}
print(json.dumps(whole, indent=1))
