"""The variational autoencoder of examples/vae.tilde, in PyTorch."""

import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from common import minibatches, mnist_binary, report
from common_torch import adam, arguments, dense, descend, heading, train

PIXELS, HIDDEN, LATENT = 784, 500, 20
BATCH, STEPS_PER_EPOCH = 100, 90
IWAE_SAMPLES = 100


class Vae(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.enc_hidden = dense(PIXELS, HIDDEN)
        self.enc_mean = dense(HIDDEN, LATENT)
        self.enc_log_std = dense(HIDDEN, LATENT)
        self.dec_hidden = dense(LATENT, HIDDEN)
        self.dec_logits = dense(HIDDEN, PIXELS)

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


def main() -> None:
    parser = arguments(__doc__, steps=0)
    parser.add_argument("--epochs", type=int, default=20, help="used unless --steps is given")
    args = parser.parse_args()
    args.steps = args.steps or args.epochs * STEPS_PER_EPOCH

    torch.manual_seed(args.seed)
    train_rows, held_out = mnist_binary()
    model = Vae()
    step = descend(model, adam(model.parameters()), args.compile)
    timing = train(step, train_rows, minibatches(np.random.default_rng(args.seed), len(train_rows), BATCH), args.steps)
    result = heading("vae", args) | timing
    if args.timing:
        return report(result, args.json)

    with torch.inference_mode():
        bounds = [torch.stack(model.bounds(part)).mean(1) for part in torch.from_numpy(held_out).split(BATCH)]
    elbo, iwae = torch.stack(bounds).mean(0).tolist()
    report(result | {"elbo": elbo, "iwae": iwae}, args.json)


if __name__ == "__main__":
    main()
