"""Folders of every format: the frames of a file, and the depth and range of the values that the cache gets."""

import contextlib
import io
import random
import zipfile
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from tests.data.test_pictures import tiff
from vae_tf.data import pictures
from vae_tf.data.cache import choose_shape, open_cache
from vae_tf.data.pictures import UnusablePicture
from vae_tf.data.sources import files, reels
from vae_tf.data.sources.archive import ArchiveSource
from vae_tf.data.sources.folder import FolderSource

RANDOM = np.random.default_rng(0)
DEEP = RANDOM.integers(0, 65536, (12, 17), dtype=np.uint16)
GREY = (DEEP >> 8).astype(np.uint8)


def moving(count: int, side: int = 16) -> list[NDArray[np.uint8]]:
    """Frames of four colours in which a square moves over a fixed ground, so that files store differences only."""
    ground = RANDOM.integers(0, 2, (side, side, 1), dtype=np.uint8) * np.array([[[0, 80, 160]]], np.uint8)
    frames = []
    for number in range(count):
        frame = ground.copy()
        frame[number % side, number // side % side :] = (255, 40, 0)
        frames.append(frame)
    return frames


def save(path: Path, frames: list[NDArray[Any]], **options: Any) -> None:
    first, *others = [Image.fromarray(frame) for frame in frames]
    first.save(path, save_all=True, append_images=others, **options)


def names(source: files.PictureFiles) -> list[str]:
    return [entry.path for entry in source.entries]


@pytest.mark.parametrize("suffix", ["gif", "png", "apng", "webp", "tif", "tiff", "heic", "avif"])
def test_every_frame_is_an_entry_and_the_file_their_group(tmp_path: Path, suffix: str) -> None:
    if suffix == "heic":
        pytest.importorskip("pillow_heif").register_heif_opener()
    frames = moving(5, 64)
    (tmp_path / "b").mkdir()
    (tmp_path / "c").mkdir()
    save(tmp_path / f"b/x.{suffix}", frames, **({"lossless": True} if suffix == "webp" else {}))
    Image.fromarray(frames[0]).save(tmp_path / "c/one.png")

    source = FolderSource(tmp_path, frames="all")
    assert names(source) == [f"b/x.{suffix}#{number:04d}" for number in range(1, 6)] + ["c/one.png"]
    assert [entry.group for entry in source.entries] == [f"b/x.{suffix}"] * 5 + [None]
    assert [entry.label for entry in source.entries] == ["b"] * 5 + ["c"]
    assert "1 file holds 5 frames" in source.notes[0] and "never divided" in source.notes[0]
    for position in RANDOM.permutation(5):
        found = source.read(position)
        assert source.shape(position) == found.shape == (64, 64, 3)
        differences = [np.abs(found.astype(int) - frame).mean() for frame in frames]
        assert np.argmin(differences) == position
        assert differences[position] == 0 or suffix in ("heic", "avif")

    first = FolderSource(tmp_path)
    assert names(first) == [f"b/x.{suffix}", "c/one.png"]
    assert first.notes == ["1 file holds several frames; the first was taken, --frames all takes each."]
    assert np.array_equal(first.read(0), source.read(0))
    assert first.fingerprint() != source.fingerprint()


def test_group_by_sees_the_path_of_the_file_and_keeps_frames_together(tmp_path: Path) -> None:
    for name in ("p1-a.gif", "p1-b.gif", "other.gif"):
        save(tmp_path / name, moving(2))
    source = FolderSource(tmp_path, r"(p\d).*\.gif$", frames="all")
    assert [entry.group for entry in source.entries] == ["other.gif"] * 2 + ["p1"] * 4


def test_frames_in_archives(tmp_path: Path) -> None:
    frames = moving(6)
    save(tmp_path / "x.gif", frames)
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as packed:
        packed.write(tmp_path / "x.gif", "x.gif")
    source = ArchiveSource(tmp_path / "a.zip", frames="all")
    assert names(source)[-1] == "x.gif#0006"
    for position in (5, 0, 3):
        assert np.array_equal(source.read(position), frames[position])


def test_a_long_file_is_decoded_about_once_by_several_threads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    frames = moving(250)
    save(tmp_path / "x.gif", frames)
    decoded = []
    original = pictures.frame_values

    def counted(image: Any, frame: int | None = None) -> NDArray[Any]:
        decoded.append(frame)
        return original(image, frame)

    monkeypatch.setattr(pictures, "frame_values", counted)
    source = FolderSource(tmp_path, frames="all")
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(source.read, range(250)))
    assert all(np.array_equal(a, b) for a, b in zip(found, frames, strict=True))
    assert len(decoded) < 2 * 250


def test_what_is_kept_of_frames_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    frames = moving(40)
    save(tmp_path / "x.gif", frames)
    monkeypatch.setattr(reels, "NUM_BYTES", 3 * frames[0].nbytes)
    reel = reels.Reel(lambda: tmp_path / "x.gif")
    for frame in (0, 31, 5, 39):
        assert np.array_equal(reel.read(frame), frames[frame])
        assert len(reel._kept) <= 3


