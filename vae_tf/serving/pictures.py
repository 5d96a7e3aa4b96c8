"""What an exported VAE of pictures answers to: pixels or files in, latents, pictures, scores and classes out."""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from vae_tf.evaluation.oddness import reconstruction_errors
from vae_tf.pixels import to_uint8, to_unit
from vae_tf.serving.anomaly import AnomalyRule, log_weights, squared_error, target_of
from vae_tf.serving.decoding import Decoding
from vae_tf.serving.signatures import Fact, Signature

BYTES = "image_bytes"


@dataclasses.dataclass(frozen=True)
class Classes:
    """The classes that a semi-supervised model learned.

    Args:
        names: Of each.
        temperature: Divides the logits, so that probabilities are as often right as they say.
    """

    names: tuple[str, ...]
    temperature: float = 1.0


class PictureExport:
    """The signatures of a VAE of pictures.

    Args:
        model: A `VAE`.
        dtype: Stored type of the run's pictures, "uint8", "uint16" or "float32".
        decoding: How files become its pixels; None where its pictures are none that JPEG or PNG can hold.
        rule: The run's score of oddness, where it has one.
        classes: Those that it learned, where it did.
    """

    def __init__(
        self,
        model: Any,
        dtype: str = "uint8",
        decoding: Decoding | None = None,
        rule: AnomalyRule | None = None,
        classes: Classes | None = None,
    ) -> None:
        self.model, self.dtype, self.decoding = model, dtype, decoding
        self.rule, self.classes = rule, classes

    @property
    def resources(self) -> list[Any]:
        """What the graph needs beside the model: nothing."""
        return []

    @functools.cached_property
    def signatures(self) -> dict[str, Signature]:
        """{name: Signature}, `serving_default` first."""
        found: dict[str, Signature] = {}
        for name, signature in self._of_pictures().items():
            base = signature.compiled()
            for suffix, key, fact, to_pixels in self._kinds():
                found[name + suffix] = of_kind(base, key, fact, to_pixels)
        if self.decoding is not None:
            found["preprocess_bytes"] = self._preprocess(self.decoding)
        found |= self._of_latents()
        return {"serving_default": found["encode"], **found}

    def _kinds(self) -> list[tuple[str, str, Fact, Callable[[Any], Any]]]:
        """(suffix, input, what it is, how it becomes pixels in [0, 1]) of every way to give pictures."""
        shape = ("batch", *self.model.image_shape)
        kinds: list[tuple[str, str, Fact, Callable[[Any], Any]]] = [
            ("", "pictures", Fact(shape, "float32", "pixels in [0, 1]"), tf.identity)
        ]
        if self.dtype != "float32":
            fact = Fact(shape, self.dtype, f"pixels from 0 to {np.iinfo(self.dtype).max:,}")
            kinds.append((f"_{self.dtype}", "pictures", fact, self.model.pixels))
        if (decoding := self.decoding) is not None:
            fact = Fact(("batch",), "string", "JPEG or PNG files of any size and orientation")
            kinds.append(
                ("_bytes", BYTES, fact, lambda encoded: self.model.pixels(decoding.function(encoded)))
            )
        return kinds

    def _of_pictures(self) -> dict[str, Signature]:
        """Those that take pictures in [0, 1], each of which is offered for every kind of input."""
        model = self.model
        pictures = {"pictures": Fact(("batch", *model.image_shape), "float32", "pixels in [0, 1]")}
        shown = Fact(("batch", *model.image_shape), "float32", "mean pictures, pixels in [0, 1]")
        found = {
            "encode": Signature("the latents of pictures", pictures, encoded(model), self._encode),
            "reconstruct": Signature(
                "pictures as the model rebuilds them", pictures, {"pictures": shown}, self._reconstruct
            ),
            "score": Signature(
                "how badly pictures are rebuilt, how improbable and how odd they are",
                {**pictures, **self._noise()},
                self._score_facts(),
                self._score,
            ),
        }
        if self.classes is not None:
            found["classify"] = Signature(
                "the class of pictures, with calibrated probabilities",
                pictures,
                self._class_facts(),
                self._classify,
            )
        return found

    def _of_latents(self) -> dict[str, Signature]:
        model = self.model
        latents = {"latents": Fact(("batch", model.latent_dim), "float32", "points of the latent space")}
        shown = Fact(("batch", *model.image_shape), "float32", "mean pictures, pixels in [0, 1]")
        png = Fact(("batch",), "string", "mean pictures as PNG files of 8 bits", tolerance=1.0)
        found = {
            "decode": Signature(
                "pictures of latents", latents, {"pictures": shown}, lambda latents: self._decode(latents)
            ),
            "decode_png": Signature(
                "pictures of latents, as files",
                latents,
                {"png_bytes": png},
                lambda latents: {"png_bytes": as_png(model.decode(latents))},
            ),
        }
        if self.classes is not None:
            size = model.style(np.zeros((1, *model.image_shape), np.float32)).shape[-1]
            styles = Fact(("batch", int(size)), "float32", "style, what is left beside the class")
            label = Fact(("batch",), "int32", "class", self.classes.names)
            found["decode_class"] = Signature(
                "pictures of a style and a class",
                {"styles": styles, "classes": label},
                {"pictures": shown},
                self._decode_class,
            )
        return found

    def _encode(self, pictures: Any) -> dict[str, Any]:
        return dict(self.model.encode(pictures))

    def _decode(self, latents: Any) -> dict[str, Any]:
        return {"pictures": self.model.decode(latents)}

    def _decode_class(self, styles: Any, classes: Any) -> dict[str, Any]:
        rows = tf.one_hot(classes, self.model.num_classes)
        return {"pictures": self.model.decode_style(styles, rows)}

    def _reconstruct(self, pictures: Any) -> dict[str, Any]:
        return {"pictures": self.model.reconstruct(pictures)}

    def _score(self, pictures: Any, noise: Any = None) -> dict[str, Any]:
        model = self.model
        error = squared_error(pictures, model.reconstruct(pictures))
        found: dict[str, Any] = {"reconstruction_error": tf.cast(error, tf.float32)}
        if noise is not None:
            by_sample = tf.transpose(noise, (1, 0, 2))
            logs = tf.transpose(log_weights(model, pictures, by_sample, target_of(model, pictures)))
            found |= {"negative_elbo": -tf.reduce_mean(logs, axis=-1), "log_weights": logs}
        if self.rule is not None:
            found |= self.rule(model, pictures, model.encode(pictures)["mean"], error)
        return found

    def _noise(self) -> dict[str, Fact]:
        if not self.model.has_elbo:
            return {}
        shape = ("batch", "samples", self._noise_size())
        return {
            "noise": Fact(shape, "float32", "standard normal numbers, one row per sample of the posterior")
        }

    def _score_facts(self) -> dict[str, Fact]:
        batch = ("batch",)
        facts = {"reconstruction_error": Fact(batch, "float32", "mean squared error over pixels in [0, 1]")}
        if self.model.has_elbo:
            facts |= {
                "negative_elbo": Fact(batch, "float32", "−ELBO over the samples of the noise, nats"),
                "log_weights": Fact(
                    ("batch", "samples"), "float32", "log p(x, z)/q(z | x) of each sample, nats"
                ),
            }
        if self.rule is not None:
            facts |= {
                "anomaly_score": Fact(batch, "float32", f"the run's score of oddness ({self.rule.score})"),
                "p_value": Fact(
                    batch,
                    "float32",
                    "share of normal pictures at least as odd (conformal)",
                    # A score may tie with that of a calibration picture.
                    tolerance=1.0 / len(self.rule.calibration),
                ),
                "threshold": Fact(
                    batch, "float32", f"what the score exceeds in {self.rule.alpha:g} of normal pictures"
                ),
                "is_anomaly": Fact(batch, "bool", "whether the score exceeds the threshold"),
            }
        return facts

    def _class_facts(self) -> dict[str, Fact]:
        assert self.classes is not None
        names = self.classes.names
        style = self.model.style(np.zeros((1, *self.model.image_shape), np.float32))
        return {
            "probabilities": Fact(
                ("batch", len(names)), "float32", "calibrated probability of each class", names
            ),
            "label": Fact(("batch",), "string", "name of the likeliest class"),
            "styles": Fact(("batch", int(style.shape[-1])), "float32", "what is left beside the class"),
        }

    def _classify(self, pictures: Any) -> dict[str, Any]:
        assert self.classes is not None
        logits = self.model.log_class_probabilities(pictures)
        probabilities = tf.nn.softmax(logits / self.classes.temperature)
        label = tf.gather(tf.constant(self.classes.names), tf.argmax(logits, axis=-1))
        return {"probabilities": probabilities, "label": label, "styles": self.model.style(pictures)}

    def _preprocess(self, decoding: Decoding) -> Signature:
        takes = Fact(("batch",), "string", "JPEG or PNG files of any size and orientation")
        gives = Fact(("batch", *self.model.image_shape), decoding.dtype, "the pixels that the model sees")
        return Signature(
            "files as the model sees them",
            {BYTES: takes},
            {"pictures": gives},
            lambda image_bytes: {"pictures": decoding.function(image_bytes)},
        )

    def questions(
        self, pictures: NDArray[Any], files: list[bytes], recorded: NDArray[np.float64] | None = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """What to ask every signature, {"signature/input": array}, and the run's own answers without the graph.

        Args:
            pictures: Stored pixels [N, H, W, C].
            files: The same pictures as JPEG or PNG; none where there is no decoding.
            recorded: The scores of oddness [N] that the run has written down for them.
        """
        x = to_unit(pictures)
        known: dict[str, Any] = {BYTES: np.array(files, dtype=object)}
        if self.model.has_elbo:
            shape = (len(x), 3, self._noise_size())
            known["noise"] = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
        noise = {key: known[key] for key in self._noise()}
        answers = {
            "encode": self._encode(x),
            "reconstruct": self._reconstruct(x),
            "score": self._score(x, **noise),
        }
        known["latents"] = np.asarray(answers["encode"]["mean"])
        answers |= {"decode": self._decode(known["latents"]), "preprocess": {"pictures": pictures}}
        answers["decode_png"] = {"png_bytes": to_uint8(answers["decode"]["pictures"])}
        if self.classes is not None:
            answers["classify"] = self._classify(x)
            known["styles"] = np.asarray(answers["classify"]["styles"])
            known["classes"] = (np.arange(len(x)) % len(self.classes.names)).astype(np.int32)
            answers["decode_class"] = self._decode_class(known["styles"], known["classes"])
        answers["score"]["reconstruction_error"] = reconstruction_errors(self.model.reconstruct, pictures)
        if recorded is not None:
            answers["score"]["anomaly_score"] = recorded
        given: dict[str, Any] = {}
        wanted: dict[str, Any] = {}
        for name, signature in self.signatures.items():
            for key, fact in signature.inputs.items():
                as_given = x if fact.dtype == "float32" else pictures
                given[f"{name}/{key}"] = as_given if key == "pictures" else known[key]
            said = answers["encode" if name == "serving_default" else without_kind(name)]
            wanted |= {f"{name}/{key}": np.asarray(said[key]) for key in signature.outputs}
        return given, wanted

    def _noise_size(self) -> int:
        return int(self.model.posterior.noise_shape(1, 1)[-1])


def encoded(model: Any) -> dict[str, Fact]:
    """The outputs of `encode`."""
    meanings = {
        "mean": "posterior mean",
        "log_variance": "natural logarithm of the posterior variance",
        **model.posterior.kept,
    }
    return {name: Fact(("batch", model.latent_dim), "float32", said) for name, said in meanings.items()}


def of_kind(base: Signature, key: str, fact: Fact, to_pixels: Callable[[Any], Any]) -> Signature:
    """A signature of pictures in [0, 1] for pictures that are given in another way, under another name."""

    def function(**given: Any) -> dict[str, Any]:
        return base.function(pictures=to_pixels(given.pop(key)), **given)

    rest = {name: one for name, one in base.inputs.items() if name != "pictures"}
    return Signature(base.summary, {key: fact, **rest}, base.outputs, function)


def as_png(pictures: Any) -> Any:
    """Pictures [N, H, W, C] in [0, 1] as PNG strings [N]."""
    levels = tf.cast(tf.clip_by_value(tf.round(pictures * 255.0), 0.0, 255.0), tf.uint8)
    return tf.map_fn(tf.io.encode_png, levels, fn_output_signature=tf.TensorSpec((), tf.string))


def without_kind(name: str) -> str:
    """The name of a signature without the kind of its input."""
    for suffix in ("_bytes", "_uint8", "_uint16"):
        name = name.removesuffix(suffix)
    return name
