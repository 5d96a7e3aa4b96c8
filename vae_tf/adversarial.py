"""Models that learn from a second network with an optimiser of its own: FactorVAE and VAE-GAN."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf
from keras import ops

from vae_tf import random
from vae_tf.errors import UserError
from vae_tf.model import VAE, Update, figures
from vae_tf.parts.base import argument_names
from vae_tf.parts.convolutions import Conv2D
from vae_tf.parts.encoders import centred


class Adversary:
    """A discriminator and its optimiser. A plain object: it is in training alone, and Keras saves none of it.

    Args:
        network: A built Keras model.
        optimizer: A Keras optimizer of no other variables.
    """

    def __init__(self, network: Any, optimizer: Any) -> None:
        self.network = network
        self.optimizer = optimizer
        optimizer.build(network.trainable_variables)

    @property
    def variables(self) -> list[Any]:
        """What its next step depends on."""
        return [*self.network.variables, *self.optimizer.variables]


def require_not_negative(**arguments: float) -> None:
    """Raises: UserError: One of the arguments is below 0."""
    for name, value in arguments.items():
        if value < 0:
            raise UserError(f"model.{name} is {value}.", "Give a number of 0 or more.")


class AdversarialVAE(VAE):
    """What both models share: a discriminator that is made when training first asks for it."""

    title = "AdversarialVAE"

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._adversary: Adversary | None = None
        if self.posterior.is_deterministic:
            raise UserError(
                f"A {self.title} needs codes with a density, and a deterministic posterior has none.",
                "Choose another posterior, such as diagonal, or --recipe ae.",
            )

    def adversary(self) -> Adversary:
        """The discriminator and its optimiser. No property: Keras reads all of those as it saves and loads."""
        if self._adversary is None:
            # Training may first ask from within a graph, where no variables can be made.
            with tf.init_scope():
                self._adversary = self.make_adversary()
        return self._adversary

    def make_adversary(self) -> Adversary:
        raise NotImplementedError(f"{type(self).__name__} must define make_adversary().")

    def extra_variables(self) -> list[Any]:
        return self.adversary().variables

    def initializer(self, layer: int) -> Any:
        """Initial weights of a discriminator's layer (He et al. 2015), keyed by the model's seed."""
        key = random.generator(self.seed, "discriminator", layer).integers(2**31)
        return keras.initializers.HeNormal(seed=int(key))


@keras.saving.register_keras_serializable(package="vae_tf")
class FactorVAE(AdversarialVAE):
    """A VAE that pays for the total correlation of its codes: objective + γ·TC (Kim & Mnih 2018, algorithm 2).

    TC = KL(q(z) ‖ Π_j q(z_j)) = E log D(z) / (1 − D(z)), where the discriminator D tells samples of q(z) from
    samples whose dimensions were permuted among pictures: the ones from the batch's first half, the others from its
    second. It needs nothing but samples: any posterior that draws them will do, any prior, likelihood and objective.

    Validation compares the objective without γ·TC: the discriminators of two epochs are two yardsticks. The estimate
    is a metric of training, `total_correlation`, in nats; it lags behind and is too low while D still learns.

    Args:
        gamma: γ, ≥ 0.
        discriminator_widths: Units of each hidden layer of D.
        discriminator_rate: Learning rate of D, constant.
        kwargs: See `VAE`.

    Raises:
        UserError: γ below 0, or parts that do not go together.
    """

    title = "FactorVAE"
    tracked = (*VAE.tracked, "total_correlation", "discriminator")

    def __init__(
        self,
        *,
        gamma: float = 10.0,
        discriminator_widths: Sequence[int] = (256, 256, 256),
        discriminator_rate: float = 1e-3,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        require_not_negative(gamma=gamma)
        self.gamma = float(gamma)
        self.discriminator_widths = tuple(discriminator_widths)
        self.discriminator_rate = float(discriminator_rate)

    def make_adversary(self) -> Adversary:
        layers = [
            keras.layers.Dense(width, activation="leaky_relu", kernel_initializer=self.initializer(i))
            for i, width in enumerate(self.discriminator_widths)
        ]
        output = keras.layers.Dense(1, kernel_initializer="zeros")
        network = keras.Sequential([*layers, output], name="discriminator")
        network.build((None, self.latent_dim))
        return Adversary(network, keras.optimizers.Adam(self.discriminator_rate, 0.5, 0.9))

    def train_step(self, data: Any) -> dict[str, Any]:
        step = self.steps_taken.value
        x = self.training_pixels(self.whole_batch(data)["x"], step)
        with tf.GradientTape() as tape:
            terms = self.training_terms(x, step)
            correlation = ops.mean(self.adversary().network(flat(terms.z)))
            loss = ops.mean(self.objective(terms, step)) + self.gamma * correlation
            scaled_loss = self.optimizer.scale_loss(loss)
        updates = [
            (self.optimizer, tape.gradient(scaled_loss, self.trainable_variables), self.trainable_variables)
        ]
        error, update = self.discriminate(ops.stop_gradient(terms.z), step)
        self._apply_if_finite(terms, [*updates, update], step)
        return self._track({**figures(terms, loss), "total_correlation": correlation, "discriminator": error})

    def discriminate(self, z: Any, step: Any) -> tuple[Any, Any]:
        """D's loss, nats per sample, and its update on samples of q(z) [K, B, d]."""
        half = max(1, z.shape[1] // 2) if z.shape[1] else ops.maximum(1, ops.shape(z)[1] // 2)
        joint, other = flat(z[:, :half]), flat(z[:, -half:])
        product = permute_dimensions(other, self.seed, step)
        network, optimizer = self.adversary().network, self.adversary().optimizer
        with tf.GradientTape() as tape:
            loss = 0.5 * discriminator_loss(network(joint), [network(product)])
        variables = network.trainable_variables
        return loss, (optimizer, tape.gradient(loss, variables), variables)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), **{name: getattr(self, name) for name in argument_names(FactorVAE)}}


