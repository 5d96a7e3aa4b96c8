"""What REST and gRPC have in common: one way from arrays to answers, and what is counted on it."""

import contextlib
import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from google.protobuf import any_pb2
from grpc import StatusCode as Code
from tensorflow_serving.apis import get_model_metadata_pb2

from vae_tf.serving.server import admission
from vae_tf.serving.server.batching import Batcher
from vae_tf.serving.server.limits import Budget, Limits
from vae_tf.serving.server.metrics import Metrics
from vae_tf.serving.server.saved_model import DEFAULT, Arrays, Signature
from vae_tf.serving.server.status import ServingError, from_exception, invalid
from vae_tf.serving.server.versions import Models, Version

logger = logging.getLogger("vae_tf.serving")
METHODS = {"classify": "classification", "regress": "regression"}


class Service:
    """Models, the queue in front of them, limits and metrics."""

    def __init__(self, models: Models, batcher: Batcher, limits: Limits, metrics: Metrics) -> None:
        self.models = models
        self.batcher = batcher
        self.limits = limits
        self.metrics = metrics
        self.held_bytes = Budget(limits.queued)  # bodies that are read, answers that are sent
        self.held_pixels = Budget(limits.decoded)
        self.is_stopping = False

    @property
    def is_ready(self) -> bool:
        return not self.is_stopping and self.models.are_available

    async def predict(
        self,
        model_name: str,
        signature: Signature,
        arrays: Arrays,
        output_filter: Sequence[str] = (),
        seconds: float | None = None,
    ) -> Arrays:
        """The outputs that were asked for, all where none is named.

        Args:
            seconds: What the client still waits; never more than the server's own limit.

        Raises:
            ServingError: As TF Serving would answer.
        """
        check_filter(signature, output_filter)
        self.admit(signature, arrays)
        limit = self.limits.request_time
        deadline = time.monotonic() + (limit if seconds is None else min(seconds, limit))
        with self.held_pixels.lent(admission.num_pixels(arrays, self.limits)):
            outputs = await self.batcher.run(model_name, signature, arrays, deadline)
        return {name: outputs[name] for name in output_filter} if output_filter else outputs

    def admit(self, signature: Signature, given: Mapping[str, Any]) -> None:
        """Raises: ServingError: Tensors of such dtypes and shapes are not the signature's, or too much at a time."""
        signature.check(given)
        admission.check_rows(signature, given, self.limits)

    @contextlib.contextmanager
    def counted(self, model_name: str, method: str, entrypoint: str) -> Iterator[None]:
        """Counts a request and its latency; every other exception becomes a `ServingError`.

        Names that no model has are counted under none: a client could fill the memory with them.
        """
        name = model_name if self.models.find(model_name) else ""
        began = time.monotonic()
        status = Code.OK
        try:
            yield
        except ServingError as error:
            status = error.code
            raise
        except Exception as error:
            told = from_exception(error)
            status = told.code
            logger.exception("%s of %r failed", method, name)
            raise told from error
        except BaseException:
            status = Code.CANCELLED
            raise
        finally:
            self.metrics.requests.labels(name, status.name).inc()
            self.metrics.latency.labels(name, method, entrypoint).observe((time.monotonic() - began) * 1e6)


def check_filter(signature: Signature, names: Sequence[str]) -> None:
    for position, name in enumerate(names):
        if name not in signature.outputs:
            raise invalid(
                f"output tensor alias not found in signature: {name} Outputs expected to be in the set "
                f"{{{','.join(signature.outputs)}}}."
            )
        if name in names[:position]:
            raise invalid(f"duplicate output tensor alias: {name}")


def metadata_of(model_name: str, version: Version) -> Any:
    """GetModelMetadataResponse with all signatures of a version."""
    assert version.model is not None
    signatures = get_model_metadata_pb2.SignatureDefMap()
    for name, definition in version.model.definitions.items():
        signatures.signature_def[name].CopyFrom(definition)
    packed = any_pb2.Any()
    packed.Pack(signatures)
    response = get_model_metadata_pb2.GetModelMetadataResponse(metadata={"signature_def": packed})
    response.model_spec.name = model_name
    response.model_spec.version.value = version.number
    return response


def refuse_examples(version: Version, signature_name: str, method: str) -> ServingError:
    """The answer to Classify and Regress: our exports have signatures of method Predict alone."""
    assert version.model is not None
    name = signature_name or DEFAULT
    definition = version.model.definitions.get(name)
    if definition is None:
        return invalid(f"No signature was found with the name: {name}")
    wanted = f"tensorflow/serving/{method}"
    if definition.method_name != wanted:
        return invalid(
            f"Expected {METHODS[method]} signature method_name to be {wanted}. Was: {definition.method_name}"
        )
    return ServingError(
        Code.UNIMPLEMENTED, f"This local server does not run signatures of method {wanted}; TF Serving does."
    )
