"""The job of `tilde run examples/hmm.tilde`."""

import json

import numpy as np
from scipy.special import logsumexp

from hmm_model import backward, em_step, forward, init
from program import band, options, report, run, series


def main():
    args = options(__doc__, steps=200)
    np.seterr(divide="ignore")  # log 0 where EM leaves a chance of 0
    y = series("hmm")
    params = run(args, init(), lambda params, i: em_step(params, y))
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
