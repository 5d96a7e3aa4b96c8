"""A SavedModel in memory: its signatures as functions from arrays to arrays, and its warm-up."""

import dataclasses
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import tensorflow as tf
from grpc import StatusCode as Code
from numpy.typing import NDArray
from tensorflow.core.protobuf import saved_model_pb2
from tensorflow_serving.apis import prediction_log_pb2

from vae_tf.serving.server import graphs, tensors_proto
from vae_tf.serving.server.status import ServingError, invalid

Arrays = dict[str, NDArray[Any]]
DEFAULT = "serving_default"
WARM_UP = "assets.extra/tf_serving_warmup_requests"
MAX_WARM_UP = 1000  # records, as in TF Serving


@dataclasses.dataclass(frozen=True)
class Spec:
    """Dtype and shape of one input or output; `None` for an unknown dimension or an unknown rank."""

    dtype: tf.DType
    shape: tuple[int | None, ...] | None

    @property
    def has_batch_axis(self) -> bool:
        return self.shape is not None and self.shape[:1] == (None,)

    def admits(self, shape: tuple[int, ...]) -> bool:
        return self.shape is None or (
            len(shape) == len(self.shape)
            and all(wanted in (None, size) for wanted, size in zip(self.shape, shape, strict=True))
        )

    def __str__(self) -> str:
        return (
            "[?]" if self.shape is None else f"[{','.join('?' if n is None else str(n) for n in self.shape)}]"
        )


class Signature:
    """One signature of a loaded SavedModel."""

    def __init__(self, name: str, definition: Any, function: Any, owner: Any) -> None:
        self.name = name
        self.function = function
        # A function alone does not keep the variables that it reads.
        self.owner = owner
        self.inputs = {key: spec_of(definition.inputs[key]) for key in sorted(definition.inputs)}
        self.outputs = {key: spec_of(definition.outputs[key]) for key in sorted(definition.outputs)}
        everything = [*self.inputs.values(), *self.outputs.values()]
        self.is_batchable = bool(self.inputs) and all(spec.has_batch_axis for spec in everything)

    def __call__(self, arrays: Mapping[str, NDArray[Any]]) -> Arrays:
        """Raises: tf.errors.OpError: The graph refused these arrays."""
        given = {name: tf.constant(array, self.inputs[name].dtype) for name, array in arrays.items()}
        return {name: value.numpy() for name, value in self.function(**given).items()}

    def check_names(self, names: Collection[str]) -> None:
        """Raises: ServingError: They are not the signature's."""
        sent, wanted = set(names), set(self.inputs)
        if sent != wanted:
            raise invalid(
                f"input size does not match signature: {len(sent)}!={len(wanted)} "
                f"len({{{listed(sent)}}}) != len({{{listed(wanted)}}}). "
                f"Sent extra: {{{listed(sent - wanted)}}}. Missing but required: {{{listed(wanted - sent)}}}."
            )

    def check(self, arrays: Mapping[str, Any]) -> None:
        """Raises: ServingError: Names, dtypes or shapes, which may be all there is yet, are not the signature's."""
        self.check_names(arrays)
        for name, array in arrays.items():
            spec = self.inputs[name]
            if array.dtype != spec.dtype.as_numpy_dtype:
                raise invalid(
                    f'Expects input "{name}" to be {spec.dtype.name} but {array.dtype.name} is provided'
                )
            if not spec.admits(array.shape):
                shape = ",".join(map(str, array.shape))
                raise invalid(f'Expects input "{name}" to have shape {spec} but [{shape}] is provided')


def listed(names: set[str]) -> str:
    return ",".join(sorted(names))


def spec_of(info: Any) -> Spec:
    shape = info.tensor_shape
    dimensions = None if shape.unknown_rank else tuple(None if d.size < 0 else d.size for d in shape.dim)
    return Spec(tf.as_dtype(info.dtype), dimensions)


class LoadedModel:
    """Loads the SavedModel in `folder` and warms it up.

    Raises:
        UserError: Its graphs reach beyond it.
        Exception: It cannot be loaded, or a warm-up request fails.
    """

    def __init__(self, folder: Path) -> None:
        graphs.check(folder)
        document = saved_model_pb2.SavedModel.FromString((folder / "saved_model.pb").read_bytes())
        self.definitions = dict(document.meta_graphs[0].signature_def)
        root = tf.saved_model.load(str(folder))
        self.signatures = {
            name: Signature(name, self.definitions[name], function, root)
            for name, function in root.signatures.items()
        }
        self.num_warmed_up = self.warm_up(folder / WARM_UP)

    def warm_up(self, path: Path) -> int:
        """Answers the recorded Predict requests; returns their number."""
        if not path.is_file():
            return 0
        count = 0
        for record in tf.data.TFRecordDataset(str(path)).take(MAX_WARM_UP).as_numpy_iterator():
            log = prediction_log_pb2.PredictionLog.FromString(record)
            if log.WhichOneof("log_type") != "predict_log":
                continue
            request = log.predict_log.request
            signature = self.signature(request.model_spec.signature_name)
            arrays = {name: tensors_proto.decode(proto) for name, proto in request.inputs.items()}
            signature.check(arrays)
            signature(arrays)
            count += 1
        return count

    def signature(self, name: str) -> Signature:
        """Raises: ServingError: There is none of this name."""
        found = self.signatures.get(name or DEFAULT)
        if found is None:
            raise ServingError(
                Code.FAILED_PRECONDITION, f'Serving signature key "{name or DEFAULT}" not found.'
            )
        return found
