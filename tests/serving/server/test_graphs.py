"""SavedModels of others: their graphs may compute, and what reaches beyond them is not loaded."""

import pytest
import tensorflow as tf

from vae_tf.errors import UserError
from vae_tf.serving.server import graphs
from vae_tf.serving.server.saved_model import LoadedModel


def saved(folder, function):
    module = tf.Module()
    module.function = tf.function(function, input_signature=[tf.TensorSpec([], tf.string)])
    tf.saved_model.save(module, str(folder), signatures={"serving_default": module.function})
    return folder


def write(path):
    tf.io.write_file(path, "evil")
    return {"y": path}


def tell(path):
    tf.print(path, output_stream="file:///tmp/evil")
    return {"y": path}


def save(path):
    tensors = [tf.constant(1.0)]
    tf.raw_ops.SaveV2(prefix=path, tensor_names=["a"], shape_and_slices=[""], tensors=tensors)
    return {"y": path}


@pytest.mark.parametrize(
    ("function", "operation"),
    [
        (write, "WriteFile"),
        (tell, "PrintV2"),
        (save, "SaveV2"),
        (lambda path: {"y": tf.io.read_file(path)}, "ReadFile"),
        (lambda path: {"y": tf.io.matching_files(path)}, "MatchingFiles"),
        (
            lambda path: {"y": tf.data.TextLineDataset(path).reduce("", lambda a, b: b)},
            r"\w*Dataset",
        ),
        (lambda path: {"y": tf.py_function(lambda text: text, [path], tf.string)}, "EagerPyFunc"),
        (lambda path: {"y": tf.cond(path == "a", lambda: tf.io.read_file(path), lambda: path)}, "ReadFile"),
    ],
)
def test_a_graph_that_reaches_beyond_itself_is_not_loaded(tmp_path, function, operation):
    with pytest.raises(UserError, match=f"has the operation {operation}, which reaches beyond"):
        LoadedModel(saved(tmp_path / "model", function))


def test_weights_tables_and_pictures_are_no_reaching(tmp_path):
    class Model(tf.Module):
        def __init__(self):
            self.weight = tf.Variable([1.0, 2.0])
            words = tf.lookup.KeyValueTensorInitializer(["a"], [1])
            self.table = tf.lookup.StaticHashTable(words, 0)

        @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
        def answer(self, texts):
            def mean(file):
                return tf.reduce_mean(tf.cast(tf.io.decode_image(file, expand_animations=False), tf.float32))

            means = tf.map_fn(mean, texts, fn_output_signature=tf.float32)
            return {"id": self.table.lookup(texts), "sum": tf.reduce_sum(self.weight), "mean": means}

    model = Model()
    tf.saved_model.save(model, str(tmp_path / "model"), signatures={"serving_default": model.answer})
    graphs.check(tmp_path / "model")
