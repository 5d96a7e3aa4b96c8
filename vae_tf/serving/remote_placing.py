"""Exports in an object store: what a server looks for comes last, since a store has no rename."""

import contextlib
from pathlib import Path

from vae_tf.errors import UserError
from vae_tf.serving.placing import BATCHING, CONFIG, check_name, choose_version, configuration, parameters
from vae_tf.store import Store

# Without it a folder is no SavedModel.
LAST = "saved_model.pb"


def place(saved_model: Path, address: str, name: str, version: int | None = None) -> str:
    """Copies a SavedModel to ADDRESS/NAME/N and writes the configuration of all models at ADDRESS.

    Args:
        saved_model: A version folder that is whole.
        address: Such as gs://bucket/models.
        name: NAME.
        version: N; None takes the next one after those in the store.

    Returns:
        ADDRESS/NAME/N.

    Raises:
        UserError: A name that TF Serving's addresses cannot hold, a version that is there already or is none, or an
            upload that failed; then nothing of the version is left.
    """
    check_name(name)
    store = Store(address)
    number = choose_version(f"{store}/{name}", versions_in(store, name), version)
    upload_whole(store, saved_model, f"{name}/{number}")
    names = [folder for folder in store.folders() if versions_in(store, folder)]
    if store.find(BATCHING) is None:
        store.write(BATCHING, parameters().encode())
    store.write(CONFIG, configuration(names, store.address).encode())
    return f"{store}/{name}/{number}"


def place_files(model: Path, address: str, name: str) -> str:
    """Copies a model that TF Serving does not serve to ADDRESS/NAME.

    Raises:
        UserError: Not a name, one that is taken, or an upload that failed; then nothing of it is left.
    """
    check_name(name)
    store = Store(address)
    if store.objects(name):
        raise UserError(
            f"{store}/{name} is there already.", "Choose another name: --name NAME, or remove it."
        )
    upload_whole(store, model, name)
    return f"{store}/{name}"


def upload_whole(store: Store, folder: Path, below: str) -> None:
    """Uploads a folder, its SavedModel's graph last; what went up is taken back where one file fails."""
    try:
        store.upload_folder(folder, below, last=(LAST,))
    except UserError:
        # A store that fails may fail here again; what is left has no graph.
        with contextlib.suppress(UserError):
            store.remove(f"{below}/{item.path}" for item in store.objects(below))
        raise


def versions_in(store: Store, name: str) -> list[int]:
    """The versions of a model in the store, ascending."""
    return sorted(int(folder) for folder in store.folders(name) if folder.isdigit())
