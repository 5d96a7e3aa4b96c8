"""Requests that TF Serving plays to a model before it serves it, so that no user's request is the slow first one."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vae_tf.serving.signatures import Signature

# TF Serving looks for this very name in assets.extra, and refuses more than 1,000 records.
NAME = "tf_serving_warmup_requests"


def write_warmup(folder: Path, signatures: dict[str, Signature], given: dict[str, NDArray[Any]]) -> None:
    """Writes a TFRecord of PredictionLog, one per signature, of the first of the examples given for each.

    Args:
        folder: `assets.extra` of an export.
        signatures: {name: Signature}.
        given: {"signature/input": array}.
    """
    import tensorflow as tf
    from tensorflow_serving.apis.predict_pb2 import PredictRequest
    from tensorflow_serving.apis.prediction_log_pb2 import PredictionLog, PredictLog

    with tf.io.TFRecordWriter(str(folder / NAME)) as writer:
        for name, signature in signatures.items():
            request = PredictRequest()
            request.model_spec.signature_name = name
            for key in signature.inputs:
                example = np.asarray(given[f"{name}/{key}"][:1])
                request.inputs[key].CopyFrom(tf.make_tensor_proto(example, signature.inputs[key].dtype))
            log = PredictionLog(predict_log=PredictLog(request=request))
            writer.write(log.SerializeToString())
