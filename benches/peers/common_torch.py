"""Networks and the training loop of the PyTorch peers."""

import argparse
import time
from collections.abc import Callable, Iterable, Iterator

import numpy as np
import torch
from torch import Tensor, nn

import common
from common import peak_mb, quartiles, settled, since_launch_ms

STEPS_PER_BLOCK = 10


def arguments(description: str, steps: int) -> argparse.ArgumentParser:
    parser = common.arguments(description, steps)
    parser.add_argument("--compile", action="store_true", help="through torch.compile")
    return parser


def heading(workload: str, args: argparse.Namespace) -> dict:
    system = "torch-compile" if args.compile else "torch-eager"
    return {"workload": workload, "system": system, "version": torch.__version__, "steps": args.steps}


def dense(fan_in: int, fan_out: int) -> nn.Linear:
    """Glorot uniform weights and zero biases."""
    layer = nn.Linear(fan_in, fan_out)
    nn.init.xavier_uniform_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer


def mlp(sizes: list[int], activation: type[nn.Module] = nn.SiLU) -> nn.Sequential:
    layers = [dense(*pair) for pair in zip(sizes, sizes[1:])]
    return nn.Sequential(*[part for layer in layers for part in (layer, activation())][:-1])


def mlp_of(weights: list[tuple[np.ndarray, np.ndarray]]) -> nn.Sequential:
    """With trained weights [in, out] and biases."""
    net = mlp([weights[0][0].shape[0], *(len(b) for _, b in weights)])
    with torch.no_grad():
        for layer, (w, b) in zip(net[::2], weights):
            layer.weight.copy_(torch.from_numpy(w.T))
            layer.bias.copy_(torch.from_numpy(b))
    return net


def adam(parameters: Iterable[Tensor]) -> torch.optim.Optimizer:
    return torch.optim.Adam(parameters, lr=1e-3, fused=True)


def descend(loss: Callable[[Tensor], Tensor], optimiser: torch.optim.Optimizer, compile: bool) -> Callable[[Tensor], Tensor]:
    """A step of `train`: the gradient of a loss of a batch, and what the optimiser makes of it."""
    loss = torch.compile(loss) if compile else loss

    def step(x: Tensor) -> Tensor:
        value = loss(x)
        optimiser.zero_grad(set_to_none=True)
        value.backward()
        optimiser.step()
        return value.detach()

    return step


def train(step: Callable[[Tensor], Tensor], rows: np.ndarray, batches: Iterator[np.ndarray], steps: int) -> dict:
    """Repeats `loss = step(batch)` and returns the timings. Gathering the batch is part of the step."""
    rows, losses, step_ms = torch.from_numpy(rows), [], []

    def block(size: int) -> float:
        start = time.perf_counter()
        for _ in range(size):
            losses.append(step(rows[torch.from_numpy(next(batches))]))
        return 1000 * (time.perf_counter() - start) / size

    first_ms = block(1)
    first_step_ms = since_launch_ms()
    for done in range(1, steps, STEPS_PER_BLOCK):
        step_ms.append(block(min(STEPS_PER_BLOCK, steps - done)))
    steady = quartiles(step_ms)
    compile_ms = max(0.0, first_ms - steady["step_ms"])
    return steady | {"first_step_ms": first_step_ms, "compile_ms": compile_ms, "peak_mb": peak_mb()} | settled(torch.stack(losses).numpy())