def test_a_header_that_claims_billions_of_frames(tmp_path: Path) -> None:
    save(tmp_path / "x.png", moving(3))
    data = (tmp_path / "x.png").read_bytes()
    start = data.index(b"acTL") + 4
    claimed = b"\x7f\xff\xff\xff" + data[start + 4 : start + 8]
    crc = zlib.crc32(b"acTL" + claimed).to_bytes(4, "big")
    (tmp_path / "x.png").write_bytes(data[:start] + claimed + crc + data[start + 12 :])
    source = FolderSource(tmp_path, frames="all")
    assert len(source.entries) == pictures.LARGEST_NUM_FRAMES
    assert "Of 1 file the first frames were taken: at most 10,000 of one" in source.notes[1]
    assert source.read(2).shape == (16, 16, 3)
    with pytest.raises(UnusablePicture):
        source.read(9000)


def test_frames_of_a_large_canvas_are_fewer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save(tmp_path / "x.gif", moving(5))
    monkeypatch.setattr(pictures, "LARGEST_NUM_PIXELS_OF_FRAMES", 3 * 16 * 16)
    source = FolderSource(tmp_path, frames="all")
    assert len(source.entries) == 3
    assert "Of 1 file the first frames were taken" in source.notes[1]


def test_counting_files_with_frames_is_a_sample(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "NUM_FRAME_PROBES", 4)
    for number in range(12):
        save(tmp_path / f"{number}.gif", moving(2))
    assert FolderSource(tmp_path).notes[0].startswith("4 of 4 files looked at hold several frames")


