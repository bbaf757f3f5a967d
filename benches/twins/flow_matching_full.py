"""The job of `tilde run examples/flow_matching.tilde`."""

import flow_matching_model as model
from points import learn
from program import options, scatter


def main():
    args = options(__doc__, steps=20_000)
    rows, net, key = learn(args, model)
    scatter(args, "points", rows[:2000], model.euler(net, key, 2000))
    scatter(args, "quick", rows[:2000], model.rk4(net, key, 2000))


if __name__ == "__main__":
    main()
