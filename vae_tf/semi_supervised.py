"""M2 and M1+M2: a few labels and many pictures without (Kingma, Mohamed, Rezende & Welling 2014).

"Semi-supervised learning with deep generative models", NIPS 2014; equations are numbered as there.
"""

import dataclasses
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from vae_tf import random, replicas
from vae_tf.errors import UserError
from vae_tf.model import VAE
from vae_tf.parts import ElboTerms, build_part

OBJECTIVES = ("elbo", "capacity")


class Labelled:
    """What the models share that learn classes: the names of q(y | x), the weight α and the figures in `metrics`."""

    num_classes: int
    alpha: float
    trackers: dict[str, Any]
    tracked = (*VAE.tracked, "classification", "accuracy")

    def classify(self, x: Any) -> Any:
        """q(y | x) [B, C] of pictures [B, H, W, channels], not calibrated."""
        return ops.exp(self.log_class_probabilities(x))

    def log_class_probabilities(self, x: Any) -> Any:
        """log q(y | x) [B, C], float32."""
        raise NotImplementedError(f"{type(self).__name__} must define log_class_probabilities(x).")

    def predicted(self, x: Any) -> Any:
        """The likeliest class of each picture as a one-hot row [B, C]."""
        # Not Keras' argmax, which looks at the bits of floats: other engines than TensorFlow cannot.
        return ops.one_hot(tf.argmax(self.log_class_probabilities(x), axis=-1), self.num_classes)

    def track_classes(self, log_q: Any, labels: Any) -> None:
        """Keeps the classification loss and the accuracy of the labelled pictures, where there are any."""
        known = ops.cast(labels >= 0, "float32")
        right = ops.cast(ops.equal(ops.argmax(log_q, axis=-1), ops.cast(labels, "int64")), "float32")
        count = ops.sum(known)
        self.trackers["classification"].update_state(classification_loss(log_q, labels), sample_weight=count)
        self.trackers["accuracy"].update_state(ops.sum(right * known) / ops.maximum(count, 1.0), count)

    def _track(self, values: dict[str, Any]) -> dict[str, Any]:
        kept = {name: self.trackers[name].result() for name in ("classification", "accuracy")}
        return {**super()._track(values), **kept}  # type: ignore[misc]


