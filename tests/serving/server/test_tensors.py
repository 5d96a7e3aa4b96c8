"""Tensors to JSON and protocol buffers and back; `tf.make_tensor_proto` and `json` are the independent witnesses."""

import json

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from tensorflow.core.framework import tensor_pb2

from vae_tf.serving.server import json_bodies, tensors_proto
from vae_tf.serving.server.saved_model import Spec
from vae_tf.serving.server.status import ServingError

DTYPES = (
    "float16",
    "float32",
    "float64",
    "int8",
    "uint8",
    "int16",
    "uint16",
    "int32",
    "uint32",
    "int64",
    "uint64",
    "bool",
)
SHAPES = hnp.array_shapes(min_dims=1, max_dims=4, min_side=1, max_side=4)


def arrays(shapes=SHAPES):
    def of(dtype):
        if dtype == "string":
            return hnp.arrays(object, shapes, elements=st.binary(max_size=9))
        if not dtype.startswith("float"):
            return hnp.arrays(dtype, shapes)
        # Whole numbers that a float cannot hold are refused by design.
        width = int(dtype[5:])
        largest = float(2 ** (np.finfo(dtype).nmant + 1) - 1)
        finite = st.floats(-largest, largest, width=width)
        return hnp.arrays(dtype, shapes, elements=finite | st.sampled_from([np.nan, np.inf, -np.inf]))

    return st.sampled_from((*DTYPES, "string")).flatmap(of)


def spec_of(array):
    return Spec(tf.string if array.dtype == object else tf.as_dtype(array.dtype), None)


def assert_same(first, second):
    np.testing.assert_array_equal(first, second)
    assert first.dtype == second.dtype and first.shape == second.shape


@given(arrays(), st.booleans())
def test_what_json_answers_can_be_asked_again(array, is_rows):
    """Bytes come back as base64, as names that end in _bytes promise."""
    answer = json_bodies.answer({"x_bytes": array}, is_rows)
    values = json.loads(answer)["predictions" if is_rows else "outputs"]
    key = "instances" if is_rows else "inputs"
    body = json_bodies.parse_predict(json.dumps({key: values}).encode())
    assert_same(json_bodies.arrays_of(body, {"x_bytes": spec_of(array)})["x_bytes"], array)


@given(hnp.arrays(np.float32, SHAPES, elements=st.floats(width=32)))
def test_json_holds_the_nearest_float(array):
    values = json.loads(json_bodies.answer({"y": array}, False))["outputs"]
    np.testing.assert_array_equal(np.array(values, np.float32), array)


@given(arrays(hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4)))
def test_tensorflow_reads_our_protos_and_we_read_its(array):
    proto = tensor_pb2.TensorProto()
    tensors_proto.encode(array, proto)
    assert_same(tf.make_ndarray(proto), array)
    assert not proto.tensor_content, "TF Serving answers with typed values"
    assert_same(tensors_proto.decode(proto), array)
    dtype = tf.string if array.dtype == object else None
    theirs = tf.make_tensor_proto(array.tolist() if dtype else array, dtype=dtype, shape=array.shape)
    assert_same(tensors_proto.decode(theirs), array)


def test_bfloat16_by_proto():
    array = np.array([0.5, -3.0], tf.bfloat16.as_numpy_dtype)
    proto = tensor_pb2.TensorProto()
    tensors_proto.encode(array, proto)
    assert_same(tensors_proto.decode(proto), array)
    assert_same(tf.make_ndarray(proto), array)


def proto(**fields):
    shape = fields.pop("shape")
    return tensor_pb2.TensorProto(tensor_shape={"dim": [{"size": n} for n in shape]}, **fields)


@pytest.mark.parametrize(
    ("message", "text"),
    [
        (proto(dtype=1, shape=[3], tensor_content=b"\0" * 8), "tensor_content holds 8 bytes"),
        (proto(dtype=1, shape=[2**40], float_val=[0]), "larger than"),
        (proto(dtype=1, shape=[2**40, 2**40], float_val=[0]), "larger than"),
        (proto(dtype=7, shape=[2**62]), "larger than"),
        (proto(dtype=1, shape=[-1], float_val=[0]), "fully known"),
        (proto(dtype=1, shape=[1], float_val=[0, 1]), "2 values for a tensor of 1 elements"),
        (proto(dtype=4, shape=[1], int_val=[256]), "beyond the range of uint8"),
        (proto(dtype=4, shape=[1], int_val=[-1]), "beyond the range of uint8"),
        (proto(dtype=0, shape=[1]), "Unknown dtype|not supported"),
        (proto(dtype=99, shape=[1]), "Unknown dtype"),
        (proto(dtype=20, shape=[1]), "not supported|Unknown dtype"),
        (proto(dtype=20, shape=[1], tensor_content=b"\0" * 8), "Unknown dtype"),
        (proto(dtype=21, shape=[1], tensor_content=b"\0" * 8), "Unknown dtype"),
        (proto(dtype=1, shape=[0, 2**62]), "larger than"),
        (proto(dtype=1, shape=[1] * 33, float_val=[0]), "more than 32 axes"),
        (tensor_pb2.TensorProto(dtype=1, tensor_shape={"unknown_rank": True}), "fully known"),
    ],
)
def test_protos_that_contradict_themselves(message, text):
    with pytest.raises(ServingError, match=text):
        tensors_proto.decode(message)


def test_last_value_stands_for_those_left_out():
    assert_same(
        tensors_proto.decode(proto(dtype=1, shape=[3], float_val=[1, 2])), np.array([1, 2, 2], np.float32)
    )


leaves = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3)
some_json = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
)


@given(some_json)
def test_any_json_is_a_tensor_or_a_plain_error(value):
    """Whatever a client sends: an array of the signature's dtype, or an error that is told, never another exception."""
    for key in ("instances", "inputs"):
        for dtype in (tf.float32, tf.uint8, tf.string, tf.bool):
            try:
                body = json_bodies.parse_predict(json.dumps({key: value}).encode())
                array = json_bodies.arrays_of(body, {"x": Spec(dtype, None)})["x"]
            except ServingError as error:
                assert error.http_status == 400
            else:
                assert array.dtype == dtype.as_numpy_dtype


def test_signature_of_a_named_input_is_no_base64_object():
    body = json_bodies.parse_predict(b'{"inputs": {"b64": "AAAA"}}')
    assert json_bodies.arrays_of(body, {"x": Spec(tf.string, None)})["x"].item() == b"\0\0\0"
