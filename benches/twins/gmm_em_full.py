"""The job of `tilde run examples/gmm_em.tilde`."""

import numpy as np

from gmm_em_model import em_step, init, log_joint
from program import DATA, options, report, run, scatter
from scipy.special import logsumexp


def main():
    args = options(__doc__, steps=100)
    rng = np.random.default_rng(args.seed)
    x = np.load(DATA / "iris.npz")["tenths"] / 10
    params = run(args, init(rng, x, 3), lambda params, i: em_step(params, x))
    components = rng.choice(3, 2000, p=params[0])
    draws = np.stack([rng.multivariate_normal(params[1][k], params[2][k]) for k in components])
    scatter(args, "draws", x, draws)
    loglik = logsumexp(log_joint(params, x), axis=-1).mean()
    report(args, {"loglik": loglik, "w": params[0], "mu": params[1], "S": params[2]})


if __name__ == "__main__":
    main()
