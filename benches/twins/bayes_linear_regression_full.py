"""The job of `tilde run examples/bayes_linear_regression.tilde`."""

import json

import jax
import jax.numpy as jnp

from bayes_linear_regression_model import init, log_evidence, optimiser, posterior, predictive, step
from program import DATA, band, options, report, run

REFERENCE = DATA.parent / "tests" / "references" / "evidence.json"


def main():
    args = options(__doc__, steps=500)
    jax.config.update("jax_enable_x64", True)
    inputs = json.loads(REFERENCE.read_text())["models"]["bayes_linear_regression"]["inputs"]
    X, y = jnp.asarray(inputs["x"]), jnp.asarray(inputs["y"])

    def training_step(state, i):
        params, moments, loss = step(*state, X, y)
        return (params, moments), -loss

    params = init()
    params, _ = run(args, (params, optimiser.init(params)), training_step)
    mean, cov = posterior(params, X, y)
    fitted, std = predictive(params, X, y, X)
    band(args, "predictive", y, fitted, std)
    scales = {name: jnp.exp(value) for name, value in params.items()}
    prediction, deviation = predictive(params, X, y, jnp.array([[0.5, -1.0, 2.0]]))
    results = {"log_evidence": log_evidence(params, X, y), "mean": mean, "cov": cov} | scales
    report(args, results | {"prediction": prediction[0], "deviation": deviation[0]})


if __name__ == "__main__":
    main()
