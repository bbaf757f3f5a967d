"""benches/workloads/rbm.tilde in PyTorch: contrastive divergence with one step."""

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from common import minibatches, mnist_binary, report
from common_torch import arguments, heading, train

VISIBLE, HIDDEN, BATCH, RATE = 784, 500, 100, 0.05


@torch.no_grad()
def update(w: Tensor, a: Tensor, b: Tensor, v: Tensor) -> Tensor:
    """Moves the parameters in place and returns the loss before."""
    raised = torch.addmm(b, v, w)
    h = raised.sigmoid()
    r = torch.addmm(a, (torch.rand_like(h) < h).float(), w.T).sigmoid()
    v1 = (torch.rand_like(r) < r).float()
    raised1 = torch.addmm(b, v1, w)
    h1 = raised1.sigmoid()
    # F(v) = -a'v - sum softplus(W'v + b); the loss is F(v) - F(v1), its gradient -(v h' - v1 h1').
    loss = ((F.softplus(raised1) - F.softplus(raised)).sum() + ((v1 - v) @ a).sum()) / len(v)
    rate = RATE / len(v)
    w.addmm_(v.T, h, alpha=rate).addmm_(v1.T, h1, alpha=-rate)
    a.add_((v - v1).sum(0), alpha=rate)
    b.add_((h - h1).sum(0), alpha=rate)
    return loss


def main() -> None:
    args = arguments(__doc__, steps=1000).parse_args()
    torch.manual_seed(args.seed)
    rows, _ = mnist_binary()
    w, a, b = 0.01 * torch.randn(VISIBLE, HIDDEN), torch.zeros(VISIBLE), torch.zeros(HIDDEN)
    turn = torch.compile(update) if args.compile else update
    batches = minibatches(np.random.default_rng(args.seed), len(rows), BATCH)
    timing = train(lambda v: turn(w, a, b, v), rows, batches, args.steps)
    report(heading("rbm", args) | timing, args.json)


if __name__ == "__main__":
    main()
