"""The job of `tilde run examples/edm.tilde`."""

import edm_model as model
from points import learn
from program import options, scatter


def main():
    args = options(__doc__, steps=20_000)
    rows, net, key = learn(args, model)
    scatter(args, "points", rows[:2000], model.heun(net, key, 2000))


if __name__ == "__main__":
    main()
