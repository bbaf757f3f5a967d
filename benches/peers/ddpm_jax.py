"""benches/workloads/ddpm.tilde in JAX: trained, or with `--draw` drawing from what Tilde trained."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import Array, lax

from common import add_drawing, describe_draws, measured, minibatches, report, trained
from common_jax import arguments, compiled, dense_of, heading, init_mlp, mlp, train
from planar import moons

D, T, FEATURES, HIDDEN = 2, 1000, 32, 128
ROWS, BATCH = 10_000, 512

optimiser = optax.adam(1e-3)
# Index t holds the value at t in 0..T.
beta = np.concatenate([[0.0], np.linspace(1e-4, 0.02, T)])
alpha_bar = np.cumprod(1 - beta)
signal, std = (np.sqrt(v).astype(np.float32) for v in (alpha_bar, 1 - alpha_bar))


def features(t: Array) -> Array:
    angle = t[..., None] * 10_000.0 ** (-jnp.arange(FEATURES // 2) / (FEATURES // 2))
    return jnp.concatenate([jnp.sin(angle), jnp.cos(angle)], axis=-1)


def loss(net: list, key: Array, x0: Array) -> Array:
    time_key, noise_key = jax.random.split(key)
    t = jax.random.randint(time_key, (len(x0),), 1, T + 1)
    noise = jax.random.normal(noise_key, x0.shape)
    x = jnp.asarray(signal)[t][:, None] * x0 + jnp.asarray(std)[t][:, None] * noise
    return jnp.mean((mlp(net, jnp.concatenate([x, features(t)], axis=-1)) - noise) ** 2)


def step(state: tuple, x: Array) -> tuple[tuple, Array]:
    net, moments, key = state
    key, step_key = jax.random.split(key)
    value, grads = jax.value_and_grad(loss)(net, step_key, x)
    updates, moments = optimiser.update(grads, moments)
    return (optax.apply_updates(net, updates), moments, key), value


# x[t-1] = (x - share noise_hat) / kept + spread z, of variance beta[t] (Ho, Jain, Abbeel 2020, algorithm 2)
kept = np.sqrt(1 - beta).astype(np.float32)
share = (beta / np.maximum(std, 1e-12)).astype(np.float32)
spread = np.where(np.arange(T + 1) > 1, np.sqrt(beta), 0).astype(np.float32)


def back(net: list, x: Array, key: Array, t: Array) -> Array:
    """From x[t] to x[t-1]; the time is that of all rows, so what the first layer makes of its features is one vector."""
    first, *rest = net
    of_time = features(t) @ first["w"][D:] + first["b"]
    noise_hat = mlp(rest, jax.nn.silu(x @ first["w"][:D] + of_time))
    noise = jax.random.normal(jax.random.fold_in(key, t), x.shape)
    return (x - jnp.asarray(share)[t] * noise_hat) / jnp.asarray(kept)[t] + jnp.asarray(spread)[t] * noise


def start(key: Array, rows: int) -> Array:
    return jax.random.normal(jax.random.fold_in(key, 0), (rows, D))


def drawing(args, net: list):
    """A call without arguments that draws, and the milliseconds of its compilation."""
    key = jax.random.key(args.seed)
    if args.mode == "scan":

        def draw(net: list, key: Array) -> Array:
            return lax.scan(lambda x, t: (back(net, x, key, t), None), start(key, args.draw), jnp.arange(T, 0, -1))[0]

        call, compile_ms = compiled(draw, net, key)
        return lambda: np.asarray(call(net, key)), compile_ms
    x, times = start(key, args.draw), [jnp.int32(t) for t in range(T, 0, -1)]
    call, compile_ms = compiled(back, net, x, key, times[0], donate=(1,))

    def draw_by_steps() -> np.ndarray:
        x = start(key, args.draw)
        for t in times:
            x = call(net, x, key, t)
        return np.asarray(x)

    return draw_by_steps, compile_ms


def main() -> None:
    parser = arguments(__doc__, steps=2000)
    add_drawing(parser)
    args = parser.parse_args()
    if args.draw:
        net = [dense_of(*layer) for layer in trained(args.from_, "eps.mlp1.dense")]
        draw, compile_ms = drawing(args, net)
        draws, timing = measured(draw, compile_ms, repeats=1, steps=T)
        return report(heading("ddpm_draw", args) | timing | describe_draws(draws), args.json)
    rng = np.random.default_rng(args.seed)
    net_key, train_key = jax.random.split(jax.random.key(args.seed))
    net = init_mlp(net_key, [D + FEATURES, HIDDEN, HIDDEN, HIDDEN, D])
    state = (net, optimiser.init(net), train_key)
    _, timing = train(step, state, moons(rng, ROWS), minibatches(rng, ROWS, BATCH), args.steps, scan=args.mode == "scan")
    report(heading("ddpm", args) | timing, args.json)


if __name__ == "__main__":
    main()
