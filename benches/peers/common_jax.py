"""Networks and the training loop of the JAX peers."""

import time
from collections.abc import Callable, Iterator
from itertools import islice

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from common import peak_mb, quartiles, since_launch_ms

STEPS_PER_SCAN = 100

Dense = dict[str, Array]


def init_dense(key: Array, fan_in: int, fan_out: int) -> Dense:
    glorot = jax.nn.initializers.glorot_uniform()
    return {"w": glorot(key, (fan_in, fan_out)), "b": jnp.zeros(fan_out)}


def init_mlp(key: Array, sizes: list[int]) -> list[Dense]:
    keys = jax.random.split(key, len(sizes) - 1)
    return [init_dense(*layer) for layer in zip(keys, sizes, sizes[1:])]


def dense(layer: Dense, x: Array) -> Array:
    return x @ layer["w"] + layer["b"]


def mlp(layers: list[Dense], x: Array) -> Array:
    for layer in layers[:-1]:
        x = jax.nn.silu(dense(layer, x))
    return dense(layers[-1], x)


def train(
    step: Callable, state: tuple, rows: np.ndarray, batches: Iterator[np.ndarray], steps: int, scan: bool = True
) -> tuple[tuple, dict]:
    """Repeats `state, loss = step(state, batch)`, one call a step or one call for every STEPS_PER_SCAN steps.

    Returns the last state and the timings. Gathering the batch is part of the step.
    """

    def gather_and_step(state: tuple, rows: Array, index: Array) -> tuple[tuple, Array]:
        return step(state, rows[index])

    def scanned(state: tuple, rows: Array, indices: Array) -> tuple[tuple, Array]:
        return lax.scan(lambda carry, index: gather_and_step(carry, rows, index), state, indices)

    steps_per_call = STEPS_PER_SCAN if scan else 1
    if steps % steps_per_call or steps < 2 * steps_per_call:
        raise SystemExit(f"--steps must be a multiple of {steps_per_call} and at least twice that, found {steps}")
    call = jax.jit(scanned if scan else gather_and_step, donate_argnums=0)
    on_device = jnp.asarray(rows)
    step_ms = []
    for _ in range(steps // steps_per_call):
        start = time.perf_counter()
        indices = np.stack(list(islice(batches, STEPS_PER_SCAN))) if scan else next(batches)
        state, loss = jax.block_until_ready(call(state, on_device, indices))
        step_ms.append(1000 * (time.perf_counter() - start) / steps_per_call)
        if len(step_ms) == 1:
            first_step_ms = since_launch_ms()
    timing = quartiles(step_ms) | {"first_step_ms": first_step_ms, "peak_mb": peak_mb(), "loss": float(jnp.mean(loss))}
    return state, timing
