"""The variational autoencoder of examples/vae.tilde, in PyTorch."""

import math
import time

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from common import arguments, minibatches, mnist_binary, peak_mb, quartiles, report, since_launch_ms

PIXELS, HIDDEN, LATENT = 784, 500, 20
BATCH, STEPS_PER_EPOCH = 100, 90
IWAE_SAMPLES = 100


class Vae(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.enc_hidden = nn.Linear(PIXELS, HIDDEN)
        self.enc_mean = nn.Linear(HIDDEN, LATENT)
        self.enc_log_std = nn.Linear(HIDDEN, LATENT)
        self.dec_hidden = nn.Linear(LATENT, HIDDEN)
        self.dec_logits = nn.Linear(HIDDEN, PIXELS)
        for layer in self.children():
            nn.init.xavier_uniform_(layer.weight)
            nn.init.zeros_(layer.bias)

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        h = torch.tanh(self.enc_hidden(x))
        return self.enc_mean(h), self.enc_log_std(h)

    def decode(self, z: Tensor) -> Tensor:
        return self.dec_logits(torch.tanh(self.dec_hidden(z)))

    def forward(self, x: Tensor) -> Tensor:
        """The negative ELBO, averaged over the batch."""
        mean, log_std = self.encode(x)
        z = mean + log_std.exp() * torch.randn_like(mean)
        cross_entropy = F.binary_cross_entropy_with_logits(self.decode(z), x, reduction="sum")
        return (cross_entropy + kl_to_prior(mean, log_std).sum()) / len(x)

    def bounds(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Per row: the ELBO averaged over IWAE_SAMPLES draws, and the importance-weighted bound from the same draws."""
        mean, log_std = self.encode(x)
        noise = torch.randn(IWAE_SAMPLES, *mean.shape)
        z = mean + log_std.exp() * noise
        logits = self.decode(z)
        reconstruction = (x * logits - F.softplus(logits)).sum(-1)
        log_weight = reconstruction + ((noise**2 - z**2) / 2 + log_std).sum(-1)
        elbo = reconstruction.mean(0) - kl_to_prior(mean, log_std)
        return elbo, log_weight.logsumexp(0) - math.log(IWAE_SAMPLES)


def kl_to_prior(mean: Tensor, log_std: Tensor) -> Tensor:
    return 0.5 * (mean**2 + (2 * log_std).exp() - 1 - 2 * log_std).sum(-1)


def train(model: nn.Module, rows: Tensor, seed: int, steps: int) -> dict:
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-3, fused=True)
    batches = minibatches(np.random.default_rng(seed), len(rows), BATCH)
    step_ms = []
    for _ in range(steps):
        start = time.perf_counter()
        loss = model(rows[torch.from_numpy(next(batches))])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        step_ms.append(1000 * (time.perf_counter() - start))
        if len(step_ms) == 1:
            first_step_ms = since_launch_ms()
    return quartiles(step_ms) | {"first_step_ms": first_step_ms, "peak_mb": peak_mb(), "loss": loss.item()}


def main() -> None:
    parser = arguments(__doc__, steps=0)
    parser.add_argument("--epochs", type=int, default=20, help="used unless --steps is given")
    parser.add_argument("--compile", action="store_true", help="through torch.compile")
    args = parser.parse_args()
    steps = args.steps or args.epochs * STEPS_PER_EPOCH

    torch.manual_seed(args.seed)
    train_rows, held_out = map(torch.from_numpy, mnist_binary())
    model = Vae()
    timing = train(torch.compile(model) if args.compile else model, train_rows, args.seed, steps)

    with torch.inference_mode():
        bounds = [torch.stack(model.bounds(part)).mean(1) for part in held_out.split(BATCH)]
    elbo, iwae = torch.stack(bounds).mean(0).tolist()
    system = "torch-compile" if args.compile else "torch-eager"
    result = {"workload": "vae", "system": system, "version": torch.__version__, "steps": steps}
    report(result | {"elbo": elbo, "iwae": iwae} | timing, args.json)


if __name__ == "__main__":
    main()
