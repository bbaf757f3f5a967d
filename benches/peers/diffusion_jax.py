"""The diffusion models of ../twins on the two moons: `python diffusion_jax.py ddpm`, one of those in WORKLOADS.

Each trains mlp[128, 128, 2] of the state and 32 features of the time on 10,000 points for 20,000 steps of Adam(1e-3) with batches of 512, and
draws from the averaged weights (0.999) with each of its samplers. The network gives the score itself in `vp`, `subvp` and `ve`, and the noise
in those with `_noise`.
"""

import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import ModuleType

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from common import arguments, minibatches, report
from common_jax import train
from metrics import distances
from planar import moons

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "twins"))
import ddpm_model as ddpm
import edm_model as edm
import flow_matching_model as flow_matching
import score_sde_model as score_sde

ROWS = 10_000
SMIN, SMAX = 0.01, 10.0

subvp = score_sde.vp._replace(
    std=lambda t: score_sde.vp.std(t) ** 2,
    diffusion=lambda t: jnp.sqrt(-score_sde.beta(t) * jnp.expm1(4 * score_sde.log_signal(t))),
)
ve = score_sde.Process(
    signal=jnp.ones_like,
    std=lambda t: SMIN * jnp.sqrt(jnp.expm1(2 * np.log(SMAX / SMIN) * t)),
    rate=jnp.zeros_like,
    diffusion=lambda t: SMIN * (SMAX / SMIN) ** t * np.sqrt(2 * np.log(SMAX / SMIN)),
)


def predicting_noise(q: score_sde.Process) -> score_sde.Process:
    return q._replace(scale=lambda t: -1 / q.std(t))


def continuous(q: score_sde.Process) -> tuple[ModuleType, Callable, dict[str, Callable]]:
    samplers = {
        "euler_maruyama 500": partial(score_sde.euler_maruyama, q=q),
        "predictor_corrector 500": partial(score_sde.predictor_corrector, q=q),
        "dopri5 1e-5": partial(score_sde.probability_flow, q=q),
    }
    return score_sde, partial(score_sde.step, q=q), samplers


WORKLOADS = {
    "ddpm": (ddpm, ddpm.step, {"ancestral 1000": ddpm.ancestral, "ddim 50": ddpm.ddim}),
    "vp": continuous(score_sde.vp),
    "subvp": continuous(subvp),
    "ve": continuous(ve),
    "vp_noise": continuous(predicting_noise(score_sde.vp)),
    "subvp_noise": continuous(predicting_noise(subvp)),
    "ve_noise": continuous(predicting_noise(ve)),
    "edm": (edm, edm.step, {"heun 18": edm.heun}),
    "flow_matching": (flow_matching, flow_matching.step, {"euler 100": flow_matching.euler, "rk4 25": flow_matching.rk4}),
}


def likelihood(workload: str, net: list, key: Array, held_out: np.ndarray) -> dict[str, float]:
    """What the file of that name prints as a metric, on some held-out points."""
    if workload == "ddpm":
        return {"nelbo": float(ddpm.nelbo(net, key, held_out).mean())}
    if workload in ("vp", "vp_noise"):
        q = score_sde.vp if workload == "vp" else predicting_noise(score_sde.vp)
        log_likelihood = score_sde.log_likelihood(net, held_out[:2000], q)
        return {"bits_per_dim": float(-log_likelihood.mean() / (ddpm.D * np.log(2)))}
    return {}


def main() -> None:
    parser = arguments(__doc__, steps=20_000)
    parser.add_argument("workload", choices=WORKLOADS)
    args = parser.parse_args()
    module, model_step, samplers = WORKLOADS[args.workload]
    rng = np.random.default_rng(args.seed)
    rows, fresh = moons(rng, ROWS), [moons(rng, ROWS) for _ in range(3)]
    init_key, train_key, draw_key = jax.random.split(jax.random.key(args.seed), 3)

    def step(state: tuple, batch: Array) -> tuple[tuple, Array]:
        state, key = state
        key, step_key = jax.random.split(key)
        state, loss = model_step(state, step_key, batch)
        return (state, key), loss

    state = jax.tree.map(jnp.copy, (module.init(init_key), train_key))
    ((_, average, _), _), timing = train(step, state, rows, minibatches(rng, ROWS, module.BATCH), args.steps)
    result = {"workload": args.workload, "system": "jax-scan", "version": jax.__version__, "steps": args.steps} | timing
    result |= likelihood(args.workload, average, draw_key, fresh[0])
    for name, sampler in samplers.items():
        jax.block_until_ready(sampler(average, draw_key, ROWS))
        start = time.perf_counter()
        draws = np.asarray(sampler(average, draw_key, ROWS))
        result[name] = {"draw_s": time.perf_counter() - start} | distances(draws, fresh)
    report(result, args.json)


if __name__ == "__main__":
    main()
