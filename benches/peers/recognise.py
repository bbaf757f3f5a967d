"""How many drawn digits an independently trained classifier takes for the digit that was asked for.

    python recognise.py digits.npy labels.npy
    python recognise.py digits.npy 0123456789          # row i is asked for as the digit at i, over and over
    python recognise.py --test                         # the images held out of training

`digits.npy` holds images [n, 28, 28], [n, 784] or with an axis of one channel, ink high, grey or binary. They are taken to range over [0, 1];
`--range -1 1` says otherwise, and what lies outside is clipped. Prints JSON: the fraction recognised, by digit too, with the mean probability
that the classifier gives to the digit asked for.

The classifier is a small convolutional network in PyTorch, trained on the 9,000 images of data/mnist10k.npz that `split: 0.1` trains on, moved
and turned a little at random (40 seconds on one core); its weights are kept in ~/.cache/tilde-peers. It recognises 98.7 % of the 1,000 others.
"""

import argparse
import json
import os
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from common import MNIST

EPOCHS, BATCH = 40, 100
CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "tilde-peers" / f"recognise-{EPOCHS}.pt"


def images() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """[10000, 1, 28, 28] in [0, 1], their digits, and which are held out."""
    file = np.load(MNIST)
    held_out = torch.arange(len(file["y"])) % 10 == 9
    return torch.tensor(file["x"] / np.float32(255))[:, None], torch.tensor(file["y"]).long(), held_out


def network() -> nn.Module:
    convolutions = [nn.Conv2d(1, 16, 5, stride=2, padding=2), nn.ReLU(), nn.Conv2d(16, 32, 3, stride=2, padding=1), nn.ReLU()]
    return nn.Sequential(*convolutions, nn.Flatten(), nn.Linear(32 * 7 * 7, 128), nn.ReLU(), nn.Linear(128, 10))


def jittered(x: torch.Tensor) -> torch.Tensor:
    """Turned by up to 10 degrees, scaled by up to a tenth, moved by up to 2 pixels."""
    angle, scale = (torch.rand(len(x)) - 0.5) * 0.35, 1 + (torch.rand(len(x)) - 0.5) * 0.2
    cos, sin = scale * angle.cos(), scale * angle.sin()
    shift = (torch.rand(len(x), 2) - 0.5) * (4 / 14)
    rows = [torch.stack([cos, -sin, shift[:, 0]], -1), torch.stack([sin, cos, shift[:, 1]], -1)]
    return F.grid_sample(x, F.affine_grid(torch.stack(rows, 1), list(x.shape), align_corners=False), align_corners=False)


def trained() -> nn.Module:
    x, y, held_out = images()
    x, y = x[~held_out], y[~held_out]
    torch.manual_seed(0)
    torch.set_num_threads(1)  # As fast here as two, and the weights do not depend on the machine's cores.
    net = network()
    optimiser = torch.optim.Adam(net.parameters())
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 4e-3, epochs=EPOCHS, steps_per_epoch=len(x) // BATCH)
    for _ in range(EPOCHS):
        for rows in torch.randperm(len(x)).split(BATCH):
            optimiser.zero_grad()
            F.cross_entropy(net(jittered(x[rows])), y[rows]).backward()
            optimiser.step()
            schedule.step()
    return net.eval()


def classifier() -> nn.Module:
    net = network().eval()
    if CACHE.exists():
        net.load_state_dict(torch.load(CACHE, weights_only=True))
        return net
    net = trained()
    CACHE.parent.mkdir(parents=True, exist_ok=True)
    torch.save(net.state_dict(), CACHE)
    return net


def recognised(x: torch.Tensor, y: torch.Tensor) -> dict:
    net = classifier()
    with torch.no_grad():
        probability = torch.cat([net(part).softmax(-1) for part in x.split(1000)])
    right = (probability.argmax(-1) == y).double()
    by_digit = {str(digit): round(right[y == digit].mean().item(), 4) for digit in y.unique().tolist()}
    confidence = probability[torch.arange(len(y)), y].mean().item()
    return {"rows": len(y), "recognised": round(right.mean().item(), 4), "confidence": round(confidence, 4), "by_digit": by_digit}


def drawn(path: str, low: float, high: float) -> torch.Tensor:
    x = torch.tensor(np.load(path), dtype=torch.float32).reshape(-1, 1, 28, 28)
    if not x.isfinite().all():
        raise SystemExit(f"{path} holds numbers that are not finite")
    outside = ((x < low - 0.5 * (high - low)) | (x > high + 0.5 * (high - low))).double().mean().item()
    if outside > 0.1:
        raise SystemExit(f"{path} ranges over [{x.min():.3g}, {x.max():.3g}], far from [{low:g}, {high:g}]; say --range LOW HIGH")
    return ((x - low) / (high - low)).clamp(0, 1)


def asked_for(labels: str, rows: int) -> torch.Tensor:
    if not labels.endswith(".npy"):
        return torch.tensor([int(digit) for digit in labels]).repeat(rows // len(labels) + 1)[:rows]
    y = torch.tensor(np.load(labels)).long().flatten()
    if len(y) != rows:
        raise SystemExit(f"{labels} holds {len(y)} labels for {rows} digits")
    return y


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("digits", nargs="?", help=".npy of images")
    parser.add_argument("labels", nargs="?", help=".npy of digits, or a text of digits to repeat")
    parser.add_argument("--range", nargs=2, type=float, default=[0, 1], metavar=("LOW", "HIGH"), help="of the images")
    parser.add_argument("--test", action="store_true", help="on the held-out images")
    args = parser.parse_args()
    if args.test:
        x, y, held_out = images()
        print(json.dumps(recognised(x[held_out], y[held_out])))
    elif args.digits and args.labels:
        x = drawn(args.digits, *args.range)
        print(json.dumps(recognised(x, asked_for(args.labels, len(x)))))
    else:
        parser.error("digits and labels are needed, or --test")


if __name__ == "__main__":
    main()
