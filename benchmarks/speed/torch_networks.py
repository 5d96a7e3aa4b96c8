"""The same networks in PyTorch, layer for layer; `beside.py` prints how many weights each contestant has."""

import math
from itertools import pairwise

import torch
from torch import nn

from benchmarks.speed.workloads import LATENT, Workload

CONV = (64, 96, 128, 256)
PATCH = (64, 96, 128, 256)
FEATURES = 256
MLP = (512, 256)


class Residual(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(width, width, 3, padding=1), nn.Conv2d(width, width, 3, padding=1)
        nn.init.zeros_(self.second.weight)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.second(nn.functional.silu(self.first(x)))


def encoder_layers(workload: Workload) -> list[nn.Module]:
    """From pictures in [−1, 1] [B, C, H, W] to features."""
    height, width, channels = workload.image_shape
    if workload.kind == "mlp":
        sizes = (math.prod(workload.image_shape), *MLP)
        return [nn.Flatten(), *(layer for a, b in pairwise(sizes) for layer in (nn.Linear(a, b), nn.SiLU()))]
    layers: list[nn.Module] = []
    if workload.kind == "conv":
        for a, b in pairwise((channels, *CONV)):
            layers += [nn.Conv2d(a, b, 4, 2, 1), nn.SiLU()]
        cells = height // 16 * (width // 16) * CONV[-1]
    else:
        layers += [nn.Conv2d(channels, PATCH[0], 4, 4), Residual(PATCH[0])]
        for a, b in pairwise(PATCH):
            layers += [nn.Conv2d(a, b, 3, 2, 1), Residual(b)]
        cells = height // 32 * (width // 32) * PATCH[-1]
    return [*layers, nn.Flatten(), nn.Linear(cells, FEATURES), nn.SiLU()]


def decoder_layers(workload: Workload) -> list[nn.Module]:
    """From latents to pictures [B, C, H, W], before the sigmoid."""
    height, width, channels = workload.image_shape
    if workload.kind == "mlp":
        sizes = (LATENT, *MLP[::-1])
        dense = [layer for a, b in pairwise(sizes) for layer in (nn.Linear(a, b), nn.SiLU())]
        pixels = math.prod(workload.image_shape)
        return [*dense, nn.Linear(sizes[-1], pixels), nn.Unflatten(1, (channels, height, width))]
    widths = CONV[::-1]
    factor = 16 if workload.kind == "conv" else 32
    base = (widths[0], height // factor, width // factor)
    layers: list[nn.Module] = [nn.Linear(LATENT, math.prod(base)), nn.SiLU(), nn.Unflatten(1, base)]
    if workload.kind == "conv":
        for a, b in pairwise(widths):
            layers += [nn.ConvTranspose2d(a, b, 4, 2, 1), nn.SiLU()]
        return [*layers, nn.ConvTranspose2d(widths[-1], channels, 4, 2, 1)]
    layers.append(Residual(widths[0]))
    for a, b in pairwise(widths):
        layers += [nn.Conv2d(a, 4 * b, 1), nn.PixelShuffle(2), Residual(b)]
    return [*layers, nn.Conv2d(widths[-1], channels * 16, 3, padding=1), nn.PixelShuffle(4)]


class VAE(nn.Module):
    """The hand-written VAE: a diagonal Gaussian posterior, a Gaussian likelihood with one learned σ."""

    def __init__(self, workload: Workload) -> None:
        super().__init__()
        self.encoder = nn.Sequential(*encoder_layers(workload))
        features = MLP[-1] if workload.kind == "mlp" else FEATURES
        self.heads = nn.Linear(features, 2 * LATENT)
        self.decoder = nn.Sequential(*decoder_layers(workload))
        self.raw_scale = nn.Parameter(torch.zeros(()))

    def posterior(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Mean and log-variance [B, d] of pictures in [0, 1] [B, C, H, W]."""
        mean, log_variance = self.heads(self.encoder(2 * x - 1)).chunk(2, dim=1)
        return mean.float(), log_variance.float()

    def decode(self, z: torch.Tensor) -> torch.Tensor:
        return torch.sigmoid(self.decoder(z).float())

    def loss(self, x: torch.Tensor) -> torch.Tensor:
        """The negative ELBO, nats per picture."""
        mean, log_variance = self.posterior(x)
        z = mean + torch.exp(0.5 * log_variance) * torch.randn_like(mean)
        scale = 0.01 + nn.functional.softplus(self.raw_scale)
        error = (x - self.decode(z)) / scale
        nats = 0.5 * error.square() + torch.log(scale) + 0.5 * math.log(2 * math.pi)
        kl = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).sum(1)
        return (nats.flatten(1).sum(1) + kl).mean()
