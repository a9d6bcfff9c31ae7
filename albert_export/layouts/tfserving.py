"""TF Serving: ``NAME/1/saved_model.pb`` below a base path, and the list of models that a server is started with."""

from __future__ import annotations

from albert_export.layouts.place import Place, check_name, folder_of

#: Where the server's image looks for models.
IMAGE_PATH = "/models"

#: Name of the list of models.
LIST = "models.config"


def write(place: Place, *, name: str | None = None, file: str | None = None) -> dict[str, str]:
    """Write the directory.

    Args:
        place: Where.
        name: The model's name in the server's addresses; by default that of the bundle's directory.
        file: One SavedModel of several, e.g. ``saved_model_unrolled/1/saved_model.pb``.

    Raises:
        InputError: The name has characters that an address cannot have.
        BundleError: The bundle has no SavedModel.
    """
    name = check_name(name or place.bundle.path.name)
    artifact = place.bundle.select("savedmodel", file=file)
    folder = folder_of(artifact)
    for record in artifact.files:
        place.link(record.path, to=f"{name}/1/{record.path.removeprefix(folder)}")
    place.write(
        LIST,
        "model_config_list {\n"
        "  config {\n"
        f'    name: "{name}"\n'
        f'    base_path: "{IMAGE_PATH}/{name}"\n'
        '    model_platform: "tensorflow"\n'
        "  }\n"
        "}\n",
    )
    place.note(f"{LIST} is for the server's image, with this directory at {IMAGE_PATH}")
    return {"name": name}
