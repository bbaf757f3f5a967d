"""benches/workloads/attention.tilde in PyTorch: a causal language model of one transformer block."""

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from common import WORKLOADS, minibatches, report
from common_torch import adam, arguments, dense, descend, heading, mlp, train

LENGTH, KINDS, WIDTH, HEADS, BATCH = 32, 64, 64, 4, 64


class Transformer(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(KINDS, WIDTH)
        self.place = nn.Parameter(0.1 * torch.randn(LENGTH, WIDTH))
        self.qkv = nn.Parameter(torch.randn(3 * WIDTH, WIDTH) / 8)
        self.merge = nn.Parameter(torch.randn(WIDTH, WIDTH) / 8)
        self.feed_forward = mlp([WIDTH, 4 * WIDTH, WIDTH], nn.ReLU)
        self.logits = dense(WIDTH, KINDS)
        self.before, self.between, self.after = (nn.LayerNorm(WIDTH) for _ in range(3))

    def attention(self, x: Tensor) -> Tensor:
        heads = F.linear(x, self.qkv).view(*x.shape[:2], 3, HEADS, -1)
        q, k, v = heads.permute(2, 0, 3, 1, 4)
        merged = F.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2)
        return F.linear(merged.reshape(x.shape), self.merge)

    def forward(self, tokens: Tensor) -> Tensor:
        """The cross entropy of every token but the first, given those before it."""
        h = self.embedding(tokens) + self.place
        y = h + self.attention(self.before(h))
        y = y + self.feed_forward(self.between(y))
        logits = self.logits(self.after(y[:, :-1]))
        return F.cross_entropy(logits.flatten(0, 1), tokens[:, 1:].flatten())


def main() -> None:
    args = arguments(__doc__, steps=1000).parse_args()
    torch.manual_seed(args.seed)
    tokens = np.load(WORKLOADS / "data" / "tokens.npy").astype(np.int64)
    model = Transformer()
    step = descend(model, adam(model.parameters()), args.compile)
    batches = minibatches(np.random.default_rng(args.seed), len(tokens), BATCH)
    report(heading("attention", args) | train(step, tokens, batches, args.steps), args.json)


if __name__ == "__main__":
    main()