def test_stills_are_never_opened_to_look_for_frames(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Image.fromarray(GREY).save(tmp_path / "x.jpg")

    def fail(source: Any) -> Any:
        raise AssertionError("opened")

    monkeypatch.setattr(pictures, "open_image", fail)
    for frames in ("first", "all"):
        assert names(FolderSource(tmp_path, None, frames)) == ["x.jpg"]  # type: ignore[arg-type]


def write_deep(path: Path, values: NDArray[np.uint16]) -> None:
    if path.suffix == ".pgm":
        path.write_bytes(b"P5 17 12 65535\n" + values.astype(">u2").tobytes())
    elif path.suffix == ".tif":
        path.write_bytes(tiff(values, ">"))
    else:
        Image.fromarray(values).save(path)


@pytest.mark.parametrize("name", ["x.png", "x.pgm", "x.tif", "x.tiff"])
def test_sixteen_bits_are_kept_up_to_the_cache(tmp_path: Path, name: str) -> None:
    (tmp_path / "in").mkdir()
    write_deep(tmp_path / "in" / name, DEEP)
    write_deep(tmp_path / "in" / f"y{Path(name).suffix}", DEEP[::-1])
    source = FolderSource(tmp_path / "in")
    assert (source.dtype, source.value_range) == ("uint16", None)
    assert source.read(0).dtype == np.uint16 and np.array_equal(source.read(0)[..., 0], DEEP)
    assert source.notes == ["The pictures have 16 bits per pixel; none of it is lost."]
    shape = choose_shape(source, (12, 17), None, "crop")
    cache = open_cache(source, shape, tmp_path / "cache")
    assert np.array_equal(cache.images[0, ..., 0], DEEP)


def test_every_page_of_a_sixteen_bit_tiff(tmp_path: Path) -> None:
    pages = [DEEP, DEEP // 2, DEEP[::-1]]
    save(tmp_path / "x.tif", pages)
    source = FolderSource(tmp_path, frames="all")
    assert source.dtype == "uint16"
    for position in (2, 0, 1):
        assert np.array_equal(source.read(position)[..., 0], pages[position])
        assert source.shape(position) == (12, 17, 1)


@pytest.mark.parametrize(
    ("largest", "bits"), [(900, 10), (1023, 10), (1024, 12), (4011, 12), (16383, 14), (16384, None)]
)
def test_the_range_of_sixteen_bit_values(tmp_path: Path, largest: int, bits: int | None) -> None:
    for number in range(3):
        values = np.minimum(DEEP // 80, largest)
        values[number, 0] = largest
        write_deep(tmp_path / f"{number}.png", values)
    source = FolderSource(tmp_path)
    assert source.value_range == (None if bits is None else (0, 2**bits - 1))
    assert source.read(0).max() == largest
    if bits is not None:
        said = f"16-bit values up to {largest:,} in a sample: read as {bits} bits, 0 to {2**bits - 1:,}"
        assert source.notes[-1] == f"{said} (--range changes it)."


def test_a_mixed_folder_is_as_most_of_it_and_says_so(tmp_path: Path) -> None:
    for number in range(3):
        write_deep(tmp_path / f"{number}.png", DEEP)
    Image.fromarray(GREY).save(tmp_path / "8.png")
    deep = FolderSource(tmp_path)
    assert deep.dtype == "uint16"
    assert np.array_equal(deep.read(3), GREY[..., None].astype(np.uint16) * 257)
    assert deep.notes == [
        "3 of 4 pictures looked at have 16 bits per pixel; none of it is lost.",
        "1 of 4 pictures looked at have 8 bits per pixel; they are brought to 16 bits, which most have.",
    ]
    for number in range(5):
        Image.fromarray(GREY).save(tmp_path / f"9{number}.png")
    shallow = FolderSource(tmp_path)
    assert (shallow.dtype, shallow.value_range) == ("uint8", None)
    assert np.array_equal(shallow.read(0), np.rint(DEEP / 257.0).astype(np.uint8)[..., None])


def test_eight_bits_among_twelve_keep_their_brightness(tmp_path: Path) -> None:
    for number in range(3):
        write_deep(tmp_path / f"{number}.png", DEEP // 16)
    Image.fromarray(GREY).save(tmp_path / "8.png")
    source = FolderSource(tmp_path)
    assert source.value_range == (0, 4095)
    assert np.array_equal(source.read(3)[..., 0], np.rint(GREY / 255.0 * 4095).astype(np.uint16))


FLOATS: dict[str, tuple[Callable[[NDArray[Any]], NDArray[Any]], tuple[float, float] | None]] = {
    "unit": (lambda unit: unit, None),
    "dark": (lambda unit: unit / 4, (0.0, 0.25)),
    "signed": (lambda unit: 3000 * unit - 1000, (-1000.0, 2000.0)),
}


@pytest.mark.parametrize("case", FLOATS)
def test_floats_are_kept_with_their_range(tmp_path: Path, case: str) -> None:
    change, expected = FLOATS[case]
    unit = RANDOM.random((12, 17)).astype(np.float32)
    unit[0, :2] = 0, 1
    values = change(unit).astype(np.float32)
    (tmp_path / "x.tif").write_bytes(tiff(values, "<"))
    source = FolderSource(tmp_path)
    assert source.dtype == "float32" and source.value_range == expected
    assert source.read(0).dtype == np.float32 and np.array_equal(source.read(0)[..., 0], values)
    assert len(source.notes) == (1 if expected is None else 2)


def test_values_that_are_no_numbers_do_not_make_the_range(tmp_path: Path) -> None:
    values = np.array([[0, 5, np.nan, np.inf]], np.float32)
    (tmp_path / "x.tif").write_bytes(tiff(values, "<"))
    assert FolderSource(tmp_path).value_range == (0, 5)


def test_a_float_among_eight_bits(tmp_path: Path) -> None:
    for number in range(3):
        Image.fromarray(GREY).save(tmp_path / f"{number}.png")
    unit = RANDOM.random((12, 17)).astype(np.float32)
    (tmp_path / "unit.tif").write_bytes(tiff(unit, "<"))
    (tmp_path / "wild.tif").write_bytes(tiff(unit * 9, "<"))
    source = FolderSource(tmp_path)
    assert np.array_equal(source.read(3)[..., 0], np.rint(unit.astype(float) * 255).astype(np.uint8))
    with pytest.raises(UnusablePicture, match="only those from 0 to 1"):
        source.read(4)


def test_nothing_is_probed_before_it_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Image.fromarray(GREY).save(tmp_path / "x.jpg")
    calls = []
    original = pictures.picture_depth

    def counted(source: Any) -> str:
        calls.append(source)
        return original(source)

    monkeypatch.setattr(pictures, "picture_depth", counted)
    source = FolderSource(tmp_path)
    assert calls == []
    assert [source.dtype, source.dtype, source.value_range] == ["uint8", "uint8", None]
    assert len(calls) == 1


def test_the_suffix_chooses_and_the_content_decides(tmp_path: Path) -> None:
    for name in ("a.jpg", "b.heic", "c.WEBP"):
        Image.fromarray(GREY).save(tmp_path / name, "png")
    (tmp_path / "without").write_bytes((tmp_path / "a.jpg").read_bytes())
    source = FolderSource(tmp_path)
    assert names(source) == ["a.jpg", "b.heic", "c.WEBP"]
    for position in range(3):
        assert np.array_equal(source.read(position)[..., 0], GREY)
    assert source.notes == ["1 other file was left alone (1 without suffix)."]


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("kind", ["gif", "png", "webp", "tiff"])
def test_mutated_files_of_frames_raise_nothing_else(tmp_path: Path, kind: str) -> None:
    stream = io.BytesIO()
    first, *others = [Image.fromarray(frame) for frame in moving(4)]
    first.save(stream, kind, save_all=True, append_images=others)
    chance = random.Random(0)
    for _ in range(60):
        data = bytearray(stream.getvalue())
        for _ in range(chance.choice((1, 3, 20))):
            data[chance.randrange(len(data))] = chance.randrange(256)
        (tmp_path / f"x.{kind}").write_bytes(data)
        source = FolderSource(tmp_path, frames="all")
        for position in range(min(len(source.entries), 6)):
            with contextlib.suppress(UnusablePicture):
                assert source.read(position).dtype.name == source.dtype
                source.shape(position)
