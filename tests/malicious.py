"""Models that somebody made to harm whoever opens them: each is a .keras file of ours with one thing changed."""

import copy
import io
import json
import stat
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np

CONFIG, WEIGHTS, METADATA = "config.json", "model.weights.h5", "metadata.json"


class Parts:
    """What is in a .keras file; its members may be changed, and are then written anew.

    Args:
        path: A file that Keras wrote.
    """

    def __init__(self, path: Path) -> None:
        with zipfile.ZipFile(path) as archive:
            self.members = {name: archive.read(name) for name in archive.namelist()}

    @property
    def config(self) -> Any:
        return json.loads(self.members[CONFIG])

    def with_config(self, config: Any) -> dict[str, bytes]:
        return {**self.members, CONFIG: json.dumps(config).encode()}

    def with_object(self, item: dict[str, Any], part: str = "encoder") -> dict[str, bytes]:
        """With another object in the place of a part."""
        config = self.config
        config["config"][part] = item
        return self.with_config(config)

    def with_weights(self, change: Callable[[h5py.File], None]) -> dict[str, bytes]:
        """With other weights; `change` is given the file, to be written."""
        stream = io.BytesIO(self.members[WEIGHTS])
        with h5py.File(stream, "r+") as file:
            change(file)
        return {**self.members, WEIGHTS: stream.getvalue()}