@keras.saving.register_keras_serializable(package="vae_tf")
class M2(Labelled, VAE):
    """p(y)·p(z)·p(x | y, z) with q(y | x) and q(z | x, y); classes are equally likely before a picture is seen.

    The loss is the mean of −L(x, y) (eq. 6) over the labelled pictures of a batch and −U(x) (eq. 7) over the others,
    plus α/N times the mean of −log q(y | x) over the labelled ones (eq. 9), in nats per picture. −U(x) sums over
    all classes: the decoder works C times for each picture, the encoder once.

    Without a class, `encode` gives the posterior under the likeliest class, and `decode` the mean of p(x | z), which is
    the mean over classes of p(x | y, z); `reconstruct` and `sample` use one class for each picture. The ELBO that is
    tracked is U(x), the bound on log p(x), of labelled and unlabelled pictures alike.

    Args:
        num_classes: C.
        alpha: α/N, weight of the classification loss; 0.1 in the paper.
        width: Units of the hidden layer in which q(z | x, y) mixes picture and class.
        kwargs: Those of `VAE`.

    Raises:
        UserError: An objective that is no weighted ELBO, a VampPrior, or fewer than two classes.
    """

    def __init__(self, num_classes: int, alpha: float = 0.1, width: int = 256, **kwargs: Any) -> None:
        check_parts(kwargs["objective"], kwargs["prior"], num_classes)
        self.num_classes, self.alpha, self.width = int(num_classes), float(alpha), int(width)
        encoder = kwargs["encoder"]
        # Not shared with q(z | x, y): a few labels would have to bend features that all pictures shape.
        self.classifier = type(encoder).from_config(encoder.get_config())
        self.logits = keras.layers.Dense(self.num_classes, dtype="float32")
        self.from_picture = keras.layers.Dense(self.width, dtype="float32")
        self.from_class = keras.layers.Dense(self.width, use_bias=False, dtype="float32")
        super().__init__(**kwargs)

    @property
    def condition_dim(self) -> int:
        return self.num_classes

    def _build_features(self, encoded: Any) -> Any:
        self._build_part(self.classifier, (None, *self.image_shape))
        self.logits.build(self.classifier.compute_output_shape((None, *self.image_shape)))
        self.from_picture.build(encoded)
        self.from_class.build((None, self.num_classes))
        return (None, self.width)

    def mixed(self, encoded: Any, condition: Any) -> Any:
        """What q(z | x, y) is read from [..., width]: one nonlinear layer, in which x and y meet."""
        return ops.silu(self.from_picture(encoded) + self.from_class(condition))

    def features(self, x: Any, condition: Any = None) -> Any:
        condition = self.predicted(x) if condition is None else condition
        return self.mixed(self.encoder(x), ops.cast(condition, "float32"))

    def log_class_probabilities(self, x: Any) -> Any:
        return ops.log_softmax(self.logits(self.classifier(self.pixels(x))), axis=-1)

    def decode(self, z: Any, condition: Any = None) -> Any:
        if condition is not None:
            return super().decode(z, condition)
        shape = (*ops.shape(z)[:-1], self.num_classes)
        rows = np.eye(self.num_classes, dtype=np.float32)
        pictures = [super(M2, self).decode(z, ops.broadcast_to(row, shape)) for row in rows]
        return sum(pictures) / self.num_classes

    def reconstruct(self, x: Any) -> Any:
        """The pictures decoded from mean and class that the encoder finds likeliest, [B, H, W, channels]."""
        condition = self.predicted(x)
        return self.decode(self.encode(x, condition)["mean"], condition)

    def sample(self, num: int, seed: int = 0, temperature: float = 1.0) -> Any:
        """As `VAE.sample`, of classes drawn at random."""
        z = self.sample_latents(num, seed, temperature)
        classes = ops.floor(random.uniform((num,), seed, 0, "class") * self.num_classes)
        return self.decode(z, ops.one_hot(ops.cast(classes, "int32"), self.num_classes))

    def style(self, x: Any) -> Any:
        """What is left of a picture beside its class [B, s]: the mean of q(z | x, y) under the likeliest class."""
        return self.encode(x)["mean"]

    def decode_style(self, style: Any, condition: Any) -> Any:
        """Mean pictures [B, H, W, channels] of styles [B, s] and classes [B, C]."""
        return self.decode(style, condition)

    def sample_styles(self, num: int, seed: int = 0) -> Any:
        """Styles [num, s] drawn from the prior."""
        return self.sample_latents(num, seed)

    def log_likelihood(self, z: Any, x: Any) -> Any:
        """log p(x | z) = log Σ_y p(y)·p(x | y, z) [K, B]."""
        x = self.pixels(x)
        rows = np.eye(self.num_classes, dtype=np.float32)
        outputs = (self.decoder_output(z, x, row[None, None]) for row in rows)
        each = ops.stack([self.likelihood.log_prob(output, x) for output in outputs])
        return ops.logsumexp(each, axis=0) - ops.log(float(self.num_classes))

    def class_terms(self, x: Any, noise: Any, seen: Any = None) -> ElboTerms:
        """The terms of every class [C, B] (in the place of K samples) for pixels [B, H, W, ·] and noise [1, B, d]."""
        rows = np.eye(self.num_classes, dtype=np.float32)[:, None]
        mixed = self.mixed(self.encoder(x if seen is None else seen)[None], rows)
        parameters = self.posterior(ops.reshape(mixed, (-1, self.width)))
        # The same noise under every class: what differs between classes is then the class.
        noise = ops.reshape(ops.repeat(noise, self.num_classes, axis=0), (1, -1, noise.shape[-1]))
        z, log_qz = self.posterior.sample_and_log_prob(parameters, noise)
        shape = (self.num_classes, -1)
        z = ops.reshape(z, (*shape, self.latent_dim))
        kl = self.prior.kl(self.posterior.distribution(parameters))
        return ElboTerms(
            z=z,
            posterior=parameters,
            log_px=self.likelihood.log_prob(self.decoder_output(z, x, rows), x),
            log_qz=ops.reshape(log_qz, shape),
            log_pz=self.prior.log_prob(z),
            kl=None if kl is None else ops.reshape(kl, shape),
        )

    def training_loss(self, batch: dict[str, Any], step: Any) -> tuple[ElboTerms, Any]:
        x = batch["x"]
        seen = self._corrupted(x, step)
        classes = self.class_terms(x, self.noise_for(x, step, "posterior"), seen)
        log_q = self.log_class_probabilities(x if seen is None else seen)
        return self.loss_of(classes, log_q, labels_of(batch), lambda terms: self.objective(terms, step))

    def validation_loss(self, batch: dict[str, Any], key: Any) -> tuple[ElboTerms, Any]:
        x = batch["x"]
        classes = self.class_terms(x, self.noise_for(x, key, "validation"))
        log_q = self.log_class_probabilities(x)
        return self.loss_of(classes, log_q, labels_of(batch), self.objective.final)

    def loss_of(self, classes: ElboTerms, log_q: Any, labels: Any, objective: Any) -> tuple[ElboTerms, Any]:
        """U's terms, and the loss of eq. 9 divided by the number of pictures."""
        if replicas.own_rows() is not None:
            classes, log_q, labels = whole_classes(classes, log_q, labels)
        self.track_classes(log_q, labels)
        loss = ops.mean(objective(marginal(classes, log_q, labels)))
        return marginal(classes, log_q), loss + self.alpha * classification_loss(log_q, labels)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "num_classes": self.num_classes,
            "alpha": self.alpha,
            "width": self.width,
        }


