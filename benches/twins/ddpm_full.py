"""The job of `tilde run examples/ddpm.tilde`."""

import ddpm_model as model
from points import learn
from program import options, report, scatter


def main():
    args = options(__doc__, steps=20_000)
    rows, net, key = learn(args, model)
    scatter(args, "points", rows[:2000], model.ancestral(net, key, 2000))
    scatter(args, "quick", rows[:2000], model.ddim(net, key, 2000, 50))
    report(args, {"nelbo": model.nelbo(net, key, rows).mean()})


if __name__ == "__main__":
    main()
