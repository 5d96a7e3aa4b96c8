"""The line through a latent space of one dimension."""

import numpy as np

from vae_tf.evaluation.line import decode_line


class Painter:
    """Decodes a latent to a picture of that grey."""

    def decode(self, z):
        return np.broadcast_to(np.asarray(z)[:, :, None, None], (len(z), 4, 4, 1))


def test_counts_and_pictures_belong_to_their_steps():
    codes = np.array([[-1.0], [-0.9], [0.0], [1.0]], np.float32)
    line = decode_line(Painter(), codes, num_steps=4)
    np.testing.assert_allclose(line.values, [-0.75, -0.25, 0.25, 0.75])
    assert line.counts.tolist() == [2, 0, 1, 1]
    np.testing.assert_allclose(line.pictures[:, 0, 0, 0], line.values)


def test_every_code_is_counted_once():
    codes = np.random.default_rng(0).normal(size=(500, 1)).astype(np.float32)
    assert decode_line(Painter(), codes).counts.sum() == 500