@keras.saving.register_keras_serializable(package="vae_tf")
class StackedM2(Labelled, VAE):
    """M1+M2: an ordinary VAE (M1), and M2 on its latents z₁ ~ q(z₁ | x) in the place of pictures.

    All that is not about classes is M1's: `encode`, `decode`, `sample` and the ELBO. M1 learns first and is then
    frozen, and M2 learns from fresh samples z₁ through which no gradient flows back. Nor does M1 learn from pictures
    that are in a batch for their label: labels never shape it.

    Args:
        num_classes: C.
        alpha: α/N of M2.
        top_latent: Latent dimensions of M2.
        top_width: Units of each hidden layer of M2.
        m1_steps: Steps in which M1 learns; all that follow are M2's.
        kwargs: Those of `VAE`, for M1.

    Raises:
        UserError: Fewer than two classes.
    """

    def __init__(
        self,
        num_classes: int,
        alpha: float = 0.1,
        top_latent: int = 50,
        top_width: int = 300,
        m1_steps: int = 750,
        **kwargs: Any,
    ) -> None:
        self.num_classes, self.alpha = int(num_classes), float(alpha)
        self.top_latent, self.top_width, self.m1_steps = int(top_latent), int(top_width), int(m1_steps)
        self.top = make_top(
            kwargs["latent_dim"], self.num_classes, alpha, top_latent, top_width, kwargs.get("seed", 0)
        )
        super().__init__(**kwargs)

    @property
    def phases(self) -> tuple[int, ...]:  # type: ignore[override]
        return (self.m1_steps,)

    def log_class_probabilities(self, x: Any) -> Any:
        return self.top.log_class_probabilities(as_row(self.encode(x)["mean"]))

    def learn(self, batch: dict[str, Any], step: Any, variables: list[Any]) -> dict[str, Any]:
        of_top = {id(variable) for variable in self.top.trainable_variables}
        top = [variable for variable in variables if id(variable) in of_top]
        m1 = [variable for variable in variables if id(variable) not in of_top]
        learn = super().learn
        if not self.optimizer.built:
            # Left to itself it would know the first half only.
            with tf.init_scope():
                self.optimizer.build(self.trainable_variables)
        # The optimizer is told of one half alone: its momentum would go on moving the other.
        values: dict[str, Any] = tf.cond(
            step < self.m1_steps, lambda: learn(batch, step, m1), lambda: learn(batch, step, top)
        )
        return values

    def training_pixels(self, x: Any, step: Any) -> Any:
        # Augmentation and noise are for M1; M2's codes are those that it will be asked about.
        changed = super().training_pixels(x, step)
        return ops.where(step < self.m1_steps, changed, self.target(x, step, "binarise"))

    def _corrupted(self, x: Any, step: Any) -> Any:
        seen = super()._corrupted(x, step)
        return None if seen is None else ops.where(step < self.m1_steps, seen, x)

    def training_loss(self, batch: dict[str, Any], step: Any) -> tuple[ElboTerms, Any]:
        terms = self.training_terms(batch["x"], step)
        loss = mean_of_drawn(self.objective(terms, step), batch)
        return terms, loss + self.top_loss(terms, labels_of(batch), step, "top posterior")

    def validation_loss(self, batch: dict[str, Any], key: Any) -> tuple[ElboTerms, Any]:
        terms, loss = super().validation_loss(batch, key)
        return terms, loss + self.top_loss(terms, labels_of(batch), key, "top validation")

    def top_loss(self, terms: ElboTerms, labels: Any, key: Any, purpose: str) -> Any:
        """M2's loss of the first sample z₁ of each picture, in nats."""
        z = as_row(ops.stop_gradient(terms.z[0]))
        classes = self.top.class_terms(z, self.top.noise_for(z, key, purpose))
        log_q = self.top.log_class_probabilities(z)
        self.track_classes(log_q, labels)
        _, loss = self.top.loss_of(classes, log_q, labels, self.top.objective.final)
        return loss

    def style(self, x: Any) -> Any:
        """The mean of q(z₂ | z₁, y) [B, top_latent] under the likeliest class, at the mean of z₁."""
        return self.top.style(as_row(self.encode(x)["mean"]))

    def sample_styles(self, num: int, seed: int = 0) -> Any:
        """z₂ [num, top_latent] drawn from the prior."""
        return self.top.sample_latents(num, seed)

    def decode_style(self, style: Any, condition: Any) -> Any:
        """Mean pictures [B, H, W, channels] of z₂ [B, top_latent] and classes [B, C], by the mean of p(z₁ | y, z₂)."""
        output = self.top.decoder_output(ops.cast(style, "float32")[None], condition=condition)
        return self.decode(self.top.likelihood.distribution(output).mean[0, :, 0, :, 0])

    def get_config(self) -> dict[str, Any]:
        names = ("num_classes", "alpha", "top_latent", "top_width", "m1_steps")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}


