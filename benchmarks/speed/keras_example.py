"""The VAE of Keras' documentation (keras.io/examples/generative/vae): its `train_step` around the same networks."""

import sys
from collections.abc import Iterator

import keras
import numpy as np
import tensorflow as tf

from benchmarks.speed.contestant import serve
from benchmarks.speed.workloads import LATENT, WORKLOADS
from vae_tf import recipes


class Sampling(keras.layers.Layer):
    def __init__(self) -> None:
        super().__init__()
        self.seed_generator = keras.random.SeedGenerator(1337)

    def call(self, inputs: tuple[tf.Tensor, tf.Tensor]) -> tf.Tensor:
        mean, log_variance = inputs
        epsilon = keras.random.normal(tf.shape(mean), seed=self.seed_generator)
        return mean + tf.exp(0.5 * log_variance) * epsilon


def make_vae(encoder: keras.Model, decoder: keras.Model) -> keras.Model:
    class VAE(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.encoder, self.decoder = encoder, decoder
            names = ("total_loss", "reconstruction_loss", "kl_loss")
            self.trackers = [keras.metrics.Mean(name=name) for name in names]

        @property
        def metrics(self) -> list[keras.metrics.Metric]:
            return self.trackers

        def train_step(self, data: tf.Tensor) -> dict[str, tf.Tensor]:
            with tf.GradientTape() as tape:
                mean, log_variance, z = self.encoder(data)
                entropy = keras.losses.binary_crossentropy(data, self.decoder(z))
                reconstruction = tf.reduce_mean(tf.reduce_sum(entropy, axis=(1, 2)))
                kl = -0.5 * (1 + log_variance - tf.square(mean) - tf.exp(log_variance))
                kl = tf.reduce_mean(tf.reduce_sum(kl, axis=1))
                total = reconstruction + kl
            gradients = tape.gradient(total, self.trainable_weights)
            self.optimizer.apply_gradients(zip(gradients, self.trainable_weights, strict=True))
            for tracker, value in zip(self.trackers, (total, reconstruction, kl), strict=True):
                tracker.update_state(value)
            return {tracker.name: tracker.result() for tracker in self.trackers}

    return VAE()


def main(workload_name: str) -> None:
    workload = WORKLOADS[workload_name]
    recipe = "mlp" if workload.kind == "mlp" else "conv"
    # Only the layers: everything around them is the example's.
    parts = recipes.build(
        recipe, workload.image_shape, LATENT, settings={} if recipe == "mlp" else workload.settings
    )

    def layers_of(network: keras.Sequential) -> keras.Sequential:
        copies = []
        for layer in network.layers:
            config = layer.get_config()
            if "silu" in str(config.get("activation")):
                config["activation"] = "silu"
            copies.append(type(layer).from_config(config))
        return keras.Sequential(copies)

    pictures = keras.Input(workload.image_shape)
    features = layers_of(parts.encoder.network)(pictures)
    mean, log_variance = keras.layers.Dense(LATENT)(features), keras.layers.Dense(LATENT)(features)
    encoder = keras.Model(pictures, [mean, log_variance, Sampling()([mean, log_variance])])
    latents = keras.Input((LATENT,))
    output = layers_of(parts.decoder.network)(latents)
    decoder = keras.Model(latents, keras.layers.Activation("sigmoid", dtype="float32")(output))

    model = make_vae(encoder, decoder)
    model.compile(optimizer=keras.optimizers.Adam())
    images = workload.pictures().astype("float32") / 255

    def passes(num: int) -> Iterator[np.ndarray]:
        """So many batches of pictures, all of them again and again, and then what is left."""
        whole, rest = divmod(num * workload.batch_size, len(images))
        yield from [images] * whole
        if rest:
            yield images[:rest]

    def train(num: int) -> None:
        for part in passes(num):
            model.fit(part, epochs=1, batch_size=workload.batch_size, verbose=0)

    def encode(part: np.ndarray) -> np.ndarray:
        return encoder.predict(part, batch_size=workload.batch_size, verbose=0)[0]

    def forward(num: int) -> None:
        for part in passes(num):
            decoder.predict(encode(part), batch_size=workload.batch_size, verbose=0)

    def embed(num: int) -> None:
        for part in passes(num):
            encode(part)

    tasks = {"train": train, "forward": forward, "embed": embed}
    serve(tasks, {"weights": encoder.count_params() + decoder.count_params()})


if __name__ == "__main__":
    main(sys.argv[1])