def flat(z: Any) -> Any:
    """Samples [K, B, …] as one list [K·B, …]."""
    return ops.reshape(z, (-1, *z.shape[2:]))


def permute_dimensions(z: Any, seed: int, step: Any) -> Any:
    """z [N, d] with each column in an order of its own: samples of Π_j q(z_j) where z are samples of q(z).

    Keyed by (seed, step) (Kim & Mnih 2018, algorithm 1).
    """
    order = ops.argsort(random.uniform(tf.shape(z), seed, step, "permutation"), axis=0)
    return ops.take_along_axis(z, order, axis=0)


def discriminator_loss(real: Any, others: Sequence[Any]) -> Any:
    """−E log D − Σ E log(1 − D), of logits of real examples and of each kind of others; nats."""
    return ops.mean(ops.softplus(-real)) + sum(ops.mean(ops.softplus(other)) for other in others)


@keras.saving.register_keras_serializable(package="vae_tf")
class VAEGAN(AdversarialVAE):
    """A VAE whose reconstructions are compared in a discriminator's features (Larsen et al. 2016, algorithm 1).

    Three gradients of each step go to three networks:

    - encoder (posterior and prior with it): the objective, in which log p(x | z) is that of a normal of unit variance
      on the activations of layer l of the discriminator, −½‖Dis_l(x) − Dis_l(x̃)‖² without its constant;
    - decoder: the same, and `gan_weight` (their 1/γ) times −log Dis(x̃) − log Dis(x_p) for reconstructions x̃ and
      pictures x_p of samples of the prior, the form that does not saturate (Goodfellow et al. 2014, section 3);
    - discriminator: −log Dis(x) − log(1 − Dis(x̃)) − log(1 − Dis(x_p)), with half of `penalty` times the squared
      gradient at the real pictures (Mescheder et al. 2018, R₁), without which 200 pictures are soon known by heart.

    A normal on features that move is no density of pixels, so that its bound would be one on nothing that pages could
    name or compare: they show the KL, which is about the codes alone, and no ELBO. The pixel likelihood gives the
    picture; its own variance, if learned, follows the pixels' error without moving any other weight.

    Validation compares the objective in pixels (`loss`, in training also): feature distances and adversarial losses
    of two epochs are measured by two discriminators. It takes the epoch whose pictures are nearest to the unseen
    ones, and would notice a training that goes astray; the weight average keeps it from jumping. Expect sharp
    pictures at more error per pixel.

    Args:
        gan_weight: Of the decoder's adversarial loss, in nats per nat, ≥ 0.
        discriminator_widths: Filters of each convolution, each of which halves the picture.
        feature_layer: l, from 1: the convolution whose activations are compared.
        discriminator_rate: Learning rate of the discriminator, constant.
        penalty: Weight of R₁, nats per squared unit of the pixel range [0, 1], ≥ 0.
        kwargs: See `VAE`.

    Raises:
        UserError: Numbers out of range, or parts that do not go together.
    """

    title = "VAE-GAN"
    tracked = (*VAE.tracked, "feature_distance", "discriminator")

    def __init__(
        self,
        *,
        gan_weight: float = 100.0,
        discriminator_widths: Sequence[int] = (32, 64, 128, 128),
        feature_layer: int = 3,
        discriminator_rate: float = 3e-4,
        penalty: float = 1.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        require_not_negative(gan_weight=gan_weight, penalty=penalty)
        if not 1 <= feature_layer <= len(discriminator_widths):
            raise UserError(
                f"model.feature_layer is {feature_layer}.", f"Give 1 to {len(discriminator_widths)}."
            )
        if self.likelihood.outputs_per_channel > 1:
            raise UserError(
                "A VAE-GAN's decoder is told nothing of the variance of a pixel, and could not give it.",
                "Choose likelihood.scale learned or pixel, or --recipe conv.",
            )
        self.gan_weight = float(gan_weight)
        self.discriminator_widths = tuple(discriminator_widths)
        self.feature_layer = int(feature_layer)
        self.discriminator_rate = float(discriminator_rate)
        self.penalty = float(penalty)

    @property
    def no_elbo(self) -> str | None:
        return "A VAE-GAN is trained on features of its discriminator, which give no probability to a picture"

    def make_adversary(self) -> Adversary:
        # Its optimizer does not scale the loss, as float16 would need.
        dtype = "float32" if self.dtype_policy.name == "mixed_float16" else self.dtype_policy
        pictures = keras.Input(self.image_shape)
        x, activations = centred()(pictures), []
        for i, width in enumerate(self.discriminator_widths):
            initial = {"kernel_initializer": self.initializer(i), "dtype": dtype}
            x = Conv2D(width, 4, strides=2, padding="same", activation="leaky_relu", **initial)(x)
            activations.append(x)
        logits = keras.layers.Dense(1, kernel_initializer="zeros", dtype="float32")(keras.layers.Flatten()(x))
        network = keras.Model(pictures, [activations[self.feature_layer - 1], logits], name="discriminator")
        return Adversary(network, keras.optimizers.Adam(self.discriminator_rate, 0.5, 0.99))

    def train_step(self, data: Any) -> dict[str, Any]:
        step = self.steps_taken.value
        x = self.training_pixels(self.whole_batch(data)["x"], step)
        with tf.GradientTape(persistent=True) as tape:
            terms = self.training_terms(x, step)
            judged = self.judge(x, flat(self.likelihood.mean(terms.output)), self._drawn(x, step))
            log_features = ops.reshape(-judged.distance, ops.shape(terms.log_px))
            compared = dataclasses.replace(terms, log_px=log_features)
            losses = {
                "encoder": ops.mean(self.objective(compared, step)),
                "likelihood": ops.mean(self.objective(terms, step)),
                "discriminator": judged.error + 0.5 * self.penalty * self.slope(x),
            }
            losses["decoder"] = losses["encoder"] + self.gan_weight * judged.conviction
            scaled = {name: self.optimizer.scale_loss(loss) for name, loss in losses.items()}
        updates = self._updates(tape, scaled, losses["discriminator"])
        del tape
        self._apply_if_finite(compared, updates, step)
        others = {"feature_distance": ops.mean(judged.distance), "discriminator": judged.error}
        return self._track({**figures(terms, losses["likelihood"]), **others})

    def _drawn(self, x: Any, step: Any) -> Any:
        """As many pictures of samples of the prior as x has, [B, H, W, C]."""
        noise = random.normal(self.prior.noise_shape(ops.shape(x)[0]), self.seed, step, "drawn pictures")
        return self.decode(self.prior.sample(noise, self.prior_context()))

    def judge(self, x: Any, reconstructed: Any, drawn: Any) -> "Judgement":
        """What the discriminator makes of pictures [B, …], their K reconstructions [K·B, …] and drawn ones [B, …]."""
        network = self.adversary().network
        sizes = [ops.shape(pictures)[0] for pictures in (x, reconstructed, drawn)]
        features, logits = network(ops.concatenate([x, reconstructed, drawn], axis=0))
        real, rebuilt, _ = tf.split(ops.cast(features, "float32"), sizes)
        real_logits, *other_logits = tf.split(logits, sizes)
        repeated = tf.tile(real, (sizes[1] // sizes[0], 1, 1, 1))
        return Judgement(
            distance=0.5 * ops.sum(ops.square(rebuilt - repeated), axis=(-3, -2, -1)),
            conviction=sum(ops.mean(ops.softplus(-other)) for other in other_logits),
            error=discriminator_loss(real_logits, other_logits),
        )

    def slope(self, x: Any) -> Any:
        """Mean squared gradient of the discriminator's logit at pictures [B, H, W, C], summed over pixels."""
        with tf.GradientTape() as tape:
            tape.watch(x)
            logits = self.adversary().network(x)[1]
        return ops.mean(ops.sum(ops.square(tape.gradient(logits, x)), axis=(1, 2, 3)))

    def _updates(self, tape: Any, scaled: dict[str, Any], error: Any) -> list[Update]:
        """Each network's gradient of its own loss only."""
        encoder = [v for part in (self.encoder, self.posterior, self.prior) for v in part.trainable_variables]
        of_parts = [
            ("encoder", encoder),
            ("decoder", self.decoder.trainable_variables),
            ("likelihood", self.likelihood.trainable_variables),
        ]
        gradients = [
            gradient for name, variables in of_parts for gradient in tape.gradient(scaled[name], variables)
        ]
        own = self.adversary().network.trainable_variables
        return [
            (self.optimizer, gradients, [variable for _, variables in of_parts for variable in variables]),
            (self.adversary().optimizer, tape.gradient(error, own), own),
        ]

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), **{name: getattr(self, name) for name in argument_names(VAEGAN)}}


@dataclasses.dataclass(frozen=True)
class Judgement:
    """What a discriminator makes of pictures, their reconstructions and drawn pictures.

    Args:
        distance: ½‖Dis_l(x) − Dis_l(x̃)‖² of each reconstruction [K·B], nats of a normal of unit variance.
        conviction: −E log Dis(x̃) − E log Dis(x_p), what the decoder pays; nats.
        error: The discriminator's own loss, nats.
    """

    distance: Any
    conviction: Any
    error: Any
