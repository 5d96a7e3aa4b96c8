"""PredictionService and ModelService over gRPC, with TF Serving's generated stubs and the standard health service."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import grpc
from google.protobuf.message import DecodeError
from grpc import StatusCode as Code
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from tensorflow_serving.apis import (
    inference_pb2,
    model_management_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)

from vae_tf.serving.server import tensors_proto
from vae_tf.serving.server.access import CallGuard
from vae_tf.serving.server.limits import Limits
from vae_tf.serving.server.saved_model import DEFAULT, Arrays, Signature
from vae_tf.serving.server.service import Service, metadata_of, refuse_examples
from vae_tf.serving.server.status import ServingError, invalid
from vae_tf.serving.server.versions import Models, ServedModel

SERVICES = ("", "tensorflow.serving.PredictionService", "tensorflow.serving.ModelService")


async def answered(
    service: Service, context: Any, name: str, method: str, work: Callable[[], Awaitable[Any]]
) -> Any:
    """The answer, or an aborted call with the status that TF Serving would give."""
    try:
        with service.counted(name, method, "GRPC"):
            return await work()
    except ServingError as error:
        await context.abort(error.code, error.message)


def wanted(spec: Any) -> tuple[str, int | None, str | None]:
    """Name, version and label of a ModelSpec."""
    if not spec.name:
        raise invalid("ModelSpec has no name specified.")
    choice = spec.WhichOneof("version_choice")
    return (
        spec.name,
        spec.version.value if choice == "version" else None,
        spec.version_label if choice == "version_label" else None,
    )


class PredictionService(prediction_service_pb2_grpc.PredictionServiceServicer):
    def __init__(self, service: Service) -> None:
        self.service = service

    async def Predict(self, request: Any, context: Any) -> Any:  # noqa: N802
        return await answered(
            self.service, context, request.model_spec.name, "Predict", lambda: self.predict(request, context)
        )

    async def predict(self, request: Any, context: Any) -> Any:
        spec = request.model_spec
        name, number, label = wanted(spec)
        with self.service.models.lease(name, number, label) as version:
            assert version.model is not None
            signature = version.model.signature(spec.signature_name)
            arrays = self.decoded(signature, request.inputs)
            outputs = await self.service.predict(
                name, signature, arrays, list(request.output_filter), context.time_remaining()
            )
            response = predict_pb2.PredictResponse()
            response.model_spec.name = name
            response.model_spec.version.value = version.number
            response.model_spec.signature_name = signature.name
            for key, array in outputs.items():
                tensors_proto.encode(array, response.outputs[key])
            # Until the client has taken it.
            held, size = self.service.held_bytes, response.ByteSize()
            held.take(size)
            context.add_done_callback(lambda _: held.give(size))
            return response

    def decoded(self, signature: Signature, inputs: Any) -> Arrays:
        """The arrays, made only once it is known that the signature takes such: a few bytes may claim to be many."""
        signature.check_names(inputs.keys())
        self.service.admit(signature, {key: tensors_proto.layout_of(proto) for key, proto in inputs.items()})
        return {key: tensors_proto.decode(proto, self.service.limits.body) for key, proto in inputs.items()}

    async def GetModelMetadata(self, request: Any, context: Any) -> Any:  # noqa: N802
        async def work() -> Any:
            if not request.HasField("model_spec"):
                raise invalid("Missing ModelSpec")
            if not request.metadata_field:
                raise invalid("GetModelMetadataRequest must specify at least one metadata_field")
            for field in request.metadata_field:
                if field != "signature_def":
                    raise invalid(f"Metadata field {field} is not supported")
            with self.service.models.lease(*wanted(request.model_spec)) as version:
                return metadata_of(request.model_spec.name, version)

        return await answered(self.service, context, request.model_spec.name, "GetModelMetadata", work)

    async def Classify(self, request: Any, context: Any) -> Any:  # noqa: N802
        return await self.refuse(request.model_spec, context, "classify")

    async def Regress(self, request: Any, context: Any) -> Any:  # noqa: N802
        return await self.refuse(request.model_spec, context, "regress")

    async def refuse(self, spec: Any, context: Any, method: str) -> Any:
        async def work() -> Any:
            with self.service.models.lease(*wanted(spec)) as version:
                raise refuse_examples(version, spec.signature_name, method)

        return await answered(self.service, context, spec.name, method.capitalize(), work)

    async def MultiInference(self, request: Any, context: Any) -> Any:  # noqa: N802
        name = request.tasks[0].model_spec.name if request.tasks else ""

        async def work() -> Any:
            if not request.tasks:
                return inference_pb2.MultiInferenceResponse()
            self.check_tasks(request.tasks)
            task = request.tasks[0]
            method = task.method_name.rsplit("/", 1)[-1]
            with self.service.models.lease(*wanted(task.model_spec)) as version:
                signature_name = task.model_spec.signature_name or DEFAULT
                if version.model is None or signature_name not in version.model.definitions:
                    raise invalid(f"Requested signature not found in model graph: {signature_name}")
                raise refuse_examples(version, signature_name, method)

        return await answered(self.service, context, name, "MultiInference", work)

    def check_tasks(self, tasks: Any) -> None:
        seen = set()
        for task in tasks:
            spec = task.model_spec
            if not spec.name:
                raise invalid("Found ModelSpec with an empty model name.")
            if spec.name != tasks[0].model_spec.name:
                raise invalid("All ModelSpecs in a MultiInferenceRequest must access the same model name.")
            signature_name = spec.signature_name or DEFAULT
            if signature_name in seen:
                raise invalid(f"Duplicate evaluation of signature: {signature_name}")
            seen.add(signature_name)
            if task.method_name not in ("tensorflow/serving/classify", "tensorflow/serving/regress"):
                raise ServingError(
                    Code.UNIMPLEMENTED, f"Unsupported signature method_name: {task.method_name}"
                )


class ModelService(model_service_pb2_grpc.ModelServiceServicer):
    def __init__(self, service: Service) -> None:
        self.service = service

    async def GetModelStatus(self, request: Any, context: Any) -> Any:  # noqa: N802
        async def work() -> Any:
            if not request.HasField("model_spec"):
                raise invalid("Missing ModelSpec")
            return self.service.models.status(*wanted(request.model_spec))

        return await answered(self.service, context, request.model_spec.name, "GetModelStatus", work)

    async def HandleReloadConfigRequest(self, request: Any, context: Any) -> Any:  # noqa: N802
        async def work() -> Any:
            if request.config.WhichOneof("config") != "model_config_list":
                raise invalid(
                    "ServerModelConfig type not supported by HandleReloadConfigRequest. "
                    "Only ModelConfigList is currently supported"
                )
            await reconfigure(self.service.models, list(request.config.model_config_list.config))
            return model_management_pb2.ReloadConfigResponse()

        return await answered(self.service, context, "", "HandleReloadConfigRequest", work)


async def reconfigure(models: Models, configs: list[Any]) -> None:
    """New labels and version policies of models that are served; models that are not named stay as they are.

    Raises:
        ServingError: A model or folder is not configured here, or a label names a version that is not available.
            Then labels and policies are as before.
    """
    named = [(config, served(models, config)) for config in configs]
    before = [(model, model.policy) for _, model in named]
    for config, model in named:
        model.policy = config.model_version_policy
    await models.reconcile()
    try:
        for config, model in named:
            check_labels(model, dict(config.version_labels))
    except ServingError:
        for model, policy in before:
            model.policy = policy
        raise
    for config, model in named:
        model.labels = dict(config.version_labels)


def check_labels(model: ServedModel, labels: dict[str, int]) -> None:
    for number in labels.values():
        if number not in model.versions or not model.versions[number].is_available:
            raise ServingError(
                Code.FAILED_PRECONDITION,
                f"Request to assign label to version {number} of model {model.name}, which is not currently "
                "available for inference",
            )


def served(models: Models, config: Any) -> ServedModel:
    model = models.find(config.name)
    if model is None or (config.base_path and config.base_path not in (str(model.folder), model.base_path)):
        raise ServingError(
            Code.PERMISSION_DENIED,
            "Labels and version policies of models that are served can be changed; no other folder is opened.",
        )
    return model


class Reader(grpc.aio.ServerInterceptor):
    """INVALID_ARGUMENT for bytes that are no message of the method; without it, they would count as our failure."""

    async def intercept_service(self, continuation: Any, details: Any) -> Any:
        handler = await continuation(details)
        if handler is None or handler.request_streaming:
            return handler

        def read(data: bytes) -> Any:
            try:
                return handler.request_deserializer(data)
            except DecodeError:
                return None

        async def answer(request: Any, context: Any) -> Any:
            if request is None:
                await context.abort(Code.INVALID_ARGUMENT, f"The bytes are no request of {details.method}.")
            return await (handler.unary_stream or handler.unary_unary)(request, context)

        kind = (
            grpc.unary_stream_rpc_method_handler
            if handler.response_streaming
            else grpc.unary_unary_rpc_method_handler
        )
        return kind(answer, read, handler.response_serializer)


def make_server(
    service: Service, limits: Limits, token: str | None = None
) -> tuple[grpc.aio.Server, health.aio.HealthServicer]:
    """The gRPC server, not yet bound to an address, and its health service, which asks for no token."""
    server = grpc.aio.server(
        interceptors=[*([] if token is None else [CallGuard(token)]), Reader()],
        maximum_concurrent_rpcs=limits.calls,
        options=[
            ("grpc.max_receive_message_length", limits.body),
            ("grpc.max_send_message_length", -1),
            ("grpc.so_reuseport", 0),
            ("grpc.max_connection_idle_ms", int(limits.idle_time * 1000)),
        ],
    )
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(PredictionService(service), server)
    model_service_pb2_grpc.add_ModelServiceServicer_to_server(ModelService(service), server)
    states = health.aio.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(states, server)
    return server, states


async def tell_health(states: health.aio.HealthServicer, is_ready: bool) -> None:
    status = (
        health_pb2.HealthCheckResponse.SERVING if is_ready else health_pb2.HealthCheckResponse.NOT_SERVING
    )
    await asyncio.gather(*(states.set(name, status) for name in SERVICES))
