"""The file of a model (.keras), looked through before Keras opens it: whoever made it may wish this machine ill.

Keras builds what the file's configuration names. Here it may name classes of vae_tf alone, besides Keras' own precision
policy; so that no class, function or module that merely happens to be installed can be reached. Weights are plain
numbers in HDF5, without links, and no more memory is taken for weights than the file has numbers for.
"""

import contextlib
import json
import math
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import h5py

from vae_tf.errors import UserError
from vae_tf.strangers import damaged, said

CONFIG, WEIGHTS, METADATA = "config.json", "model.weights.h5", "metadata.json"
LONGEST_CONFIG = 1 << 20  # bytes; those of vae_tf have some 5,000
PACKAGE = "vae_tf>"
# What Keras writes beside a class of its own registry: module, name and registered name.
POLICY = ("keras", "DTypePolicy", None)
# What `config.py` lets anybody ask for; a model keeps figures of every latent dimension, which are no weights.
LARGEST = {"latent_dim": 4096, "image_shape": 1024}
# Steps taken, seeds, trackers: what a model holds beside the weights that its file has.
SPARE_VALUES = 1 << 20


class Unfit(Exception):
    """Why a file is no model of ours, in a few words."""


def load(path: Path) -> Any:
    """The model in a .keras file, ready to compute, not to be trained.

    Raises:
        UserError: It holds something else than a model of vae_tf.
    """
    import keras

    import vae_tf.models  # noqa: F401  (registers the classes that the file names)

    try:
        with zipfile.ZipFile(path) as archive:
            num_values = check(archive)
        with weights_of_at_most(num_values + SPARE_VALUES):
            return keras.models.load_model(path, compile=False, safe_mode=True)
    except (Unfit, UserError) as error:
        raise damaged(path, str(error).splitlines()[0].removesuffix(".")) from None
    except Exception as error:
        # What zipfile, h5py, Keras and TensorFlow raise for bytes that are no model has no common base.
        raise damaged(path, f"{type(error).__name__}: {' '.join(str(error).split())[:200]}") from None


def check(archive: zipfile.ZipFile) -> int:
    """Looks at everything that Keras would read; returns how many numbers the weights are.

    Raises:
        Unfit: Something that Keras does not write for a model of vae_tf.
    """
    items = archive.infolist()
    if sorted(item.filename for item in items) != sorted((CONFIG, WEIGHTS, METADATA)):
        names = ", ".join(said(item.filename) for item in items[:5])
        raise Unfit(f"it holds {names or 'nothing'}, not a configuration, metadata and weights")
    for item in items:
        # What is stored as it is cannot be larger than the file.
        if item.compress_type != zipfile.ZIP_STORED or item.flag_bits & 1:
            raise Unfit(f"{item.filename} is compressed or encrypted, which Keras does not write")
    if archive.getinfo(CONFIG).file_size > LONGEST_CONFIG:
        raise Unfit(f"{CONFIG} is longer than {LONGEST_CONFIG:,} bytes")
    check_config(json.loads(archive.read(CONFIG)))
    with archive.open(WEIGHTS) as file:
        return check_weights(file)


def check_config(config: Any) -> None:
    """Looks at every object that the configuration names.

    Raises:
        Unfit: No model of vae_tf, or a part that is none of vae_tf's.
    """
    from vae_tf.models import MODELS

    known = our_classes()
    if not isinstance(config, dict) or config.get("class_name") not in {m.__name__ for m in MODELS.values()}:
        name = config.get("class_name") if isinstance(config, dict) else config
        raise Unfit(f"{said(name)} is no model of vae_tf")
    pending = [config]
    while pending:
        value = pending.pop()
        if isinstance(value, list):
            pending += value
        elif isinstance(value, dict):
            pending += value.values()
            if value.get("compile_config"):
                raise Unfit("it brings an optimiser along")
            if "class_name" in value:
                check_object(value, known)
            for name, largest in LARGEST.items():
                if name in value and not is_within(value[name], largest):
                    raise Unfit(f"{name} cannot be {said(value[name])}")


def is_within(value: Any, largest: int) -> bool:
    """Whether it is a whole number from 1 to `largest`, or a few of them."""
    if isinstance(value, list):
        return len(value) <= 3 and all(is_within(side, largest) for side in value)
    return type(value) is int and 1 <= value <= largest


def our_classes() -> set[str]:
    """Names under which the classes of vae_tf are registered with Keras, without the package before them."""
    import keras

    registered = keras.saving.get_custom_objects()
    return {
        name.removeprefix(PACKAGE)
        for name, found in registered.items()
        if name.startswith(PACKAGE) and isinstance(found, type)
    }


def check_object(config: dict[str, Any], known: set[str]) -> None:
    """Raises: Unfit: Neither a class of vae_tf nor a precision policy."""
    module, name, registered = (config.get(key) for key in ("module", "class_name", "registered_name"))
    is_ours = isinstance(name, str) and name in known and registered == PACKAGE + name
    if not is_ours and (module, name, registered) != POLICY:
        where = f" of {said(module)}" if module else ""
        raise Unfit(f"it names {said(name)}{where}, which is no part of vae_tf")


def check_weights(file: IO[bytes]) -> int:
    """Looks at every name in an HDF5 file, following no link; returns how many numbers it holds.

    Raises:
        Unfit: A link, data outside of the file, or something else than numbers that are stored as they are.
    """
    total, seen = 0, set[int]()
    with h5py.File(file, "r") as root:
        pending = [root]
        while pending:
            group = pending.pop()
            for name in group:
                if not isinstance(group.get(name, getlink=True), h5py.HardLink):
                    raise Unfit(f"its weights have a link, {said(name)}")
                item = group[name]
                address = h5py.h5o.get_info(item.id).addr
                if address in seen:
                    raise Unfit(f"its weights have {said(name)} twice")
                seen.add(address)
                if isinstance(item, h5py.Group):
                    pending.append(item)
                else:
                    total += num_values(item, name)
    return total


def num_values(item: Any, name: str) -> int:
    """How many numbers a dataset holds.

    Raises:
        Unfit: They are no numbers, or lie elsewhere than in the file.
    """
    if not isinstance(item, h5py.Dataset) or item.dtype.kind not in "fiub":
        raise Unfit(f"its weight {said(name)} is no array of numbers")
    if item.external or item.is_virtual or item.nbytes > item.id.get_storage_size():
        raise Unfit(f"its weight {said(name)} is not stored in the file as it is")
    return int(item.size)


@contextlib.contextmanager
def weights_of_at_most(num_values: int) -> Iterator[None]:
    """Refuses, inside, to make more weights than so many numbers, before memory is taken for them.

    Raises:
        Unfit: They were too many.
    """
    import tensorflow as tf

    left = num_values

    def make(usual: Any, **arguments: Any) -> Any:
        nonlocal left
        value = arguments["initial_value"]
        if callable(value):
            # Traced, not computed: the shape alone is wanted.
            with tf.Graph().as_default():
                left -= math.prod(side or 0 for side in value().shape)
        if left < 0:
            raise Unfit("its parts need more weights than it holds")
        return usual(**arguments)

    with tf.variable_creator_scope(make):
        yield
