"""`VAE`: one part of each axis, and the training step that minimises their objective."""

import functools
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from vae_tf import random, replicas
from vae_tf.data.resident import look_up
from vae_tf.errors import UserError
from vae_tf.monitor import Average, Health
from vae_tf.parts import ElboTerms, objectives
from vae_tf.parts.priors import dimension_kl
from vae_tf.pixels import WHITE

PARTS = ("encoder", "posterior", "prior", "decoder", "likelihood")
# An optimiser, gradients and the variables that they are of.
Update = tuple[Any, list[Any], list[Any]]


@keras.saving.register_keras_serializable(package="vae_tf")
class VAE(keras.Model):
    """A variational autoencoder composed of parts (Kingma & Welling 2014).

    Pictures are [B, H, W, C], uint8, uint16 or floats in [0, 1]. Losses are in nats per picture: reconstruction summed
    over pixels, KL summed over latent dimensions, both averaged over the batch.

    Args:
        encoder, posterior, prior, decoder, likelihood: Parts, see `vae_tf.parts`.
        objective: What `train_step` minimises, see `vae_tf.parts.objectives`.
        image_shape: (H, W, C).
        latent_dim: Number d of latent dimensions.
        seed: Key of all randomness in training, together with the step.
        corruption: Standard deviation of the noise on the pictures that the encoder sees in training, in units of the
            pixel range; what is reconstructed stays clean (Vincent et al. 2008, the denoising autoencoder).
        binarised: Whether training and validation draw each pixel black or white, with its grey level as the
            probability, anew in every step (Burda et al. 2016, section 5.1, after Salakhutdinov & Murray 2008).

    Raises:
        UserError: Parts that do not go together.

    Attributes:
        tracked: Names of what is averaged over an epoch.
        resident: The training pictures [N, H, W, C] on the device, where batches bring only an `index` into them.
        phases: Steps at which another part of the model begins to learn.
        not_taken: Arguments that a subclass has no use for.
    """

    tracked: tuple[str, ...] = ("loss", "reconstruction", "kl", "elbo")
    phases: tuple[int, ...] = ()
    not_taken: tuple[str, ...] = ()

    def __init__(
        self,
        encoder: Any,
        posterior: Any,
        prior: Any,
        decoder: Any,
        likelihood: Any,
        objective: Any,
        image_shape: Sequence[int],
        latent_dim: int,
        seed: int = 0,
        corruption: float = 0.0,
        binarised: bool = False,
        **kwargs: Any,
    ) -> None:
        refusal = objective.refuses(posterior, prior) or prior.refuses(posterior)
        if refusal is not None:
            raise UserError(refusal)
        # No autocasting: the target of the likelihood must keep its grey levels under mixed precision.
        super().__init__(autocast=False, **kwargs)
        self.encoder, self.posterior, self.prior = encoder, posterior, prior
        self.decoder, self.likelihood, self.objective = decoder, likelihood, objective
        self.image_shape = tuple(int(side) for side in image_shape)
        self.latent_dim = int(latent_dim)
        self.seed = int(seed)
        self.corruption = float(corruption)
        self.binarised = bool(binarised)
        self.steps_taken = self.add_weight(name="steps_taken", shape=(), dtype="int64", trainable=False)
        self.trackers = {name: keras.metrics.Mean(name=name) for name in self.tracked}
        self.augmentation: Any = None
        self.weight_average: Any = None
        self.resident: Any = None
        self.health = Health()
        self.gradient_norm, self.validation_kl = Average(), Average((self.latent_dim,))
        self.build()

    def build(self, input_shape: Any = None) -> None:
        if getattr(self, "built", False):
            return
        pictures, latents = (None, *self.image_shape), (None, self.latent_dim + self.condition_dim)
        self._build_part(self.encoder, pictures)
        self._build_part(self.posterior, self._build_features(self.encoder.compute_output_shape(pictures)))
        self._build_part(self.prior, (None, self.latent_dim))
        self._build_part(self.decoder, latents)
        self._build_part(self.likelihood, self.decoder.compute_output_shape(latents))
        self.built = True

    def _build_features(self, encoded: Any) -> Any:
        """Builds what lies between encoder and posterior; from the encoder's output shape to the posterior's input."""
        return (*encoded[:-1], encoded[-1] + self.condition_dim)

    @staticmethod
    def _build_part(part: Any, shape: Any) -> None:
        if not part.built:
            part.build(shape)

    @property
    def no_elbo(self) -> str | None:
        """Why no page may show a bound on log p(x) of it, in one clause; None where one may."""
        if self.objective.is_bound and self.has_kl:
            return None
        return "A plain autoencoder gives no probability to a picture"

    @property
    def condition_dim(self) -> int:
        """How many numbers encoder and decoder are told beside pictures and latents."""
        return 0

    @property
    def has_elbo(self) -> bool:
        """Whether its loss bounds log p(x); a plain autoencoder's does not."""
        return self.no_elbo is None

    @property
    def has_kl(self) -> bool:
        """Whether its codes are distributions, which a prior can be told from."""
        return not self.posterior.is_deterministic

    def extra_variables(self) -> list[Any]:
        """What the next step depends on besides weights and optimizer: a second network, say."""
        return []

    @property
    def metrics(self) -> list[Any]:
        return list(self.trackers.values())

    def pixels(self, x: Any) -> Any:
        """Pictures as float32 in [0, 1]; uint8 is divided by 255, uint16 by 65535.

        Raises:
            UserError: The pictures' shape is not the model's.
        """
        shape = tuple(x.shape)[1:]
        if shape != self.image_shape:
            raise UserError(
                f"Pictures of shape {shape} were given to a model of pictures {self.image_shape}.",
                "Resize them to the model's (height, width, channels).",
            )
        x = ops.convert_to_tensor(x)
        white = WHITE.get(keras.backend.standardize_dtype(x.dtype), 1.0)
        x = ops.cast(x, "float32")
        return x if white == 1.0 else x / white

    def features(self, x: Any, condition: Any = None) -> Any:
        """What the posterior is read from [B, F], of pixels in [0, 1] and what the model is told beside them [B, c]."""
        features = self.encoder(x)
        if condition is None:
            return features
        return ops.concatenate([features, ops.cast(condition, features.dtype)], axis=-1)

    def encode(self, x: Any, condition: Any = None) -> dict[str, Any]:
        """Posterior parameters of pictures [B, H, W, C]: {"mean": [B, d], "log_variance": [B, d]}."""
        return self.posterior(self.features(self.pixels(x), condition))

    def decode(self, z: Any, condition: Any = None) -> Any:
        """Mean pictures [N, H, W, C], float32 in [0, 1], of latents [N, d]."""
        z = ops.cast(z, "float32")
        return self.likelihood.mean(self.decoder(z if condition is None else with_condition(z, condition)))

    def decoder_output(self, z: Any, x: Any = None, condition: Any = None) -> Any:
        """The decoder's output [K, B, …] at z [K, B, d].

        Args:
            z: Latent samples.
            x: The pictures themselves, for decoders that are told what came before (text).
            condition: What the decoder is told beside z [B, c].
        """
        if condition is not None:
            z = with_condition(z, ops.broadcast_to(condition, (*ops.shape(z)[:-1], condition.shape[-1])))
        output = self.decoder(ops.reshape(z, (-1, z.shape[-1])))
        return ops.reshape(output, (ops.shape(z)[0], -1, *output.shape[1:]))

    def reconstruct(self, x: Any) -> Any:
        """The pictures decoded from their posterior means, [B, H, W, C], float32 in [0, 1]."""
        return self.decode(self.encode(x)["mean"])

    @functools.cached_property
    def graphs(self) -> dict[str, Any]:
        """What was made a graph of this model, by name, so that it is traced once."""
        return {}

    def sample(self, num: int, seed: int = 0, temperature: float = 1.0) -> Any:
        """Mean pictures [num, H, W, C] of latents drawn from the prior; `temperature` scales the noise."""
        return self.decode(self.sample_latents(num, seed, temperature))

    def sample_latents(self, num: int, seed: int = 0, temperature: float = 1.0) -> Any:
        """Latents [num, d] drawn from the prior."""
        noise = random.normal(self.prior.noise_shape(num), seed, 0, "prior")
        # What lies beyond the d latent dimensions chooses a component; temperature is not about that.
        scale = np.where(np.arange(noise.shape[-1]) < self.latent_dim, temperature, 1.0).astype(np.float32)
        return self.prior.sample(noise * scale, self.prior_context())

    def prior_context(self) -> Any:
        """What the encoder makes of the prior's own pictures; None for a prior that has none."""
        return self.posterior(self.encoder(self.prior.pictures)) if self.prior.num_inputs else None

    def log_prior(self, z: Any) -> Any:
        """log p(z) [...] of z [..., d], in nats."""
        return self.prior.log_prob(z, self.prior_context())

    def log_likelihood(self, z: Any, x: Any) -> Any:
        """log p(x | z) [K, B] of z [K, B, d] and pictures [B, H, W, C], in nats."""
        x = self.pixels(x)
        return self.likelihood.log_prob(self.decoder_output(z, x), x)

    def elbo_terms(
        self,
        x: Any,
        noise: Any,
        seen: Any = None,
        prior_noise: Any = None,
        condition: Any = None,
        teacher: Any = None,
    ) -> ElboTerms:
        """The ELBO's terms for pictures [B, H, W, C] and posterior noise [K, B, d].

        Args:
            x: The pictures to reconstruct.
            noise: See `Posterior.noise_shape`.
            seen: The pictures that the encoder sees, where they are not the same.
            prior_noise: See `Prior.noise_shape`, for objectives that need samples of the prior.
            condition: What encoder and decoder are told beside pictures and latents [B, c], a class say.
            teacher: What a decoder that is told what came before is told in the place of x itself.
        """
        x = self.pixels(x)
        parameters = self.posterior(self.features(x if seen is None else seen, condition))
        z, log_qz = self.posterior.sample_and_log_prob(parameters, noise)
        weights: dict[str, Any] = {}
        if "scaled_z" in self.objective.needs:
            z = with_gradient_weights(z, weights)
        output = self.decoder_output(z, x if teacher is None else teacher, condition)
        posterior, context = self.posterior.distribution(parameters), self.prior_context()
        terms = ElboTerms(
            z=z,
            posterior=parameters,
            log_px=self.likelihood.log_prob(output, x),
            log_qz=log_qz,
            log_pz=self.prior.log_prob(z, context),
            kl=self.prior.kl(posterior),
            kl_per_dimension=self.prior.kl_per_dimension(posterior),
            prior_sample=None if prior_noise is None else self.prior.sample(prior_noise, context),
            stopped_log_qz=self._stopped_log_qz(parameters, z),
            output=output,
        )
        if "scaled_z" in self.objective.needs:
            weights["z"] = ops.stop_gradient(self.objective.z_gradient_weight(terms))
        return terms

    def _stopped_log_qz(self, parameters: dict[str, Any], z: Any) -> Any:
        if "stopped_log_qz" not in self.objective.needs:
            return None
        return self.posterior.log_prob(keras.tree.map_structure(ops.stop_gradient, parameters), z)

    def prior_noise_for(self, x: Any, step: Any, purpose: str) -> Any:
        """Noise for as many samples of the prior as there are pictures, where the objective needs them."""
        if "prior_sample" not in self.objective.needs:
            return None
        return random.normal(self.prior.noise_shape(ops.shape(x)[0]), self.seed, step, purpose)

    def noise_for(self, x: Any, step: Any, purpose: str, num_samples: int = 1) -> Any:
        """Posterior noise [K, B, d], keyed by (seed, step, purpose)."""
        shape = self.posterior.noise_shape(num_samples, ops.shape(x)[0])
        return random.normal(shape, self.seed, step, purpose, rows=1)

    def call(self, x: Any) -> Any:
        return self.reconstruct(x["x"] if isinstance(x, dict) else x)

    def compute_output_shape(self, input_shape: Any) -> Any:
        shape = input_shape["x"] if isinstance(input_shape, dict) else input_shape
        return (shape[0], *self.image_shape)

    def train_step(self, data: Any) -> dict[str, Any]:
        batch, step = self.whole_batch(data), self.steps_taken.value
        x = self.training_pixels(batch["x"], step)
        return self._track(self.learn({**batch, "x": x}, step, self.trainable_variables))

    def whole_batch(self, data: Any) -> dict[str, Any]:
        """The batch dictionary of what `fit` was given, its pictures looked up where they stay on the device."""
        batch = as_batch(data)
        return batch if "x" in batch else {**batch, "x": look_up(self.resident, batch["index"])}

    def learn(self, batch: dict[str, Any], step: Any, variables: list[Any]) -> dict[str, Any]:
        """One step of the optimizer on `variables`; returns the loss, and reconstruction, KL and ELBO [B]."""
        with tf.GradientTape() as tape:
            terms, loss = self.training_loss(batch, step)
            scaled_loss = self.optimizer.scale_loss(loss)
        gradients = replicas.summed(tape.gradient(scaled_loss, variables))
        update = (self.optimizer, gradients, variables)
        self._apply_if_finite(terms, [update], step)
        return figures(terms, loss)

    def training_loss(self, batch: dict[str, Any], step: Any) -> tuple[ElboTerms, Any]:
        """What step `step` minimises of a batch whose pixels are floats: the terms to track, and the mean loss.

        Where replicas share the batch, both are of the whole of it.
        """
        terms = replicas.whole_terms(self.training_terms(batch["x"], step))
        return terms, ops.mean(self.objective(terms, step))

    def training_pixels(self, x: Any, step: Any) -> Any:
        """What a training step is to reconstruct: pictures augmented and, where the model says so, binarised."""
        x = self.pixels(x)
        if self.augmentation is not None:
            x = self.augmentation(x, self.seed, step)
        return self.target(x, step, "binarise")

    def target(self, x: Any, key: Any, purpose: str) -> Any:
        """Pictures as the likelihood sees them, float32 [B, H, W, C]: grey, or drawn black and white."""
        x = self.pixels(x)
        if not self.binarised:
            return x
        return ops.cast(random.uniform(ops.shape(x), self.seed, key, purpose) < x, "float32")

    def training_terms(self, x: Any, step: Any) -> ElboTerms:
        """The terms of pictures in [0, 1], with the noise of this step."""
        noise = self.noise_for(x, step, "posterior", self.objective.num_samples)
        prior_noise = self.prior_noise_for(x, step, "prior sample")
        seen, teacher = self._corrupted(x, step), self._teacher(x, step)
        return self.elbo_terms(x, noise, seen, prior_noise, teacher=teacher)

    def _corrupted(self, x: Any, step: Any) -> Any:
        """What the encoder sees in training; None where that is the picture itself."""
        if not self.corruption:
            return None
        return x + self.corruption * random.normal(ops.shape(x), self.seed, step, "corruption")

    def _teacher(self, x: Any, step: Any) -> Any:
        """What the decoder is told in training of what came before; None where that is x itself, or nothing."""
        return None

    def _apply_if_finite(self, terms: ElboTerms, updates: list[Update], step: Any) -> None:
        """Every optimiser takes its step, or, where anything is not finite, none does."""
        finite = [
            tf.reduce_all(tf.math.is_finite(terms.reconstruction)),
            tf.reduce_all(tf.math.is_finite(terms.divergence)),
        ]
        # A loss-scaling optimizer finds overflowed gradients itself, skips the step and halves its scale: no error.
        norms = [
            tf.linalg.global_norm(gradients)
            for optimizer, gradients, _ in updates
            if not isinstance(optimizer, keras.optimizers.LossScaleOptimizer)
        ]
        finite = tf.stack([*finite, tf.reduce_all(tf.math.is_finite(norms))])
        self.health.record(step, finite)
        if norms:
            # The model's own come first; a discriminator's are another matter.
            self.gradient_norm.record(norms[0])

        def apply() -> Any:
            for optimizer, gradients, variables in updates:
                optimizer.apply(gradients, variables)
            if self.weight_average is not None:
                self.weight_average.update(step)
            return tf.constant(0)

        tf.cond(tf.reduce_all(finite), apply, lambda: tf.constant(0))
        self.steps_taken.assign_add(1)

    def test_step(self, data: Any) -> dict[str, Any]:
        """The objective at its final weights, with noise that is the same in every epoch."""
        batch = as_batch(data)
        key = batch["key"] if "key" in batch else batch["index"][0] if "index" in batch else 0
        x = self.target(batch["x"], key, "binarise validation")
        terms, loss = self.validation_loss({**batch, "x": x}, key)
        if self.has_kl:
            kl = terms.kl_per_dimension
            if kl is None:
                kl = replicas.whole(dimension_kl(self.prior, self.posterior, self.encode(x)))
            self.validation_kl.record(ops.mean(kl, axis=0), ops.shape(kl)[0])
        return self._track(figures(terms, loss))

    def validation_loss(self, batch: dict[str, Any], key: Any) -> tuple[ElboTerms, Any]:
        """As `training_loss`, at the objective's final weights; `key` is that of the noise."""
        x = batch["x"]
        noise = self.noise_for(x, key, "validation", self.objective.num_samples)
        terms = self.elbo_terms(x, noise, prior_noise=self.prior_noise_for(x, key, "prior validation"))
        terms = replicas.whole_terms(terms)
        return terms, ops.mean(self.objective.final(terms))

    def _track(self, values: dict[str, Any]) -> dict[str, Any]:
        size = ops.shape(values["elbo"])[0]
        for name, value in values.items():
            self.trackers[name].update_state(ops.mean(value), sample_weight=size)
        return {name: self.trackers[name].result() for name in values}

    def get_config(self) -> dict[str, Any]:
        parts = {name: keras.saving.serialize_keras_object(getattr(self, name)) for name in PARTS}
        return {
            **super().get_config(),
            **parts,
            "objective": objectives.serialize(self.objective),
            "image_shape": list(self.image_shape),
            "latent_dim": self.latent_dim,
            "seed": self.seed,
            "corruption": self.corruption,
            "binarised": self.binarised,
            "dtype": keras.saving.serialize_keras_object(self.dtype_policy),
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> "VAE":
        config = dict(config)
        for name in PARTS:
            config[name] = keras.saving.deserialize_keras_object(config[name])
        config["objective"] = objectives.deserialize(config["objective"])
        config["dtype"] = keras.saving.deserialize_keras_object(config["dtype"])
        return cls(**config)


def figures(terms: ElboTerms, loss: Any) -> dict[str, Any]:
    """What training tracks: the mean loss, and reconstruction, KL and ELBO of each picture [B], in nats."""
    return {
        "loss": loss,
        "reconstruction": terms.reconstruction,
        "kl": terms.divergence,
        "elbo": terms.elbo,
    }


def with_gradient_weights(z: Any, weights: dict[str, Any]) -> Any:
    """z [K, B, d] itself; going back, the gradient is multiplied by `weights["z"]` [K, B], set once it is known."""

    @tf.custom_gradient  # type: ignore[untyped-decorator]
    def identity(value: Any) -> tuple[Any, Any]:
        return tf.identity(value), lambda gradient: gradient * weights["z"][..., None]

    return identity(z)


def with_condition(z: Any, condition: Any) -> Any:
    """Latents [..., d] beside what the decoder is told of them [..., c]."""
    return ops.concatenate([z, ops.cast(condition, z.dtype)], axis=-1)


def as_batch(data: Any) -> dict[str, Any]:
    """The batch dictionary (x, label, index, added) of whatever `fit` was given; a bare tensor is x."""
    x, _, _ = keras.utils.unpack_x_y_sample_weight(data)
    return x if isinstance(x, dict) else {"x": x}
