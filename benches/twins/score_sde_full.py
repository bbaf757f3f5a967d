"""The job of `tilde run examples/score_sde.tilde`."""

import numpy as np

import score_sde_model as model
from points import learn
from program import options, report, scatter


def main():
    args = options(__doc__, steps=20_000)
    rows, net, key = learn(args, model)
    scatter(args, "em", rows[:2000], model.euler_maruyama(net, key, 2000, steps=500))
    scatter(args, "pc", rows[:2000], model.predictor_corrector(net, key, 2000, 500, 0.16))
    scatter(args, "ode", rows[:2000], model.probability_flow(net, key, 2000))
    report(args, {"bpd": -model.log_likelihood(net, rows).mean() / (model.D * np.log(2))})


if __name__ == "__main__":
    main()
