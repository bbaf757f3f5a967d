"""benches/workloads/likelihood.tilde in JAX: log-densities by the probability flow, with diffrax's Dormand-Prince and the exact trace."""

import diffrax
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.scipy.stats import norm

from common import measured, report, trained
from common_jax import arguments, compiled, heading, mlp

D, FEATURES = 2, 32
BMIN, BMAX, FIRST, TOLERANCE = 0.1, 20.0, 1e-3, 1e-5


def velocity(net: list, x: Array, t: Array) -> Array:
    """Of one point: dx/dt = beta (noise_hat / std - x) / 2, with noise_hat of the net and std² = 1 - signal²."""
    angle = 1000 * t * 10_000.0 ** (-jnp.arange(FEATURES // 2) / (FEATURES // 2))
    noise_hat = mlp(net, jnp.concatenate([x, jnp.sin(angle), jnp.cos(angle)]))
    std = jnp.sqrt(-jnp.expm1(-(BMIN * t + (BMAX - BMIN) * t**2 / 2)))
    return (BMIN + t * (BMAX - BMIN)) / 2 * (noise_hat / std - x)


def log_density(net: list, x: Array) -> Array:
    """Of one point, with steps of its own."""

    def slope(t: Array, state: tuple, net: list) -> tuple[Array, Array]:
        of_x = lambda x: velocity(net, x, t)
        value, turned = jax.linearize(of_x, state[0])
        return value, jnp.trace(jax.vmap(turned)(jnp.eye(D)))

    controller = diffrax.PIDController(rtol=TOLERANCE, atol=TOLERANCE)
    term, start = diffrax.ODETerm(slope), (x, jnp.zeros(()))
    path = diffrax.diffeqsolve(term, diffrax.Dopri5(), FIRST, 1.0, None, start, net, stepsize_controller=controller, max_steps=10_000)
    end, gained = path.ys
    return norm.logpdf(end[-1]).sum() + gained[-1]


def main() -> None:
    parser = arguments(__doc__, steps=1)
    args = parser.parse_args()
    net = [{"w": jnp.asarray(w), "b": jnp.asarray(b)} for w, b in trained(args.from_, "eps.mlp1.dense")]
    points = jnp.asarray(np.load(args.from_ / "points.npy"))
    call, compile_ms = compiled(jax.vmap(log_density, (None, 0)), net, points)
    densities, timing = measured(lambda: np.asarray(call(net, points)), compile_ms, repeats=2)
    result = {"loss": float(densities.mean()), "std": float(densities.std())}
    report(heading("likelihood", args) | timing | result, args.json)


if __name__ == "__main__":
    main()
