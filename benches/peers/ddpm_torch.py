"""benches/workloads/ddpm.tilde in PyTorch: trained, or with `--draw` drawing from what Tilde trained."""

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from common import add_drawing, describe_draws, measured, minibatches, report, trained
from common_torch import adam, arguments, descend, heading, mlp, mlp_of, train
from planar import moons

D, T, FEATURES, HIDDEN = 2, 1000, 32, 128
ROWS, BATCH = 10_000, 512

# Index t holds the value at t in 0..T.
beta = torch.cat([torch.zeros(1), torch.linspace(1e-4, 0.02, T)])
alpha_bar = torch.cumprod(1 - beta.double(), 0)
signal, std = alpha_bar.sqrt().float(), (1 - alpha_bar).sqrt().float()
# x[t-1] = (x - share noise_hat) / kept + spread z, of variance beta[t] (Ho, Jain, Abbeel 2020, algorithm 2)
kept, share = (1 - beta).sqrt(), beta / std.clamp(min=1e-12)
spread = torch.where(torch.arange(T + 1) > 1, beta.sqrt(), 0)
frequencies = 10_000.0 ** (-torch.arange(FEATURES // 2) / (FEATURES // 2))


def features(t: Tensor) -> Tensor:
    angle = t[..., None] * frequencies
    return torch.cat([angle.sin(), angle.cos()], dim=-1)


def objective(net: nn.Module, x0: Tensor) -> Tensor:
    t = torch.randint(1, T + 1, (len(x0),))
    noise = torch.randn_like(x0)
    x = signal[t, None] * x0 + std[t, None] * noise
    return F.mse_loss(net(torch.cat([x, features(t)], dim=-1)), noise)


def back(net: nn.Sequential, x: Tensor, of_time: Tensor, kept: Tensor, share: Tensor, spread: Tensor) -> Tensor:
    """From x[t] to x[t-1]; `of_time` is what the first layer makes of the time, the same for all rows."""
    hidden = F.linear(x, net[0].weight[:, :D], of_time)
    return (x - share * net[1:](hidden)) / kept + spread * torch.randn_like(x)


@torch.inference_mode()
def draw(net: nn.Sequential, turn, rows: int) -> np.ndarray:
    of_times = F.linear(features(torch.arange(T + 1)), net[0].weight[:, D:], net[0].bias)
    x = torch.randn(rows, D)
    for t in range(T, 0, -1):
        x = turn(net, x, of_times[t], kept[t], share[t], spread[t])
    return x.numpy()


def main() -> None:
    parser = arguments(__doc__, steps=2000)
    add_drawing(parser)
    args = parser.parse_args()
    torch.manual_seed(args.seed)
    if args.draw:
        net = mlp_of(trained(args.from_, "eps.mlp1.dense"))
        turn = torch.compile(back) if args.compile else back
        draws, timing = measured(lambda: draw(net, turn, args.draw), None if args.compile else 0.0, repeats=1, steps=T)
        return report(heading("ddpm_draw", args) | timing | describe_draws(draws), args.json)
    rng = np.random.default_rng(args.seed)
    net = mlp([D + FEATURES, HIDDEN, HIDDEN, HIDDEN, D])
    step = descend(lambda x: objective(net, x), adam(net.parameters()), args.compile)
    timing = train(step, moons(rng, ROWS), minibatches(rng, ROWS, BATCH), args.steps)
    report(heading("ddpm", args) | timing, args.json)


if __name__ == "__main__":
    main()
