"""The job of `tilde run examples/hmm.tilde`."""

import json

import numpy as np
from scipy.special import logsumexp

from hmm_model import backward, em_step, forward, init
from program import band, options, report, run


def series(seed=0, length=200):
    """Two regimes of counts."""
    rng = np.random.default_rng(seed)
    z = np.cumsum(rng.random(length) < 0.05) % 2
    return rng.poisson(np.where(z == 0, 2.0, 9.0))


def main():
    args = options(__doc__, steps=100)
    rng = np.random.default_rng(args.seed)
    np.seterr(divide="ignore")  # log 0 where EM leaves a chance of 0
    y = series()
    params = run(args, init(rng, y, 2), lambda params, i: em_step(params, y))
    alpha, emission = forward(params, y)
    log_likelihood = logsumexp(alpha[-1])
    smoothed = np.exp(alpha + backward(params, emission) - log_likelihood)
    mean = smoothed @ params[2]
    band(args, "smoothed", y, mean, np.sqrt(smoothed @ params[2] ** 2 - mean**2))
    (args.out / "smoothed.json").write_text(json.dumps(smoothed.tolist()))
    report(
        args,
        {"loglik": log_likelihood, "start": params[0], "transition": params[1], "rates": params[2]},
    )


if __name__ == "__main__":
    main()
