"""Networks and the training loop of the JAX peers."""

import argparse
import time
from collections.abc import Callable, Iterator
from itertools import islice

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax

import common
from common import peak_mb, quartiles, settled, since_launch_ms

STEPS_PER_SCAN = 100
STEPS_PER_BLOCK = 10  # one step a call: between two readings of the clock, so that calls are dispatched while others run

Dense = dict[str, Array]


def arguments(description: str, steps: int) -> argparse.ArgumentParser:
    parser = common.arguments(description, steps)
    parser.add_argument("--mode", choices=["scan", "jit"], default="scan", help=f"{STEPS_PER_SCAN} steps a call, or one")
    return parser


def heading(workload: str, args: argparse.Namespace) -> dict:
    return {"workload": workload, "system": f"jax-{args.mode}", "version": jax.__version__, "steps": args.steps}


def init_dense(key: Array, fan_in: int, fan_out: int) -> Dense:
    glorot = jax.nn.initializers.glorot_uniform()
    return {"w": glorot(key, (fan_in, fan_out)), "b": jnp.zeros(fan_out)}


def init_mlp(key: Array, sizes: list[int]) -> list[Dense]:
    keys = jax.random.split(key, len(sizes) - 1)
    return [init_dense(*layer) for layer in zip(keys, sizes, sizes[1:])]


def dense_of(w: np.ndarray, b: np.ndarray) -> Dense:
    """With known weights [in, out] and biases."""
    return {"w": jnp.asarray(w), "b": jnp.asarray(b)}


def dense(layer: Dense, x: Array) -> Array:
    return x @ layer["w"] + layer["b"]


def mlp(layers: list[Dense], x: Array) -> Array:
    for layer in layers[:-1]:
        x = jax.nn.silu(dense(layer, x))
    return dense(layers[-1], x)


def compiled(function: Callable, *arguments: object, donate: tuple[int, ...] = ()) -> tuple[Callable, float]:
    """The function as native code for arguments of these shapes, and the milliseconds of tracing and compiling."""
    start = time.perf_counter()
    call = jax.jit(function, donate_argnums=donate).lower(*arguments).compile()
    return call, 1000 * (time.perf_counter() - start)


def train(
    step: Callable, state: tuple, rows: np.ndarray, batches: Iterator[np.ndarray], steps: int, scan: bool = True
) -> tuple[tuple, dict]:
    """Repeats `state, loss = step(state, batch)`, one call a step or one call for every STEPS_PER_SCAN steps.

    Returns the last state and the timings. Gathering the batch is part of the step. State is donated, data stay on the device.
    """

    def gather_and_step(state: tuple, rows: Array, index: Array) -> tuple[tuple, Array]:
        return step(state, rows[index])

    def scanned(state: tuple, rows: Array, indices: Array) -> tuple[tuple, Array]:
        return lax.scan(lambda carry, index: gather_and_step(carry, rows, index), state, indices)

    per_call = STEPS_PER_SCAN if scan else 1
    per_block = STEPS_PER_SCAN if scan else STEPS_PER_BLOCK
    if steps % STEPS_PER_SCAN or steps < 2 * STEPS_PER_SCAN:
        raise SystemExit(f"--steps must be a multiple of {STEPS_PER_SCAN} and at least twice that, found {steps}")

    def chosen() -> np.ndarray:
        return np.stack(list(islice(batches, STEPS_PER_SCAN))) if scan else next(batches)

    on_device, indices = jnp.asarray(rows), chosen()
    call, compile_ms = compiled(scanned if scan else gather_and_step, state, on_device, indices, donate=(0,))
    state, loss = jax.block_until_ready(call(state, on_device, indices))
    first_step_ms = since_launch_ms()
    losses, step_ms = [loss], []
    for done in range(per_call, steps, per_block):
        start = time.perf_counter()
        for _ in range(0, min(per_block, steps - done), per_call):
            state, loss = call(state, on_device, chosen())
            losses.append(loss)
        jax.block_until_ready(state)
        step_ms.append(1000 * (time.perf_counter() - start) / min(per_block, steps - done))
    timing = quartiles(step_ms) | {"first_step_ms": first_step_ms, "compile_ms": compile_ms, "peak_mb": peak_mb()}
    return state, timing | settled(np.hstack(losses))
