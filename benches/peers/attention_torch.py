"""benches/workloads/attention.tilde in PyTorch: a causal language model of one transformer block."""

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from common import WORKLOADS, common_start, minibatches, parameters, report
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


@torch.no_grad()
def start_from(model: Transformer, folder: Path) -> None:
    p = {name: torch.from_numpy(array) for name, array in parameters(folder).items()}
    of_block = {name.removeprefix("logits.block1."): array for name, array in p.items() if name.startswith("logits.block1.")}
    model.embedding.weight.copy_(p["logits.embedding1.table"])
    model.place.copy_(p["logits.place"])
    model.qkv.copy_(torch.cat([of_block[f"attention1.{name}"].transpose(1, 2).reshape(WIDTH, WIDTH) for name in ("query", "key", "value")]))
    model.merge.copy_(of_block["attention1.merge"].reshape(WIDTH, WIDTH).T)
    widen, _, narrow = model.feed_forward
    for layer, name in [(widen, "logits.block1.mlp1.dense1"), (narrow, "logits.block1.mlp1.dense2"), (model.logits, "logits.dense1")]:
        layer.weight.copy_(p[f"{name}.W"])
        layer.bias.copy_(p[f"{name}.b"])
    norms = [(model.before, "block1.layer_norm1"), (model.between, "block1.layer_norm2"), (model.after, "layer_norm1")]
    for norm, name in norms:
        norm.weight.copy_(p[f"logits.{name}.scale"])
        norm.bias.copy_(p[f"logits.{name}.shift"])


def main() -> None:
    args = arguments(__doc__, steps=1000).parse_args()
    torch.manual_seed(args.seed)
    model = Transformer()
    if args.from_:
        start_from(model, args.from_)
        tokens, batches = common_start(args.from_)
    else:
        tokens = np.load(WORKLOADS / "data" / "tokens.npy")
        batches = minibatches(np.random.default_rng(args.seed), len(tokens), BATCH)
    step = descend(model, adam(model.parameters()), args.compile)
    report(heading("attention", args) | train(step, tokens.astype(np.int64), batches, args.steps), args.json)


if __name__ == "__main__":
    main()
