"""benches/workloads/rbm.tilde in JAX: contrastive divergence with one step."""

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from common import minibatches, mnist_binary, report
from common_jax import arguments, heading, train

VISIBLE, HIDDEN, BATCH, RATE = 784, 500, 100, 0.05


def coin(key: Array, p: Array) -> Array:
    return (jax.random.uniform(key, p.shape) < p).astype(jnp.float32)


def step(state: tuple, v: Array) -> tuple[tuple, Array]:
    w, a, b, key = state
    key, hidden_key, visible_key = jax.random.split(key, 3)
    raised = v @ w + b
    h = jax.nn.sigmoid(raised)
    v1 = coin(visible_key, jax.nn.sigmoid(coin(hidden_key, h) @ w.T + a))
    raised1 = v1 @ w + b
    h1 = jax.nn.sigmoid(raised1)
    # F(v) = -a'v - sum softplus(W'v + b); the loss is F(v) - F(v1), its gradient -(v h' - v1 h1').
    energy = jax.nn.softplus(raised1) - jax.nn.softplus(raised)
    loss = (energy.sum() + ((v1 - v) @ a).sum()) / len(v)
    rate = RATE / len(v)
    w = w + rate * (v.T @ h - v1.T @ h1)
    a, b = a + rate * (v - v1).sum(0), b + rate * (h - h1).sum(0)
    return (w, a, b, key), loss


def main() -> None:
    args = arguments(__doc__, steps=1000).parse_args()
    rows, _ = mnist_binary()
    init_key, train_key = jax.random.split(jax.random.key(args.seed))
    w = 0.01 * jax.random.normal(init_key, (VISIBLE, HIDDEN))
    state = (w, jnp.zeros(VISIBLE), jnp.zeros(HIDDEN), train_key)
    batches = minibatches(np.random.default_rng(args.seed), len(rows), BATCH)
    _, timing = train(step, state, rows, batches, args.steps, scan=args.mode == "scan")
    report(heading("rbm", args) | timing, args.json)


if __name__ == "__main__":
    main()
