"""Variational autoencoders in Keras and TensorFlow: what varies in a folder of pictures."""

__version__ = "0.1.0"
