"""Versions of models: found on disk, loaded and warmed up in a thread, unloaded after their last request."""

import asyncio
import contextlib
import gc
import logging
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from grpc import StatusCode as Code
from tensorflow_serving.apis import get_model_status_pb2

from vae_tf.serving.server.config_files import ModelConfig, versions_in
from vae_tf.serving.server.metrics import Metrics
from vae_tf.serving.server.saved_model import LoadedModel
from vae_tf.serving.server.status import ServingError, from_exception, invalid

logger = logging.getLogger("vae_tf.serving")
State = get_model_status_pb2.ModelVersionStatus.State


class Version:
    """One version of a model, from being found to having been unloaded."""

    def __init__(self, model_name: str, number: int, metrics: Metrics) -> None:
        self.number = number
        self.model: LoadedModel | None = None
        self.error: ServingError | None = None
        self.in_use = 0
        self.fingerprint: Any = None
        self.gauge = metrics.versions.labels(model_name, str(number))
        self.enter(State.START)

    def enter(self, state: int) -> None:
        self.state = state
        self.gauge.set(state)

    @property
    def is_available(self) -> bool:
        return self.state == State.AVAILABLE

    def unload(self) -> None:
        """At once, or when the last request that uses it is done."""
        self.enter(State.UNLOADING)
        self.release()

    def release(self) -> None:
        if self.state == State.UNLOADING and not self.in_use:
            self.model = None
            self.enter(State.END)


class ServedModel:
    """A model by name, with all of its versions.

    `policy` (which versions to serve) and `labels` (names for versions) may be replaced at any time.
    """

    def __init__(self, config: ModelConfig, metrics: Metrics) -> None:
        self.name = config.name
        self.folder = config.folder
        self.base_path = config.base_path
        self.policy = config.policy
        self.labels = dict(config.labels)
        self.metrics = metrics
        self.versions: dict[int, Version] = {}

    @contextlib.contextmanager
    def lease(self, number: int | None = None, label: str | None = None) -> Iterator[Version]:
        """A version that stays loaded meanwhile: the newest where none is named.

        Raises:
            ServingError: It is unknown, or not available.
        """
        version = self.find(number, label)
        version.in_use += 1
        try:
            yield version
        finally:
            version.in_use -= 1
            version.release()

    def find(self, number: int | None, label: str | None) -> Version:
        if label is not None:
            number = self.number_of(label)
        available = [n for n, version in self.versions.items() if version.is_available]
        wanted = max(available, default=None) if number is None else number
        if wanted not in available:
            request = f"Latest({self.name})" if number is None else f"Specific({self.name}, {number})"
            raise ServingError(Code.NOT_FOUND, f"Servable not found for request: {request}")
        return self.versions[wanted]

    def number_of(self, label: str) -> int:
        if label not in self.labels:
            raise invalid(f"Unrecognized servable version label: {label}")
        return self.labels[label]

    @property
    def is_available(self) -> bool:
        return any(version.is_available for version in self.versions.values())

    def aspired(self, numbers: list[int]) -> list[int]:
        """Those of the versions on disk that the policy wants served."""
        kind = self.policy.WhichOneof("policy_choice")
        if kind == "all":
            return sorted(numbers)
        if kind == "specific":
            return sorted(set(numbers) & set(self.policy.specific.versions))
        return sorted(numbers)[-max(self.policy.latest.num_versions, 1) :]

    async def reconcile(self, loader: ThreadPoolExecutor) -> None:
        """Loads what the policy wants and is on disk; then unloads what it no longer wants."""
        loop = asyncio.get_running_loop()
        on_disk = await loop.run_in_executor(loader, versions_in, self.folder)
        aspired = self.aspired(list(on_disk))
        for number in aspired:
            await self.load(number, on_disk[number], loader)
        # While nothing that is wanted can be served, what was served goes on.
        if any(self.versions[number].is_available for number in aspired):
            for number, version in self.versions.items():
                if version.is_available and number not in aspired:
                    logger.info("%s: unloading version %d", self.name, number)
                    version.unload()
                    await loop.run_in_executor(loader, collect)

    async def load(self, number: int, folder: Path, loader: ThreadPoolExecutor) -> None:
        loop = asyncio.get_running_loop()
        version = self.versions.get(number)
        if version is not None and version.state != State.END:
            return
        fingerprint = await loop.run_in_executor(loader, fingerprint_of, folder)
        if version is not None and version.error is not None and version.fingerprint == fingerprint:
            return  # it failed, and nothing has changed since
        version = self.versions[number] = Version(self.name, number, self.metrics)
        version.fingerprint = fingerprint
        version.enter(State.LOADING)
        began = time.monotonic()
        try:
            version.model = await loop.run_in_executor(loader, LoadedModel, folder)
        except Exception as error:
            version.error = load_error(error)
            version.enter(State.END)
            logger.error("%s: version %d does not load: %s", self.name, number, error)
        else:
            version.enter(State.AVAILABLE)
            await loop.run_in_executor(loader, collect)
            warmed = version.model.num_warmed_up
            logger.info("%s: version %d is available (%d warm-up requests)", self.name, number, warmed)
        status = version.error.code.name if version.error else "OK"
        self.metrics.warm_up.labels(self.name, status).observe((time.monotonic() - began) * 1e6)

    def status(self, number: int | None) -> Any:
        """GetModelStatusResponse of one version, or of all.

        Raises:
            ServingError: There is no such version.
        """
        if number is not None and number not in self.versions:
            raise ServingError(Code.NOT_FOUND, f"Could not find version {number} of model {self.name}")
        response = get_model_status_pb2.GetModelStatusResponse()
        numbers = sorted(self.versions, reverse=True) if number is None else [number]
        for each in numbers:
            version = self.versions[each]
            told = response.model_version_status.add(version=each, state=version.state)
            if version.error is not None:
                told.status.error_code = version.error.code.value[0]
                told.status.error_message = version.error.message
            else:
                told.status.error_code = 0
        return response


