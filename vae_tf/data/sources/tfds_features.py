"""Features of a set of TensorFlow Datasets: which one is the pictures, which are classes and facts."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vae_tf.data.sources.array_files import times
from vae_tf.errors import UserError


def flatten(features: Any, before: str = "") -> Iterator[tuple[str, Any]]:
    """(path, feature) of everything in nested dictionaries of features: "attributes/Smiling"."""
    import tensorflow_datasets as tfds

    for name, feature in features.items():
        if isinstance(feature, tfds.features.FeaturesDict):
            yield from flatten(feature, f"{before}{name}/")
        else:
            yield f"{before}{name}", feature


def value_at(example: Any, path: str) -> Any:
    for name in path.split("/"):
        example = example[name]
    return example


def nest(tree: dict[str, Any], path: str, value: Any) -> None:
    """Puts `value` into nested dictionaries at "a/b/c"."""
    *folders, name = path.split("/")
    for folder in folders:
        tree = tree.setdefault(folder, {})
    tree[name] = value


def is_encoded(feature: Any) -> bool:
    """Whether the set stores it as the bytes of a picture file."""
    import tensorflow_datasets as tfds

    # Images of floats are stored in a form of their own, which only the package decodes.
    return isinstance(feature, tfds.features.Image) and np.dtype(feature.np_dtype) in (np.uint8, np.uint16)


def why_no_picture(feature: Any) -> str:
    """Why a feature can't be the pictures, the rest of a sentence; "" where it can."""
    import tensorflow_datasets as tfds

    if is_encoded(feature):
        return ""
    if isinstance(feature, tfds.features.Video):
        return "is a video"
    if isinstance(feature, (tfds.features.Sequence, tfds.features.Dataset)):
        return "is a sequence, not one picture"
    if type(feature) not in (tfds.features.Image, tfds.features.Tensor):
        return f"is a {type(feature).__name__}"
    if feature.shape == ():
        return f"is one value of type {np.dtype(feature.np_dtype)}"
    if np.dtype(feature.np_dtype).kind not in "buif" or len(feature.shape) not in (2, 3):
        return f"has shape {times(feature.shape)} and type {np.dtype(feature.np_dtype)}"
    return "has no fixed shape" if None in feature.shape else ""


def picture_feature(builder: Any, features: dict[str, Any], key: str | None) -> str:
    """The path of the feature that is the pictures: as asked, as the set is made to be used, or the only one."""
    import tensorflow_datasets as tfds

    reasons = {path: why_no_picture(feature) for path, feature in features.items()}
    listing = "Its features: " + ", ".join(f"{path} ({why or 'a picture'})" for path, why in reasons.items())
    if key is not None:
        if key not in features or reasons[key]:
            why = reasons.get(key, "is no feature")
            raise UserError(f"--key {key}: in {builder.name} it {why}; a picture was expected.", listing)
        return key
    supervised = builder.info.supervised_keys
    if supervised and isinstance(supervised[0], str) and reasons.get(supervised[0]) == "":
        return str(supervised[0])
    usable = [path for path, why in reasons.items() if not why]
    images = [path for path in usable if isinstance(features[path], tfds.features.Image)]
    chosen = images or usable
    if len(chosen) != 1:
        found = "several features that are pictures" if chosen else "no feature that is a picture"
        raise UserError(
            f"{builder.name} has {found}.", f"{listing}.{' Name one with --key.' if chosen else ''}"
        )
    return chosen[0]


def is_column(feature: Any) -> bool:
    """Whether there is one number or text per picture."""
    import tensorflow_datasets as tfds

    if isinstance(feature, (tfds.features.Sequence, tfds.features.Dataset)):
        return False
    shape, kind = getattr(feature, "shape", None), np.dtype(feature.np_dtype).kind
    return shape == () and kind in "buifOSU"


def label_feature(builder: Any, columns: dict[str, Any]) -> str | None:
    """The path of the classes: as the set is made to be used, else a feature called label; None to look on."""
    supervised = builder.info.supervised_keys
    if supervised and len(supervised) > 1 and isinstance(supervised[1], str) and supervised[1] in columns:
        return supervised[1]
    return "label" if "label" in columns else None


def class_names(feature: Any) -> list[str] | None:
    """Names of the classes 0, 1, …; None for a feature that is no class."""
    import tensorflow_datasets as tfds

    if not isinstance(feature, tfds.features.ClassLabel):
        return None
    return list(feature.names or map(str, range(feature.num_classes or 0)))


def column_array(feature: Any, values: list[Any]) -> NDArray[Any]:
    """[N] of numbers or text; classes by their names, an unknown class as None."""
    import tensorflow_datasets as tfds

    if isinstance(feature, tfds.features.ClassLabel):
        names = class_names(feature) or []
        column = np.empty(len(values), dtype=object)
        column[:] = [names[value] if 0 <= value < len(names) else None for value in values]
        return column
    if values and isinstance(values[0], bytes):
        column = np.empty(len(values), dtype=object)
        column[:] = values
        return column
    return np.asarray(values)
