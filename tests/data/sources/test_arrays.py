"""Arrays as sources: which are pictures, what their values mean, what stands beside them, and what is refused."""

import contextlib
import io
import pickle
import tempfile
import tracemalloc
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from vae_tf.config import DataConfig
from vae_tf.data.cache import choose_shape, open_cache
from vae_tf.data.sources.array_choice import split_name
from vae_tf.data.sources.array_files import CHUNK_BYTES
from vae_tf.data.sources.arrays import ArraySource, is_array_file, open_arrays
from vae_tf.errors import UserError

RANDOM = np.random.default_rng(0)
BYTES = RANDOM.integers(0, 256, (40, 9, 7, 3), dtype=np.uint8)


def open_file(path: Path, **options: Any) -> ArraySource:
    return open_arrays(path, DataConfig(source=str(path), **options))


def saved(folder: Path, array: NDArray[Any], **options: Any) -> ArraySource:
    np.save(folder / "stack.npy", array)
    return open_file(folder / "stack.npy", **options)


def saved_with(folder: Path, compressed: bool = False, **arrays: Any) -> ArraySource:
    (np.savez_compressed if compressed else np.savez)(folder / "set.npz", **arrays)
    return open_file(folder / "set.npz")


def pictures_of(source: ArraySource) -> NDArray[Any]:
    pictures = [source.read(i) for i in range(len(source.entries))]
    assert [picture.shape for picture in pictures] == [source.shape(i) for i in range(len(pictures))]
    return np.stack(pictures)


@given(
    sides=st.tuples(st.integers(1, 6), st.integers(5, 9), st.integers(5, 9)),
    channels=st.sampled_from([None, 1, 3]),
    first=st.booleans(),
    dtype=st.sampled_from(["|b1", "|u1", "<u2", ">u2", "<i8", ">i4", "<f2", ">f4", "<f8"]),
    order=st.sampled_from("CF"),
    how=st.sampled_from(["npy", "npz", "compressed"]),
    seed=st.integers(0, 99),
)
@settings(max_examples=60, deadline=None)
def test_pictures_come_back_whatever_their_type_order_and_file(
    sides: tuple[int, int, int],
    channels: int | None,
    first: bool,
    dtype: str,
    order: Any,
    how: str,
    seed: int,
) -> None:
    count, height, width = sides
    values = np.random.default_rng(seed).integers(0, 256, (count, height, width, channels or 1))
    values[0, 0, 0] = 255
    stored = values % 2 if dtype == "|b1" else values
    if channels is None:
        stored = stored[..., 0]
    elif first:
        stored = np.moveaxis(stored, -1, 1)
    stored = np.asarray(stored.astype(dtype), order=order)
    with tempfile.TemporaryDirectory() as folder:
        if how == "npy":
            source = saved(Path(folder), stored)
        else:
            source = saved_with(Path(folder), how == "compressed", images=stored)
        pictures = pictures_of(source)
    kind = np.dtype(dtype).kind
    expected = (values % 2 * 255 if kind == "b" else values).astype("f4" if kind == "f" else "u1")
    assert source.dtype == pictures.dtype.name == ("float32" if kind == "f" else "uint8")
    assert pictures.dtype.isnative and np.array_equal(pictures, expected)
    assert source.value_range == ((0, 255) if kind == "f" else None)


