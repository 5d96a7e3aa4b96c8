"""pythae's own trainer, dataset and VAE around the same networks; its likelihood is a Gaussian with σ = 1."""

import sys
import tempfile
from typing import Any

import torch

from benchmarks.speed.contestant import serve
from benchmarks.speed.torch_networks import FEATURES, MLP, decoder_layers, encoder_layers
from benchmarks.speed.workloads import LATENT, WORKLOADS, Workload


def networks(workload: Workload) -> tuple[Any, Any]:
    """The workload's encoder and decoder as pythae wants them."""
    from pythae.models.base.base_utils import ModelOutput
    from pythae.models.nn import BaseDecoder, BaseEncoder

    class Encoder(BaseEncoder):
        def __init__(self) -> None:
            super().__init__()
            self.layers = torch.nn.Sequential(*encoder_layers(workload))
            features = MLP[-1] if workload.kind == "mlp" else FEATURES
            self.mean, self.log_variance = (
                torch.nn.Linear(features, LATENT),
                torch.nn.Linear(features, LATENT),
            )

        def forward(self, x: torch.Tensor) -> ModelOutput:
            features = self.layers(2 * x - 1)
            return ModelOutput(embedding=self.mean(features), log_covariance=self.log_variance(features))

    class Decoder(BaseDecoder):
        def __init__(self) -> None:
            super().__init__()
            self.layers = torch.nn.Sequential(*decoder_layers(workload))

        def forward(self, z: torch.Tensor) -> ModelOutput:
            return ModelOutput(reconstruction=torch.sigmoid(self.layers(z)))

    return Encoder(), Decoder()


def main(workload_name: str) -> None:
    from pythae.data.datasets import BaseDataset
    from pythae.models import VAE, VAEConfig
    from pythae.trainers import BaseTrainer, BaseTrainerConfig

    workload = WORKLOADS[workload_name]
    height, width, channels = workload.image_shape
    config = VAEConfig(input_dim=(channels, height, width), latent_dim=LATENT)
    encoder, decoder = networks(workload)
    model = VAE(config, encoder=encoder, decoder=decoder)
    images = torch.from_numpy(workload.pictures()).permute(0, 3, 1, 2).float().contiguous() / 255
    labels = torch.zeros(len(images))

    def trainer_of(num: int) -> BaseTrainer:
        indices = torch.arange(num * workload.batch_size) % len(images)
        trainer = BaseTrainer(
            model=model,
            train_dataset=BaseDataset(images[indices], labels[indices]),
            training_config=BaseTrainerConfig(
                output_dir=tempfile.mkdtemp(),
                per_device_train_batch_size=workload.batch_size,
                learning_rate=1e-3,
                no_cuda=True,
            ),
        )
        trainer.prepare_training()
        return trainer

    made: dict[int, BaseTrainer] = {}

    def train(num: int) -> None:
        if num not in made:
            made[num] = trainer_of(num)
        made[num].train_step(epoch=1)

    @torch.inference_mode()
    def each(num: int, function: object) -> None:
        model.eval()
        for i in range(num):
            start = i * workload.batch_size % len(images)
            function(images[start : start + workload.batch_size]).numpy()  # type: ignore[operator]

    weights = sum(p.numel() for p in model.parameters())
    tasks = {
        "train": train,
        "forward": lambda num: each(num, model.reconstruct),
        "embed": lambda num: each(num, model.embed),
    }
    serve(tasks, {"weights": weights})


if __name__ == "__main__":
    main(sys.argv[1])
