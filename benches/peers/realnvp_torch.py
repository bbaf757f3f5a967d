"""benches/workloads/realnvp.tilde in PyTorch: a RealNVP flow on the two moons."""

import math

import numpy as np
import torch
from torch import Tensor, nn

from common import common_start, minibatches, report, trained
from common_torch import adam, arguments, descend, heading, mlp, mlp_of, train
from planar import moons

COUPLINGS, HIDDEN = 8, 64
ROWS, BATCH = 20_000, 512


def log_density(nets: nn.ModuleList, x: Tensor) -> Tensor:
    """x = f(z), where each coupling of f rescales one dimension by the other, and swaps the two; here from the last to the first."""
    a, b = x.split(1, dim=-1)
    log_det = torch.zeros(())
    for net in reversed(nets):
        kept, moved = b, a
        raw_log_scale, shift = net(kept).split(1, dim=-1)
        log_scale = raw_log_scale.tanh()
        a, b = kept, (moved - shift) * (-log_scale).exp()
        log_det = log_det - log_scale
    return (-(a**2 + b**2) / 2 - math.log(2 * math.pi) + log_det).squeeze(-1)


def main() -> None:
    args = arguments(__doc__, steps=1000).parse_args()
    torch.manual_seed(args.seed)
    rng = np.random.default_rng(args.seed)
    if args.from_:
        prefixes = [f"f.affine_coupling{number}.mlp1.dense" for number in range(1, COUPLINGS + 1)]
        nets = nn.ModuleList(mlp_of(trained(args.from_, prefix)) for prefix in prefixes)
        rows, batches = common_start(args.from_)
    else:
        nets = nn.ModuleList(mlp([1, HIDDEN, HIDDEN, 2]) for _ in range(COUPLINGS))
        rows, batches = moons(rng, ROWS), minibatches(rng, ROWS, BATCH)
    step = descend(lambda x: -log_density(nets, x).mean(), adam(nets.parameters()), args.compile)
    timing = train(step, rows, batches, args.steps)
    report(heading("realnvp", args) | timing, args.json)


if __name__ == "__main__":
    main()