@pytest.mark.parametrize(
    ("values", "dtype", "value_range", "said"),
    [
        (np.array([0, 1], "u1"), "uint8", (0, 1), "Values 0 to 1: 1 is taken as white (--range 0:255"),
        (np.array([0, 63], "u1"), "uint8", (0, 63), "63 is taken as white"),
        (np.array([0, 64], "u1"), "uint8", None, ""),
        (np.array([0, 16], "i8"), "uint8", (0, 16), "16 is taken as white"),
        (np.array([3, 4011], "u2"), "uint16", (0, 4095), "Values up to 4,011: read as 12 bits"),
        (np.array([3, 1023], "u2"), "uint16", (0, 1023), "10 bits"),
        (np.array([3, 1024], "u2"), "uint16", (0, 4095), "12 bits"),
        (np.array([3, 16383], "i4"), "uint16", (0, 16383), "14 bits"),
        (np.array([3, 16384], "u2"), "uint16", None, ""),
        (np.array([-3, 16384], "i4"), "float32", (-3, 16384), "-3 is black, 16,384 white"),
        (np.array([0, 65536], "i8"), "float32", (0, 65536), "kept as float32"),
        (np.array([0, 1], "f4"), "float32", None, ""),
        (np.array([0.2, 0.8], "f8"), "float32", None, ""),
        (np.array([0, 0.8, np.nan, np.inf], "f8"), "float32", None, ""),
        (np.array([-0.2, 1], "f4"), "float32", (-1, 1), "−1 is black"),
        (np.array([0, 255], "f4"), "float32", (0, 255), "255 is white"),
        (np.array([0, 16], "f8"), "float32", (0, 16), "16 is taken as white"),
        (np.array([0, 200.4], "f4"), "float32", (0, np.float32(200.4)), "Values 0 to 200.4"),
        (np.array([-3, 5, -np.inf], "f8"), "float32", (-3, 5), "Values -3 to 5: -3 is black, 5 white"),
        (np.array([7, 7], "f8"), "float32", None, ""),
        (np.array([np.nan, np.nan], "f8"), "float32", None, ""),
    ],
)
def test_what_values_mean_is_said(
    tmp_path: Path, values: NDArray[Any], dtype: str, value_range: tuple[float, float] | None, said: str
) -> None:
    array = np.resize(values, (6, 8, 8))
    source = saved(tmp_path, array)
    assert (source.dtype, source.value_range) == (dtype, value_range)
    notes = [note for note in source.notes if "kept as uint" not in note]
    assert said in " ".join(notes) and bool(said) == bool(notes)
    assert np.array_equal(source.read(1)[..., 0], array[1].astype(dtype), equal_nan=True)