def write(path: Path, members: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def named(module: str | None, name: str, config: Any = None, registered: str | None = None) -> dict[str, Any]:
    """An object as Keras serialises it."""
    return {
        "module": module,
        "class_name": name,
        "config": {} if config is None else config,
        "registered_name": registered,
    }


def first_dataset(file: h5py.File) -> tuple[Any, str]:
    """The group and the name of some weight."""
    found: list[str] = []
    file.visititems(lambda name, item: found.append(name) if isinstance(item, h5py.Dataset) else None)
    group, _, name = max(found).rpartition("/")
    return file[group], name


def replaced(make: Callable[[Any, str, Any], None]) -> Callable[[h5py.File], None]:
    """A change of weights that puts something else in the place of one; `make` is given group, name and old values."""

    def change(file: h5py.File) -> None:
        group, name = first_dataset(file)
        values = group[name][...]
        del group[name]
        make(group, name, values)

    return change


def code_that_touches(marker: Path) -> dict[str, Any]:
    """A Python lambda, as Keras keeps one, that makes the file `marker` when it is called."""
    from keras.src.utils.python_utils import func_dump

    source = f"lambda x: (open({str(marker)!r}, 'w').close(), x)[1]"
    return {"class_name": "__lambda__", "config": {"value": func_dump(eval(source))}}


def objects(marker: Path, secret: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Objects that run code, read a file, ask the network or load another model."""
    touch, code = f"touch {marker}", f"open({str(marker)!r}, 'w')"
    dumped = code_that_touches(marker)
    yield "lambda", dumped
    yield "Lambda layer", named("keras.layers", "Lambda", {"function": dumped, "arguments": {}})
    yield "lambda under our name", {**dumped, "module": "vae_tf.model", "registered_name": "vae_tf>VAE"}
    yield "lambda as its own name", {**dumped, "registered_name": "vae_tf>__lambda__"}
    yield "lambda as an activation", named("keras.layers", "Dense", {"units": 1, "activation": dumped})
    yield "os.system", named("os", "system", {"command": touch})
    yield "os.system as a function", named("os", "function", "system", "system")
    yield "subprocess.Popen", named("subprocess", "Popen", {"args": ["touch", str(marker)]})
    yield "builtins.eval", named("builtins", "eval", {"source": code})
    yield "builtins.eval as a function", named("builtins", "function", "eval", "eval")
    yield "importlib", named("importlib", "import_module", {"name": "antigravity"})
    yield "pickle.loads", named("pickle", "loads", {})
    yield (
        "get_file",
        named("keras.utils", "get_file", {"fname": str(marker), "origin": secret.as_uri()}, "get_file"),
    )
    yield "get_file as a function", named("keras.utils", "function", "get_file", "get_file")
    yield "load_model", named("keras.models", "load_model", {"filepath": str(secret), "safe_mode": False})
    yield "load_img", named("keras.utils", "load_img", {"path": str(secret)})
    yield "enable_unsafe_deserialization", named("keras.config", "enable_unsafe_deserialization")
    yield "func_load", named("keras.src.utils.python_utils", "func_load", {"code": dumped["config"]["value"]})
    yield "TFSMLayer", named("keras.layers", "TFSMLayer", {"filepath": str(secret.parent)})
    yield "TorchModuleWrapper", named("keras.layers", "TorchModuleWrapper", {"module": "gASVAA=="})
    yield "JaxLayer", named("keras.layers", "JaxLayer", {"call_fn": dumped})
    yield "StringLookup", named("keras.layers", "StringLookup", {"vocabulary": str(secret)})
    yield "IntegerLookup", named("keras.layers", "IntegerLookup", {"vocabulary": str(secret)})
    yield (
        "TextVectorization",
        named("keras.layers", "TextVectorization", {"vocabulary": "https://attacker.invalid/words"}),
    )
    yield (
        "Sequential",
        named("keras", "Sequential", {"layers": [named("keras.layers", "Lambda", {"function": dumped})]}),
    )
    yield "Functional", named("keras", "Functional", {"layers": [], "input_layers": [], "output_layers": []})
    yield "tensor", named(None, "__tensor__", {"value": [1], "dtype": "float32"})
    yield "typespec", {**named("tensorflow", "__typespec__", []), "spec_name": "TensorSpec"}
    yield "TensorFlow's function", named("tensorflow", "function", "io.write_file", "io.write_file")
    yield "our own function that is no class", named("vae_tf.parts.activations", "silu", {}, "vae_tf>silu")
    yield (
        "our package, not registered",
        named("vae_tf.artifacts.runs", "delete_folder", {"folder": str(secret.parent)}),
    )
    yield "a name that is no text", named("os", ["system"], {})  # type: ignore[arg-type]
    yield "a vae in the vae", {**named("keras", "Model", {}), "registered_name": "keras>Model"}


def configurations(parts: Parts, marker: Path, secret: Path) -> Iterator[tuple[str, dict[str, bytes]]]:
    """Files whose configuration is the attack."""
    for name, item in objects(marker, secret):
        yield f"object: {name}", parts.with_object(item)
        yield f"the model itself: {name}", parts.with_config(item)
        deep = parts.config
        deep["config"]["decoder"]["config"]["activity_regularizer"] = {"inside": [{"a list": item}]}
        yield f"deep inside: {name}", parts.with_config(deep)
    compiled = parts.config
    compiled["config"]["encoder"]["compile_config"] = {"optimizer": code_that_touches(marker)}
    yield "an optimiser", parts.with_config(compiled)
    yield "nested too deeply", {**parts.members, CONFIG: b'{"a":' * 100_000 + b"1" + b"}" * 100_000}
    yield "a long list", {**parts.members, CONFIG: b"[" + b"1," * (1 << 20) + b"1]"}
    yield "no JSON", {**parts.members, CONFIG: b"\x80\x04\x95"}
    yield "a number of a million digits", {**parts.members, CONFIG: b"9" * 1_000_000}
    for document in (None, [], "vae_tf>VAE", 3, {}, {"class_name": ["VAE"]}, {"class_name": {}}):
        yield f"the document {document!r}", parts.with_config(document)
    for width in (10**6, 10**9, 10**15, -1, "wide", None, 1e300):
        config = parts.config
        config["config"]["encoder"]["config"]["widths"] = [width, width]
        yield f"widths of {width!r}", parts.with_config(config)
    many = parts.config
    many["config"]["encoder"]["config"]["widths"] = [1500] * 300
    yield "three hundred layers", parts.with_config(many)
    for key, value in {
        "latent_dim": 10**9,
        "image_shape": [10**6, 10**6, 3],
        "seed": "x",
        "unknown": 1,
    }.items():
        config = parts.config
        config["config"][key] = value
        yield f"{key} {value!r}", parts.with_config(config)


def weights(parts: Parts, secret: Path) -> Iterator[tuple[str, dict[str, bytes]]]:
    """Files whose weights are the attack."""

    def made(make: Callable[[Any, str, Any], None]) -> dict[str, bytes]:
        return parts.with_weights(replaced(make))

    def external_link(group: Any, name: str, values: Any) -> None:
        group[name] = h5py.ExternalLink(str(secret), "/secret")

    def soft_link(group: Any, name: str, values: Any) -> None:
        group[name] = h5py.SoftLink("/elsewhere")

    def external_data(group: Any, name: str, values: Any) -> None:
        group.create_dataset(
            name, values.shape, values.dtype, external=[(str(secret), 0, h5py.h5f.UNLIMITED)]
        )

    def virtual(group: Any, name: str, values: Any) -> None:
        layout = h5py.VirtualLayout(values.shape, values.dtype)
        layout[...] = h5py.VirtualSource(str(secret), "secret", shape=values.shape)
        group.create_virtual_dataset(name, layout)

    def circle(group: Any, name: str, values: Any) -> None:
        group[name] = group.file["/"]

    def bomb(group: Any, name: str, values: Any) -> None:
        group.create_dataset(name, (1 << 40,), "f4", chunks=(1 << 20,), compression="gzip", fillvalue=0)

    def texts(group: Any, name: str, values: Any) -> None:
        group.create_dataset(name, data=["text"], dtype=h5py.string_dtype())

    def references(group: Any, name: str, values: Any) -> None:
        group.create_dataset(name, data=[group.ref], dtype=h5py.ref_dtype)

    def packed(group: Any, name: str, values: Any) -> None:
        group.create_dataset(name, data=np.zeros((1000, 1000), "f4"), compression="gzip")

    def other_shape(group: Any, name: str, values: Any) -> None:
        group.create_dataset(name, data=np.zeros((3, 1, 4), "f4"))

    def a_type(group: Any, name: str, values: Any) -> None:
        group[name] = np.dtype("f4")

    for make in (
        external_link,
        soft_link,
        external_data,
        virtual,
        circle,
        bomb,
        texts,
        references,
        packed,
        other_shape,
        a_type,
    ):
        yield f"weights: {make.__name__}", made(make)
    yield "weights: none", parts.with_weights(lambda file: file.clear())
    yield "weights: no HDF5", {**parts.members, WEIGHTS: b"\x89HDF\r\n\x1a\n" + bytes(500)}
    yield "weights: cut", {**parts.members, WEIGHTS: parts.members[WEIGHTS][:3000]}


def archives(parts: Parts, path: Path, marker: Path) -> Iterator[tuple[str, Path]]:
    """Files whose archive is the attack, written to `path` one after the other."""
    members = parts.members
    yield "compressed", write(path, members, zipfile.ZIP_DEFLATED)
    yield "another name beside", write(path, {**members, f"../{marker.name}": b"x"})
    yield "an absolute name", write(path, {**members, str(marker): b"x"})
    yield "assets", write(path, {**members, "assets/words.txt": b"x"})
    yield "pickled weights", write(path, {**without(members, WEIGHTS), "model.weights.npz": pickled(marker)})
    yield "no weights", write(path, without(members, WEIGHTS))
    yield "no configuration", write(path, without(members, CONFIG))
    yield "nothing", write(path, {})
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in (*members.items(), (CONFIG, b"{}")):
            archive.writestr(name, content)
    yield "two configurations", path
    with zipfile.ZipFile(path, "w") as archive:
        link = zipfile.ZipInfo(WEIGHTS)
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        for name, content in without(members, WEIGHTS).items():
            archive.writestr(name, content)
        archive.writestr(link, "/etc/passwd")
    yield "a symbolic link", path
    path.write_bytes(b"\x80\x04\x95")
    yield "a pickle", path
    path.write_bytes(b"")
    yield "an empty file", path
    path.write_bytes(b"PK\x05\x06" + bytes(18))
    yield "an empty archive", path


def without(members: dict[str, bytes], name: str) -> dict[str, bytes]:
    return {key: content for key, content in members.items() if key != name}


class Touch:
    """Pickled, an instruction to make a file when it is unpickled."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Any, tuple[str, str]]:
        return open, (str(self.marker), "w")


def pickled(marker: Path) -> bytes:
    """An .npz with an array of objects that makes a file when it is unpickled."""
    stream = io.BytesIO()
    np.savez(stream, weights=np.array([Touch(marker)], dtype=object))
    return stream.getvalue()


def all_files(parts: Parts, path: Path, marker: Path, secret: Path) -> Iterator[tuple[str, Path]]:
    """Every attack, written to `path` one after the other, with its name."""
    for name, members in configurations(parts, marker, secret):
        yield name, write(path, copy.copy(members))
    for name, members in weights(parts, secret):
        yield name, write(path, members)
    yield from archives(parts, path, marker)
