"""benches/workloads/attention.tilde in JAX: a causal language model of one transformer block."""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import Array

from common import WORKLOADS, common_start, minibatches, parameters, report
from common_jax import arguments, dense, dense_of, heading, init_dense, train

LENGTH, KINDS, WIDTH, HEADS, BATCH = 32, 64, 64, 4, 64
NORMS = ("block1.layer_norm1", "block1.layer_norm2", "layer_norm1")  # as Tilde names them

optimiser = optax.adam(1e-3)


def init(key: Array) -> dict:
    normal = jax.random.normal
    keys = iter(jax.random.split(key, 8))
    return {
        "embedding": normal(next(keys), (KINDS, WIDTH)),
        "place": 0.1 * normal(next(keys), (LENGTH, WIDTH)),
        "qkv": normal(next(keys), (3, WIDTH, HEADS, WIDTH // HEADS)) / 8,
        "merge": normal(next(keys), (WIDTH, WIDTH)) / 8,
        "widen": init_dense(next(keys), WIDTH, 4 * WIDTH),
        "narrow": init_dense(next(keys), 4 * WIDTH, WIDTH),
        "logits": init_dense(next(keys), WIDTH, KINDS),
        "norms": [{"scale": jnp.ones(WIDTH), "shift": jnp.zeros(WIDTH)} for _ in range(3)],
    }


def of_tilde(folder: Path) -> dict:
    p = parameters(folder)
    in_block = lambda name: p["logits.block1." + name]
    layer = lambda name: dense_of(p[f"logits.{name}.W"].T, p[f"logits.{name}.b"])
    norms = [{part: jnp.asarray(p[f"logits.{norm}.{part}"]) for part in ("scale", "shift")} for norm in NORMS]
    return {
        "embedding": jnp.asarray(p["logits.embedding1.table"]),
        "place": jnp.asarray(p["logits.place"]),
        "qkv": jnp.stack([in_block(f"attention1.{name}").swapaxes(0, 1) for name in ("query", "key", "value")]),
        "merge": jnp.asarray(in_block("attention1.merge").reshape(WIDTH, WIDTH)),
        "widen": layer("block1.mlp1.dense1"),
        "narrow": layer("block1.mlp1.dense2"),
        "logits": layer("dense1"),
        "norms": norms,
    }


def layer_norm(norm: dict, x: Array) -> Array:
    centred = x - x.mean(-1, keepdims=True)
    return norm["scale"] * centred * jax.lax.rsqrt((centred**2).mean(-1, keepdims=True) + 1e-5) + norm["shift"]


def attention(params: dict, x: Array) -> Array:
    q, k, v = jnp.einsum("bnw,pwhc->pbnhc", x, params["qkv"])
    return jax.nn.dot_product_attention(q, k, v, is_causal=True).reshape(x.shape) @ params["merge"]


def cross_entropy(params: dict, tokens: Array) -> Array:
    h = params["embedding"][tokens] + params["place"]
    before, between, after = params["norms"]
    y = h + attention(params, layer_norm(before, h))
    y = y + dense(params["narrow"], jax.nn.relu(dense(params["widen"], layer_norm(between, y))))
    logits = dense(params["logits"], layer_norm(after, y[:, :-1]))
    return optax.softmax_cross_entropy_with_integer_labels(logits, tokens[:, 1:]).mean()


def step(state: tuple, tokens: Array) -> tuple[tuple, Array]:
    params, moments = state
    loss, grads = jax.value_and_grad(cross_entropy)(params, tokens)
    updates, moments = optimiser.update(grads, moments)
    return (optax.apply_updates(params, updates), moments), loss


def main() -> None:
    args = arguments(__doc__, steps=1000).parse_args()
    if args.from_:
        params, (tokens, batches) = of_tilde(args.from_), common_start(args.from_)
    else:
        params, tokens = init(jax.random.key(args.seed)), np.load(WORKLOADS / "data" / "tokens.npy")
        batches = minibatches(np.random.default_rng(args.seed), len(tokens), BATCH)
    _, timing = train(step, (params, optimiser.init(params)), tokens.astype(np.int32), batches, args.steps, scan=args.mode == "scan")
    report(heading("attention", args) | timing, args.json)


if __name__ == "__main__":
    main()