def test_a_value_in_the_last_chunk_counts(tmp_path: Path) -> None:
    array = np.zeros((CHUNK_BYTES // 4096 + 5, 64, 64), np.uint8)
    array[0, 0, 0] = 1
    array[-1, 5, 5] = 40
    assert saved(tmp_path, array).value_range == (0, 40)


def test_the_users_range_silences_the_guess(tmp_path: Path) -> None:
    array = np.resize(np.array([0, 200], "u2"), (6, 8, 8))
    given_range = saved(tmp_path, array, value_range=(0, 4095))
    assert (given_range.dtype, given_range.value_range, given_range.notes) == ("uint16", (0, 4095), [])
    guessed = saved(tmp_path, array)
    assert (guessed.dtype, guessed.notes) == ("uint8", ["Values up to 200 (uint16) are kept as uint8."])
    floats = saved(tmp_path, array * 0.5 - 3, value_range=(-3, 97))
    assert (floats.value_range, floats.notes) == ((-3, 97), [])


def test_depth_is_kept_in_the_cache_and_what_is_not_finite_is_skipped(tmp_path: Path) -> None:
    deep = RANDOM.integers(0, 4096, (6, 8, 8)).astype(np.uint16)
    deep[0, 0, 0] = 4095
    source = saved(tmp_path, deep)
    images = open_cache(source, choose_shape(source, None, None, "crop"), tmp_path / "cache").images
    assert images.dtype == np.uint16
    assert np.array_equal(images[..., 0], np.rint(deep * (65535 / 4095)))
    floats = RANDOM.random((6, 8, 8)) * 8 - 3
    floats[0, :2, 0], floats[4, 1, 1] = (-3, 5), np.nan
    source = saved(tmp_path, floats)
    cache = open_cache(source, choose_shape(source, None, None, "crop"), tmp_path / "cache")
    assert cache.skipped == [("images/4", "holds values that are no finite numbers")]
    assert np.allclose(cache.images[..., 0], (np.delete(floats, 4, 0) + 3) / 8, atol=1e-6)


@pytest.mark.parametrize("dtype", ["u1", "f4"])
def test_transparency_is_laid_on_white(tmp_path: Path, dtype: str) -> None:
    white = 255 if dtype == "u1" else 1
    array = np.zeros((5, 8, 8, 4), dtype)
    array[..., :3] = RANDOM.random((5, 8, 8, 3)) * white
    array[:, :4, :, 3] = white
    source = saved(tmp_path, array)
    pictures = pictures_of(source)
    assert np.array_equal(pictures[:, :4], array[:, :4, :, :3])
    assert (pictures[:, 4:] == white).all()
    assert source.notes == ["Transparent pixels of stack were laid on white."]


def test_rows_become_pictures_where_they_can_be_nothing_else(tmp_path: Path) -> None:
    rows = RANDOM.integers(0, 256, (400, 64), dtype=np.uint8)
    source = saved(tmp_path, rows)
    assert np.array_equal(pictures_of(source)[..., 0], rows.reshape(-1, 8, 8))
    assert source.notes == ["Rows of 64 numbers were taken as 8×8 pictures."]
    square = RANDOM.integers(0, 256, (64, 64), dtype=np.uint8)
    with pytest.raises(UserError, match="may be one picture") as caught:
        saved(tmp_path, square)
    assert "--key stack" in caught.value.hint
    assert saved(tmp_path, square, key="stack").read(3).shape == (8, 8, 1)
    assert saved_with(tmp_path, x=square, y=np.arange(64) % 3).read(3).shape == (8, 8, 1)


@pytest.mark.parametrize("planes", [True, False])
def test_the_order_of_colours_in_rows_is_seen_in_the_pictures(tmp_path: Path, planes: bool) -> None:
    ramp = np.linspace(0, 1, 16)
    across = np.sin(9 * ramp[None, :, None] + np.arange(3))
    pictures = 120 + 60 * across + 50 * ramp[:, None, None] + RANDOM.normal(0, 3, (90, 16, 16, 3))
    pictures = np.clip(pictures, 0, 255).astype(np.uint8)
    rows = (np.moveaxis(pictures, -1, 1) if planes else pictures).reshape(90, -1)
    assert np.array_equal(pictures_of(saved_with(tmp_path, data=rows, labels=np.arange(90) % 2)), pictures)


def test_rows_of_noise_have_no_order_of_colours(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="order of colours can't be told"):
        saved(tmp_path, RANDOM.integers(0, 256, (400, 48), dtype=np.uint8))


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((100, 120), "single picture"),
        ((100, 120, 3), "single picture"),
        ((9, 20, 20, 2), "2 channels"),
        ((3, 4, 20, 20, 3), "no stack of pictures"),
        ((50,), "no stack of pictures"),
        ((9, 3, 9), "cannot|can be used"),
        ((0, 8, 8), "is empty"),
    ],
)
def test_other_shapes_are_refused_with_the_shape(
    tmp_path: Path, shape: tuple[int, ...], message: str
) -> None:
    with pytest.raises(UserError, match=message) as caught:
        saved(tmp_path, np.zeros(shape))
    assert "×".join(map(str, shape)) in str(caught.value) or "empty" in message