def make_top(size: int, num_classes: int, alpha: float, latent_dim: int, width: int, seed: int) -> M2:
    """An M2 of vectors of `size` numbers, which it takes as pictures of one row."""
    return M2(
        num_classes,
        alpha,
        width,
        encoder=build_part("encoder", "mlp", widths=(width,), dtype="float32"),
        posterior=build_part("posterior", "diagonal", latent_dim=latent_dim),
        prior=build_part("prior", "standard_normal", latent_dim=latent_dim),
        decoder=build_part("decoder", "mlp", image_shape=(1, size, 2), widths=(width,), dtype="float32"),
        likelihood=build_part(
            "likelihood", "gaussian", scale="output", activation="linear", floor=0.05, initial=1.0
        ),
        objective=build_part("objective", "elbo"),
        image_shape=(1, size, 1),
        latent_dim=latent_dim,
        seed=seed,
    )


def as_row(z: Any) -> Any:
    """Vectors [B, d] as pictures of one row [B, 1, d, 1]."""
    return z[:, None, :, None]


def labels_of(batch: dict[str, Any]) -> Any:
    """The class of each picture [B], −1 for none; a batch without labels has none."""
    return batch["label"] if "label" in batch else ops.full((ops.shape(batch["x"])[0],), -1, "int64")


