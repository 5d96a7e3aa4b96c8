"""Versions of the packages that decide a result, for records and for papers."""

import platform
from functools import cache
from importlib.metadata import PackageNotFoundError, version

PACKAGES = (
    "tensorflow",
    "keras",
    "numpy",
    "scipy",
    "scikit-learn",
    "openTSNE",
    "umap-learn",
    "pillow",
    "seaborn",
)


@cache
def versions() -> dict[str, str]:
    """Name and version of this project, of Python and of each package that is installed."""
    import vae_tf

    found = {"vae_tf": vae_tf.__version__, "python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