def test_parts_labels_and_names(tmp_path: Path) -> None:
    source = saved_with(
        tmp_path,
        X_test=BYTES[:5],
        y_test=np.arange(5) % 3,
        X_train=BYTES[5:25],
        y_train=np.arange(20)[:, None] % 3,
        label_names=np.array(["cat", "dog", "cow"]),
        age_train=np.arange(20) / 2,
    )
    assert [entry.path for entry in source.entries[:2]] == ["train/00", "train/01"]
    assert [(entry.path, entry.part) for entry in source.entries[-2:]] == [
        ("test/3", "test"),
        ("test/4", "test"),
    ]
    assert [entry.part for entry in source.entries] == [None] * 20 + ["test"] * 5
    names = ["cat", "dog", "cow"]
    assert [e.label for e in source.entries] == [names[i % 3] for i in [*range(20), *range(5)]]
    assert source.facts == {"age": [i / 2 for i in range(20)] + [None] * 5}
    assert np.array_equal(pictures_of(source), np.concatenate([BYTES[5:25], BYTES[:5]]))


def test_validation_pictures_and_a_key(tmp_path: Path) -> None:
    arrays = {"images_val": BYTES[:3], "images_train": BYTES[3:20], "masks": BYTES[..., 0]}
    source = saved_with(tmp_path, **arrays)
    assert [entry.part for entry in source.entries] == [None] * 17 + ["validation"] * 3
    only = open_file(tmp_path / "set.npz", key="images_val")
    assert [(e.path, e.part) for e in only.entries] == [(f"validation/{i}", None) for i in range(3)]
    assert len(open_file(tmp_path / "set.npz", key="images").entries) == 20
    assert open_file(tmp_path / "set.npz", key="masks").entries[-1].path == "images/39"
    assert len({open_file(tmp_path / "set.npz", key=k).fingerprint() for k in ("masks", "images")}) == 2
    with pytest.raises(UserError, match="no array 'nope'") as caught:
        open_file(tmp_path / "set.npz", key="nope")
    assert "'masks': 40×9×7 uint8" in caught.value.hint


def test_which_array_is_the_pictures(tmp_path: Path) -> None:
    table = RANDOM.random((40, 64))
    assert saved_with(tmp_path, features=table, faces=BYTES).shape(0) == (9, 7, 3)
    assert saved_with(tmp_path, masks=BYTES[..., 0], imgs=BYTES).shape(0) == (9, 7, 3)
    with pytest.raises(UserError, match="several arrays that may be the pictures: a, b") as caught:
        saved_with(tmp_path, a=BYTES, b=BYTES)
    assert "--key" in caught.value.hint
    with pytest.raises(UserError, match="several arrays that may be the pictures: x_train, train_x"):
        saved_with(tmp_path, x_train=BYTES, train_x=BYTES)
    with pytest.raises(UserError, match="no array of pictures") as caught:
        saved_with(tmp_path, ages=np.arange(3), names=np.array(["a"]))
    assert "'ages': 3 int64" in caught.value.hint
    with pytest.raises(UserError, match="different types: uint8, float64"):
        saved_with(tmp_path, x_train=BYTES, x_test=BYTES / 255)


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        (np.arange(40) % 4, [str(i % 4) for i in range(40)]),
        (np.arange(40.0) % 4, [str(i % 4) for i in range(40)]),
        (np.eye(4)[np.arange(40) % 4], [str(i % 4) for i in range(40)]),
        (np.array(["a", "b"] * 20), ["a", "b"] * 20),
        (np.array([b"a", b"b"] * 20), ["a", "b"] * 20),
        (np.arange(40) % 2 == 0, ["1", "0"] * 20),
        (np.resize([0, np.nan, 1, 1], 40), ["0", None, "1", "1"] * 10),
    ],
)
def test_labels(tmp_path: Path, labels: NDArray[Any], expected: list[str | None]) -> None:
    source = saved_with(tmp_path, images=BYTES, target=labels)
    assert [entry.label for entry in source.entries] == expected
    assert source.facts == {}


@pytest.mark.parametrize("labels", [np.arange(40) / 8, np.arange(40), np.arange(40) * 0 + np.nan])
def test_measurements_called_labels_are_facts(tmp_path: Path, labels: NDArray[Any]) -> None:
    source = saved_with(tmp_path, images=BYTES, y=labels)
    assert {entry.label for entry in source.entries} == {None}
    assert source.facts["y"] == [None if np.isnan(value) else value for value in labels.tolist()]


