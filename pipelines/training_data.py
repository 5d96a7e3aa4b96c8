"""What a run is trained on, and in which batches."""

from collections.abc import Callable
from typing import Any

from pipelines.console import decoding
from pipelines.describe import describe_data, inspect_pictures
from pipelines.run_data import Examples
from pipelines.text_data import prepare_text
from vae_tf.config import Config
from vae_tf.data.dataset import Pictures, load_pictures
from vae_tf.data.inspection import Inspection
from vae_tf.data.sentences import SentenceFile
from vae_tf.data.sources import Source
from vae_tf.errors import UserError
from vae_tf.places import cache_root


def prepare(config: Config, source: Source | SentenceFile) -> tuple[Examples, Inspection | None]:
    """What to train on, and what is odd about pictures."""
    if isinstance(source, SentenceFile):
        return prepare_text(config, source), None
    pictures = prepare_data(config, source)
    check_latent(config.model.latent, pictures)
    return pictures, inspect_pictures(pictures)


def prepare_data(config: Config, source: Source) -> Pictures:
    """Decodes, labels and splits the pictures, and says what was found."""
    with decoding() as progress:
        pictures = load_pictures(config.data, config.training.seed, cache_root(), progress, source)
    describe_data(pictures)
    return pictures


def check_latent(latent: int, pictures: Pictures) -> None:
    """Raises: UserError: As many numbers as a picture has values compress nothing."""
    height, width, channels = pictures.shape.image_shape
    values = height * width * channels
    if latent >= values:
        raise UserError(
            f"--latent {latent}: a picture of {height}×{width}×{channels} has only {values:,} values itself.",
            f"Give fewer, such as --latent {min(30, max(1, values // 10))}, or larger pictures: --size.",
        )


def classes_to_learn(pictures: Examples) -> list[str]:
    """Names of the classes that some picture or sentence of the training part is labelled with."""
    index = pictures.index
    labels = set(index.visible_labels[index.where("train")].tolist()) - {-1}
    return [name for i, name in enumerate(index.class_names) if i in labels]


def batch_maker(
    pictures: Examples, plan: Any, distribution: Any, are_resident: bool = False
) -> Callable[[int], Any]:
    from vae_tf.data import batches

    index = pictures.index
    return lambda first_step: batches.training_batches(
        None if are_resident else pictures.examples,
        index.visible_labels,
        index.where("train"),
        plan.batch_size,
        plan.seed,
        first_step,
        plan.num_labelled,
        distribution.replicas,
    )


def validation_batches(pictures: Examples, plan: Any, distribution: Any) -> Any:
    from vae_tf.data import batches

    indices = pictures.index.where("validation")
    if not len(indices):
        return None
    size = max(64, plan.batch_size)
    return batches.ordered_batches(
        pictures.examples, pictures.index.labels, indices, size, distribution.replicas
    )
