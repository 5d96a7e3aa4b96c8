"""What a model is compared with: PCA of as many components, fitted on the same pictures."""

from typing import Any

from pipelines.machine import machine_of
from pipelines.run_data import Subject, config_of, load_pictures_of, own_pictures
from pipelines.scored_examples import choose
from vae_tf.data.dataset import Pictures


def fit_pca(subject: Subject, pictures: Pictures) -> Any:
    """PCA of the pictures that the run was trained on; `pictures` are the subject's, loaded already."""
    from vae_tf.data.augmentation import Augmentation
    from vae_tf.evaluation.pca import PCA

    config, plan = config_of(subject.run), machine_of(subject.run)["plan"]
    trained_on = pictures if subject.is_own else load_pictures_of(own_pictures(subject.run))
    augmentation = Augmentation(**plan["augmentation"]) if plan["augmentation"] else None
    positions = choose(trained_on.index, "train", 4000)
    return PCA(config.model.latent, config.training.seed).fit(trained_on.images[positions], augmentation)