def test_names_that_do_not_fit_the_labels_are_said(tmp_path: Path) -> None:
    source = saved_with(tmp_path, images=BYTES, y=np.arange(40) % 4, class_names=np.array(["a", "b"]))
    assert source.entries[1].label == "1"
    assert any("2 names of classes were not used" in note for note in source.notes)
    source = saved_with(tmp_path, images=BYTES, y=np.arange(7))
    assert any("y was not used: 7 values for 40 pictures" in note for note in source.notes)


def test_facts_and_groups(tmp_path: Path) -> None:
    columns = {
        "person": np.arange(40) // 4,
        "age": np.where(np.arange(40) % 2, np.nan, 30.5),
        "name": np.array([f"ü{i}" for i in range(40)]),
        "place": RANDOM.random((40, 2)),
        "wide": RANDOM.random((40, 21)),
        "short": np.arange(39),
        "factor_sizes": np.array([5, 8]),
    }
    source = saved_with(tmp_path, images=BYTES, groups=np.arange(40) // 8, **columns)
    assert [entry.group for entry in source.entries] == [str(i // 8) for i in range(40)]
    assert set(source.facts) == {"person", "age", "name", "place_0", "place_1", "factor_0", "factor_1"}
    assert source.facts["age"][:2] == [30.5, None] and source.facts["name"][3] == "ü3"
    assert source.facts["place_1"] == columns["place"][:, 1].tolist()
    assert any("Not used: wide" in note for note in source.notes)
    by_path = open_file(tmp_path / "set.npz", group_by=r"images/(\d)")
    assert [entry.group for entry in by_path.entries] == [str(i // 10) for i in range(40)]


def test_a_full_factorial_gives_a_fact_per_factor(tmp_path: Path) -> None:
    names = np.array(["body", "hair", "pose"])
    source = saved_with(tmp_path, imgs=BYTES, factor_sizes=np.array([2, 4, 5]), factor_names=names)
    expected = [(b, h, p) for b in range(2) for h in range(4) for p in range(5)]
    assert list(zip(*source.facts.values(), strict=True)) == expected
    assert list(source.facts) == names.tolist()
    wrong = saved_with(tmp_path, imgs=BYTES, factor_sizes=np.array([2, 4, 4]), factor_names=names)
    assert wrong.facts == {}


class Trap:
    def __reduce__(self) -> Any:
        return (open, ("unpickled", "w"))


def test_nothing_is_unpickled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    trap = np.array([Trap()], dtype=object)
    np.savez("set.npz", imgs=BYTES, metadata=trap, allow_pickle=True)
    source = open_file(Path("set.npz"))
    assert any("metadata holds Python objects" in note for note in source.notes)
    with pytest.raises(UserError, match="never unpickled"):
        open_file(Path("set.npz"), key="metadata")
    np.save("trap.npy", trap, allow_pickle=True)
    with pytest.raises(UserError, match="never unpickled"):
        open_file(Path("trap.npy"))
    Path("raw.npy").write_bytes(pickle.dumps(Trap()))
    with pytest.raises(UserError, match="no array that NumPy wrote"):
        open_file(Path("raw.npy"))
    assert not Path("unpickled").exists()


def header(**fields: Any) -> bytes:
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(file, {"descr": "|u1", "fortran_order": False, **fields})
    return file.getvalue()


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize("shape", [(10**6, 1000, 1000), (3, 8, 8), (-1, -8, 8)])
def test_a_header_that_lies_is_refused(tmp_path: Path, shape: tuple[int, ...], compression: int) -> None:
    content = header(shape=shape) + bytes(1000)
    (tmp_path / "lie.npy").write_bytes(content)
    with zipfile.ZipFile(tmp_path / "lie.npz", "w", compression) as archive:
        archive.writestr("x.npy", content)
    for name in ("lie.npy", "lie.npz"):
        with pytest.raises(UserError, match=r"promises|cannot be \(-1"):
            open_file(tmp_path / name)


@pytest.mark.parametrize(
    "content", [b"", b"PK", b"\x93NUMPY", b"\x93NUMPY\x02\0\xff\xff\xff\xff{}", b"x" * 999]
)
def test_garbage_is_one_error(tmp_path: Path, content: bytes) -> None:
    for name in ("g.npy", "g.npz"):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(UserError, match=r"g\.np"):
            open_file(tmp_path / name)


@given(position=st.integers(0, 10_000), value=st.integers(0, 255), compressed=st.booleans())
@settings(max_examples=80, deadline=None)
def test_a_damaged_byte_is_an_error_for_the_user_or_none(position: int, value: int, compressed: bool) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "set.npz")
        (np.savez_compressed if compressed else np.savez)(path, x=BYTES[:9], y=np.arange(9) % 2)
        content = bytearray(path.read_bytes())
        content[position % len(content)] = value
        path.write_bytes(content)
        with contextlib.suppress(UserError):
            pictures_of(open_file(path))


@pytest.mark.parametrize("compressed", [False, True])
def test_pictures_are_not_loaded(tmp_path: Path, compressed: bool) -> None:
    array = np.full((2000, 64, 64, 3), 7, np.uint8)
    array[0, 0, 0, 0] = 255
    (np.savez_compressed if compressed else np.savez)(tmp_path / "set.npz", images=array)
    tracemalloc.start()
    source = open_file(tmp_path / "set.npz")
    assert source.read(1999).max() == 7
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    # Two buffers of the unpacking at most stand beside each other, and the zip file's own.
    assert peak < 4.5 * CHUNK_BYTES if compressed else peak < array.nbytes / 10


def test_no_room_to_unpack_is_told_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    np.savez_compressed(tmp_path / "set.npz", images=BYTES)
    usage = type("Usage", (), {"free": 1000})
    monkeypatch.setattr("vae_tf.data.sources.array_files.shutil.disk_usage", lambda folder: usage)
    with pytest.raises(UserError, match="bytes of temporary space") as caught:
        open_file(tmp_path / "set.npz")
    assert "TMPDIR" in caught.value.hint


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_other_compression_than_numpys_is_refused(tmp_path: Path, method: int) -> None:
    np.save(tmp_path / "x.npy", BYTES)
    with zipfile.ZipFile(tmp_path / "set.npz", "w", method) as archive:
        archive.write(tmp_path / "x.npy", "x.npy")
    with pytest.raises(UserError, match="another method than NumPy's"):
        open_file(tmp_path / "set.npz")


def test_the_fingerprint_follows_the_file(tmp_path: Path) -> None:
    first = saved(tmp_path, BYTES).fingerprint()
    assert open_file(tmp_path / "stack.npy").fingerprint() == first
    assert saved(tmp_path, BYTES[:-1]).fingerprint() != first


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("x_train", ("x", "train")),
        ("test_images", ("images", "test")),
        ("a/valid/x", ("a/x", "validation")),
        ("training-labels", ("labels", "train")),
        ("contest", ("contest", "")),
        ("testosterone", ("testosterone", "")),
    ],
)
def test_split_name(key: str, expected: tuple[str, str]) -> None:
    assert split_name(key) == expected


def test_files_of_arrays_are_known_by_name() -> None:
    yes = ["a.npz", "a.NPY", "a.h5", "a.hdf5", "t10k-images-idx3-ubyte.gz", "t.idx3-ubyte"]
    assert all(is_array_file(Path(name)) for name in yes)
    assert not any(is_array_file(Path(name)) for name in ("a.zip", "npz", "a.png", "train-labels-idx1-ubyte"))
