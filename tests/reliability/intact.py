"""Whether what lies in a run directory is whole: read with the tools of its formats, not with those that wrote it."""

import hashlib
import io
import json
import zipfile
from pathlib import Path

import h5py
import numpy as np


def files_of(folder: Path) -> dict[str, str]:
    """SHA-256 of every file, by its path."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def finished_stages(run: Path) -> dict[str, dict[str, str]]:
    """The files of every stage that counts as finished, each read through once; raises where one is not whole."""
    stages = {}
    for record in sorted(run.glob("*/stage.json")):
        folder = record.parent
        if folder.name.startswith(".") or folder.name.endswith(".partial"):
            continue
        check_stage(folder, json.loads(record.read_text()))
        stages[folder.name] = files_of(folder)
    return stages


def check_stage(folder: Path, record: dict) -> None:
    text = json.dumps([record["inputs"], record["results"]], sort_keys=True)
    assert hashlib.sha256(text.encode()).hexdigest()[:12] == record["hash"], folder
    assert not [path for path in folder.rglob("*") if "partial" in path.name], folder
    for path in folder.rglob("*"):
        if path.suffix == ".json":
            json.loads(path.read_text())
        elif path.suffix == ".jsonl":
            for line in path.read_text().splitlines():
                json.loads(line)
        elif path.suffix == ".npz":
            with np.load(path, allow_pickle=False) as arrays:
                for name in arrays.files:
                    assert arrays[name] is not None
    if record["stage"] == "train":
        model = (folder / "vae.keras").read_bytes()
        assert hashlib.sha256(model).hexdigest()[:12] == record["results"]["model"]
    if record["stage"] == "export":
        assert (folder / "1" / "saved_model.pb").stat().st_size
        assert (folder / "models.config").exists()


def check_caches(cache: Path) -> None:
    """Every cache that counts holds the pixels that its index speaks of."""
    for index in cache.glob("*/index.json"):
        if index.parent.name.startswith("."):
            continue
        facts = json.loads(index.read_text())
        size = len(facts["positions"]) * int(np.prod(facts["shape"])) * np.dtype(facts["dtype"]).itemsize
        assert (index.parent / "pixels.raw").stat().st_size == size, index


def weights_of(run: Path) -> dict[str, bytes]:
    """Every array of train/vae.keras, by its path in the file."""
    found: dict[str, bytes] = {}
    with zipfile.ZipFile(run / "train" / "vae.keras") as archive:
        data = io.BytesIO(archive.read("model.weights.h5"))

    def note(name: str, item: object) -> None:
        if isinstance(item, h5py.Dataset):
            found[name] = np.asarray(item).tobytes()

    with h5py.File(data) as file:
        file.visititems(note)
    assert found
    return found


def arrays_of(path: Path) -> dict[str, bytes]:
    with np.load(path, allow_pickle=False) as arrays:
        return {name: arrays[name].tobytes() for name in arrays.files}


def leftovers(root: Path) -> list[str]:
    """What commands write and must not leave: temporary siblings and locks."""
    return [
        path.relative_to(root).as_posix()
        for path in root.rglob("*")
        if path.name.startswith(".partial-") or path.name.endswith(".lock")
    ]