def marginal(classes: ElboTerms, log_q: Any, labels: Any = None) -> ElboTerms:
    """The terms of −U(x) (eq. 7) [1, B], and of −L(x, y) (eq. 6) where a label says which class it is.

    Both are Σ_y w(y)·(−log p(x | y, z) + KL(q(z | x, y) ‖ p(z)) + log w(y) − log p(y)), w being q(y | x), or one
    for the label: eq. 6 is eq. 7 with a q(y | x) that is certain. The class's share counts as KL.

    Args:
        classes: See `M2.class_terms`.
        log_q: log q(y | x) [B, C].
        labels: [B], −1 for none; None: of no picture.
    """
    num_classes = log_q.shape[-1]
    weights, negative_entropy = ops.exp(log_q), ops.sum(ops.exp(log_q) * log_q, axis=-1)
    if labels is not None:
        known = labels >= 0
        weights = ops.where(known[:, None], ops.one_hot(ops.maximum(labels, 0), num_classes), weights)
        negative_entropy = ops.where(known, 0.0, negative_entropy)
    weights = ops.transpose(weights)
    divergence = classes.kl if classes.kl is not None else classes.log_qz - classes.log_pz
    return ElboTerms(
        z=classes.z,
        posterior=classes.posterior,
        log_px=ops.sum(weights * classes.log_px, axis=0, keepdims=True),
        log_qz=classes.log_qz,
        log_pz=classes.log_pz,
        kl=ops.sum(weights * divergence, axis=0) + negative_entropy + ops.log(float(num_classes)),
    )


def whole_classes(classes: ElboTerms, log_q: Any, labels: Any) -> tuple[ElboTerms, Any, Any]:
    """What `M2.loss_of` needs of the pictures of the whole batch, where replicas share one."""
    # What the posterior was read from lies under every class, and nothing asks for it.
    classes = dataclasses.replace(classes, posterior={})
    classes = replicas.whole_terms(classes, (*replicas.ROWS_COME_SECOND, "kl"))
    return classes, replicas.whole(log_q), ops.cast(replicas.whole(labels), "int64")


def mean_of_drawn(values: Any, batch: dict[str, Any]) -> Any:
    """The mean of `values` [B] without pictures that were added for their label: M1 would learn these few by heart,
    and their codes would differ from those of the pictures that they are to speak for.
    """
    if "added" not in batch:
        return ops.mean(values)
    drawn = 1.0 - ops.cast(batch["added"], "float32")
    return ops.sum(drawn * values) / ops.maximum(ops.sum(drawn), 1.0)


def classification_loss(log_q: Any, labels: Any) -> Any:
    """The mean of −log q(y | x) over the labelled pictures; 0 where there are none."""
    known = ops.cast(labels >= 0, "float32")
    chosen = ops.sum(ops.one_hot(ops.maximum(labels, 0), log_q.shape[-1]) * log_q, axis=-1)
    return -ops.sum(known * chosen) / ops.maximum(ops.sum(known), 1.0)


def check_parts(objective: Any, prior: Any, num_classes: int) -> None:
    """Raises: UserError: See `M2`."""
    if objective.name not in OBJECTIVES:
        raise UserError(
            f"M2 sums a weighted ELBO over classes, which objective {objective.name} is not.",
            f"Choose one of: {', '.join(OBJECTIVES)}.",
        )
    if prior.num_inputs:
        raise UserError(
            "A VampPrior's pictures have no class for M2.",
            "Choose prior.name=standard_normal, normal or mixture.",
        )
    if num_classes < 2:
        raise UserError(
            f"{num_classes} classes were given to a model that learns classes.", "Give at least two."
        )
