"""The networks that every contestant builds, layer for layer, and the pictures that all are given."""

import dataclasses
import math
from typing import Any

import numpy as np

LATENT = 30


@dataclasses.dataclass(frozen=True)
class Workload:
    """A picture's shape, the batch of a training step, and which networks: "mlp", "conv" or "patch"."""

    name: str
    image_shape: tuple[int, int, int]
    batch_size: int
    kind: str

    @property
    def num_pictures(self) -> int:
        """Enough that no batch is found in a processor's cache, and no more than 200 MB."""
        return min(8192, 200_000_000 // math.prod(self.image_shape)) // self.batch_size * self.batch_size

    @property
    def settings(self) -> dict[str, Any]:
        """Of the recipe "conv", which would choose the networks by the picture's size."""
        return {"encoder.name": self.kind, "decoder.name": self.kind}

    def pictures(self) -> np.ndarray:
        """uint8 [N, H, W, C], smooth, as pictures are."""
        generator = np.random.default_rng(0)
        height, width, channels = self.image_shape
        coarse = generator.integers(0, 256, (self.num_pictures, height // 4, width // 4, channels), np.uint8)
        return np.repeat(np.repeat(coarse, 4, axis=1), 4, axis=2)


WORKLOADS = {
    each.name: each
    for each in (
        Workload("mlp 28×28", (28, 28, 1), 128, "mlp"),
        Workload("conv 64×64", (64, 64, 3), 64, "conv"),
        Workload("conv 128×128", (128, 128, 3), 64, "conv"),
        Workload("patch 128×128", (128, 128, 3), 64, "patch"),
        Workload("patch 256×256", (256, 256, 3), 64, "patch"),
    )
}
CPU_WORKLOADS = ("mlp 28×28", "conv 64×64", "conv 128×128", "patch 128×128")
GPU_WORKLOADS = ("conv 64×64", "patch 128×128", "patch 256×256")
