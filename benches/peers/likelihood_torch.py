"""benches/workloads/likelihood.tilde in PyTorch: log-densities by torchdiffeq's Dormand-Prince with the exact trace."""

import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchdiffeq import odeint

from common import measured, report, trained
from common_torch import arguments, heading, mlp_of

D, FEATURES = 2, 32
BMIN, BMAX, FIRST, TOLERANCE = 0.1, 20.0, 1e-3, 1e-5
frequencies = 10_000.0 ** (-torch.arange(FEATURES // 2) / (FEATURES // 2))


def slope(net: nn.Sequential, t: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
    """The velocity of each row, beta (noise_hat / std - x) / 2, and its divergence by the derivatives along both axes."""
    angle = 1000 * t * frequencies
    first, *rest = net[::2]
    z = F.linear(x, first.weight[:, :D], F.linear(torch.cat([angle.sin(), angle.cos()]), first.weight[:, D:], first.bias))
    along = first.weight[:, :D].T[:, None, :].expand(D, *z.shape)
    for layer in rest:
        share = z.sigmoid()
        along = F.linear(along * (share * (1 + z * (1 - share))), layer.weight)
        z = layer(z * share)
    half = (BMIN + t * (BMAX - BMIN)) / 2
    std = (-torch.expm1(-(BMIN * t + (BMAX - BMIN) * t**2 / 2))).sqrt()
    trace = along[0, :, 0] + along[1, :, 1]
    return half * (z / std - x), half * (trace / std - D)


@torch.no_grad()
def main() -> None:
    args = arguments(__doc__, steps=1).parse_args()
    net = mlp_of(trained(args.from_, "eps.mlp1.dense"))
    points = torch.from_numpy(np.load(args.from_ / "points.npy"))
    turn = torch.compile(slope) if args.compile else slope
    times = torch.tensor([FIRST, 1.0])

    def log_density() -> np.ndarray:
        """One step size for all rows: torchdiffeq has no other."""
        start = (points, torch.zeros(len(points)))
        x, gained = odeint(lambda t, state: turn(net, t, state[0]), start, times, rtol=TOLERANCE, atol=TOLERANCE, method="dopri5")
        return ((-(x[-1] ** 2) / 2).sum(1) - D / 2 * math.log(2 * math.pi) + gained[-1]).numpy()

    densities, timing = measured(log_density, None if args.compile else 0.0, repeats=1)
    result = {"loss": float(densities.mean()), "std": float(densities.std())}
    report(heading("likelihood", args) | timing | result, args.json)


if __name__ == "__main__":
    main()