def collect() -> None:
    """Frees what no longer is used, and sets the rest apart from later collections.

    TensorFlow leaves a million objects behind. Each parsed JSON list counts towards the next look at all of them, which
    took four fifths of the time of parsing 400,000 numbers.
    """
    gc.unfreeze()
    gc.collect()
    gc.freeze()


def load_error(error: Exception) -> ServingError:
    """What the status says of a version that does not load; the log says all, paths included."""
    told = from_exception(error)
    if told.code == Code.INTERNAL:
        return ServingError(Code.UNKNOWN, f"It cannot be loaded: {type(error).__name__}.")
    return ServingError(told.code, f"It cannot be loaded: {told.code.name}.")


def fingerprint_of(folder: Path) -> tuple[int, int, int]:
    """Changes while files are still being copied: number, newest time of change, bytes."""
    found = [path.stat() for path in folder.rglob("*") if path.is_file()]
    return (
        len(found),
        max((stat.st_mtime_ns for stat in found), default=0),
        sum(stat.st_size for stat in found),
    )


class Models:
    """All models of a server."""

    def __init__(self, configs: list[ModelConfig], metrics: Metrics) -> None:
        self.by_name = {config.name: ServedModel(config, metrics) for config in configs}
        self.loader = ThreadPoolExecutor(1, thread_name_prefix="loader")
        self.lock = asyncio.Lock()

    def find(self, name: str) -> ServedModel | None:
        return self.by_name.get(name)

    @contextlib.contextmanager
    def lease(self, name: str, number: int | None = None, label: str | None = None) -> Iterator[Version]:
        model = self.by_name.get(name)
        if model is None:
            if label is not None:
                raise invalid(f"Unrecognized servable version label: {label}")
            request = f"Latest({name})" if number is None else f"Specific({name}, {number})"
            raise ServingError(Code.NOT_FOUND, f"Servable not found for request: {request}")
        with model.lease(number, label) as version:
            yield version

    def status(self, name: str, number: int | None = None, label: str | None = None) -> Any:
        model = self.by_name.get(name)
        if model is None or not model.versions:
            what = "any versions" if number is None else f"version {number}"
            raise ServingError(Code.NOT_FOUND, f"Could not find {what} of model {name}")
        return model.status(number if label is None else model.number_of(label))

    @property
    def are_available(self) -> bool:
        return all(model.is_available for model in self.by_name.values())

    async def reconcile(self) -> None:
        """Brings what is loaded in line with what is on disk."""
        async with self.lock:
            for model in self.by_name.values():
                try:
                    await model.reconcile(self.loader)
                except OSError as error:
                    logger.error("%s: its folder cannot be read: %s", model.name, error)

    async def watch(self, seconds: float) -> None:
        """Looks at the folders again and again, until cancelled."""
        while True:
            await asyncio.sleep(seconds)
            await self.reconcile()

    def close(self) -> None:
        self.loader.shutdown(wait=False, cancel_futures=True)
