"""benches/workloads/gmm_em.tilde in PyTorch: EM with full covariances, both steps as products with the rows' moments."""

import math

import torch
from torch import Tensor

from common import gmm_start, measured, report
from common_torch import arguments, heading


def moments(x: Tensor, upper: Tensor) -> Tensor:
    """Of each row: 1, x, and the products x_i x_j for i <= j."""
    return torch.cat([torch.ones(len(x), 1), x, x[:, upper[0]] * x[:, upper[1]]], dim=1)


def coefficients(w: Tensor, mu: Tensor, cov: Tensor, upper: Tensor) -> Tensor:
    """[moments, components]: log w + log N(x; mu, cov) as a linear function of the moments of x."""
    d = mu.shape[1]
    factor = torch.linalg.cholesky(cov)
    precision = torch.cholesky_inverse(factor)
    linear = (precision @ mu[..., None]).squeeze(-1)
    log_det = 2 * factor.diagonal(dim1=1, dim2=2).log().sum(-1)
    constant = w.log() - (d * math.log(2 * math.pi) + log_det + (linear * mu).sum(-1)) / 2
    quadratic = -precision[:, upper[0], upper[1]] * torch.where(upper[0] == upper[1], 0.5, 1.0)
    return torch.cat([constant[:, None], linear, quadratic], dim=1).T


def iteration(w: Tensor, mu: Tensor, cov: Tensor, phi: Tensor, upper: Tensor) -> tuple[tuple, Tensor]:
    """The next parameters, and the mean log-likelihood at these."""
    k, d = mu.shape
    joint = phi @ coefficients(w, mu, cov, upper)
    log_likelihood = joint.logsumexp(1, keepdim=True)
    sums = (joint - log_likelihood).exp().T @ phi
    n, mu = sums[:, 0], sums[:, 1 : 1 + d] / sums[:, :1]
    second = torch.zeros(k, d, d)
    second[:, upper[0], upper[1]] = sums[:, 1 + d :] / n[:, None]
    second = second + second.triu(1).mT
    return (n / len(phi), mu, second - mu[:, :, None] * mu[:, None, :]), log_likelihood.mean()


@torch.no_grad()
def main() -> None:
    args = arguments(__doc__, steps=50).parse_args()
    x, *start = map(torch.from_numpy, gmm_start(args.from_))
    upper = torch.triu_indices(x.shape[1], x.shape[1])
    phi = moments(x - x.mean(0), upper)
    turn = torch.compile(iteration) if args.compile else iteration

    def run() -> float:
        params = (start[0], start[1] - x.mean(0), start[2])
        for _ in range(args.steps):
            params, value = turn(*params, phi, upper)
        return value.item()

    value, timing = measured(run, None if args.compile else 0.0, repeats=2, steps=args.steps)
    report(heading("gmm_em", args) | timing | {"loss": value}, args.json)


if __name__ == "__main__":
    main()
