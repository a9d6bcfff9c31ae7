"""What is in a bundle, read from its manifest: no framework and no runtime is needed to look."""

from __future__ import annotations

import posixpath
import textwrap
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from albert_export._text import human_size, table
from albert_export.bundle import Artifact, Bundle
from albert_export.parts import LEFT, told_left


def inspect_bundle(bundle: Bundle, *, verified: bool = True) -> dict[str, Any]:
    """Describe a bundle as plain JSON values; one that was just written and one that was read give the same.

    Args:
        bundle: An opened bundle.
        verified: Whether sizes and hashes of its files were compared with the manifest.

    Returns:
        ``path``, ``task``, ``tool`` (the version that wrote it), ``source`` (``kind``, ``name``, ``revision``,
        ``sha256``), ``verified``, ``files`` (configuration and vocabulary: ``path``, ``size`` in bytes, ``sha256``),
        ``size`` (bytes of all files) and ``artifacts``, each with ``target``, ``precision``, ``layers``, ``file``,
        ``files``, ``size``, ``shapes``, ``opset``, ``inputs``, ``outputs``, ``operators`` (how often each operator
        occurs, loop bodies included), ``sharing``, ``versions``, ``facts`` and ``parity``.
    """
    manifest = bundle.manifest
    artifacts = [_describe_artifact(bundle, artifact) for artifact in manifest.artifacts]
    files = [_record(record) for record in manifest.files]
    return {
        "path": str(bundle.path),
        "task": manifest.task,
        "tool": manifest.tool,
        "source": {
            "kind": manifest.source.kind,
            "name": manifest.source.name,
            "revision": manifest.source.revision,
            "sha256": manifest.source.sha256,
        },
        "verified": verified,
        "size": _size(bundle, (record.path for record in manifest.records())),
        "files": files,
        "artifacts": artifacts,
    }


def _record(record: Any) -> dict[str, Any]:
    return {"path": record.path, "size": record.size, "sha256": record.sha256}


def _size(bundle: Bundle, paths: Iterable[str]) -> int:
    """Return the bytes of the files: one that has two names, as hard links are, is stored once."""
    stats = [(bundle.path / path).stat() for path in paths]
    return sum({(stat.st_dev, stat.st_ino): stat.st_size for stat in stats}.values())


def _describe_artifact(bundle: Bundle, artifact: Artifact) -> dict[str, Any]:
    files = [_record(record) for record in artifact.files]
    facts = {name: value for name, value in _sorted(artifact.facts).items() if name != "operators"}
    return {
        "target": artifact.target,
        "precision": artifact.precision,
        "layers": artifact.layers,
        "file": artifact.file,
        "files": files,
        "size": _size(bundle, (record.path for record in artifact.files)),
        "shapes": {axis: artifact.shapes[axis] for axis in sorted(artifact.shapes)},
        "opset": artifact.opset,
        "inputs": [_tensor(tensor) for tensor in artifact.inputs],
        "outputs": [_tensor(tensor) for tensor in artifact.outputs],
        "operators": _sorted(artifact.facts.get("operators")),
        "sharing": _sorted(artifact.sharing),
        "versions": _sorted(artifact.versions),
        "facts": facts,
        "parity": _parity(artifact),
    }


def _tensor(tensor: Mapping[str, Any]) -> dict[str, Any]:
    return {key: tensor[key] for key in ("name", "dtype", "shape")}


def _sorted(value: Any) -> Any:
    """Bring the keys of what was just made into the order in which a manifest gives them back."""
    if isinstance(value, Mapping):
        return {key: _sorted(value[key]) for key in sorted(value)}
    return value


def _parity(artifact: Artifact) -> dict[str, Any] | None:
    """Return the verdict, its outputs in the order of the signature."""
    if artifact.parity is None:
        return None
    parity: dict[str, Any] = _sorted(artifact.parity)
    order = {tensor["name"]: index for index, tensor in enumerate(artifact.outputs)}

    def place(name: str) -> tuple[int, str]:  # what stands at the masked places has a further word after the name
        return order.get(name.split()[0], len(order)), name

    parity["outputs"] = {name: parity["outputs"][name] for name in sorted(parity["outputs"], key=place)}
    return parity


def render(description: Mapping[str, Any]) -> str:
    """Return what :func:`inspect_bundle` gave as text for a person."""
    source = description["source"]
    revision = f" at {source['revision']}" if source["revision"] else ""
    lines = [
        f"{description['path']}: {description['task']}, {human_size(description['size'])}",
        f"  from {_KINDS[source['kind']]} {source['name']}{revision}, sha256 {source['sha256'][:16]}…",
        f"  written by albert-export {description['tool']}",
        f"  with {', '.join(record['path'] for record in description['files'])}",
    ]
    if not description["verified"]:
        lines.append("  NOT VERIFIED: sizes and hashes of the files were not compared with the manifest")
    for artifact in description["artifacts"]:
        lines += ["", *_render_artifact(artifact)]
    return "\n".join(lines)


def random_weights_notice(names: Iterable[str]) -> str:
    """Say that weights which the checkpoint lacked were drawn at random: parity with the eager model does not tell."""
    return f"{', '.join(names)}: not in the checkpoint, drawn at random; answers mean nothing until they are trained"


_WIDTH = 100

#: Stands for a space at which no line is broken.
_FIXED = "\N{NO-BREAK SPACE}"

#: Kind of source -> how it is told to a person.
_KINDS = {"directory": "the directory", "hub": "the hub's", "builtin": "the built-in model"}


def _render_artifact(artifact: Mapping[str, Any]) -> Iterator[str]:
    opset = f", opset {artifact['opset']}" if artifact["opset"] is not None else ""
    fixed = ", ".join(f"{axis} {size}" for axis, size in artifact["shapes"].items() if size is not None)
    yield (
        f"{artifact['file']}: {artifact['target']} {artifact['precision']}{_calibrated(artifact)}, "
        f"{artifact['layers']} layers{_tokens(artifact)}{opset}, "
        f"{human_size(artifact['size'])}{f', fixed {fixed}' if fixed else ''}"
    )
    for direction in ("inputs", "outputs"):
        for tensor in artifact[direction]:
            yield f"  {direction[:-1]:<8} {tensor['name']} {tensor['dtype']} [{', '.join(map(str, tensor['shape']))}]"
    sharing = artifact["sharing"]
    if sharing:
        yield (
            f"  weights  {human_size(sharing['stored_weight_bytes'])} stored for "
            f"{human_size(sharing['unique_parameter_bytes'])} of unique parameters; "
            f"rest of the file {human_size(sharing['rest_bytes'])}"
        )
    beside = [record for record in artifact["files"] if record["path"] != artifact["file"]]
    if beside:
        folder = posixpath.dirname(artifact["file"])
        listed = ", ".join(
            f"{posixpath.relpath(record['path'], folder)} {human_size(record['size'])}".replace(" ", _FIXED)
            for record in beside
        )
        yield from _wrapped(listed, "  with     ", "           ")
    if LEFT in artifact["facts"]:
        yield f"  parts    {told_left(artifact['facts'][LEFT], artifact['precision'])}"
    fresh = artifact["facts"].get("fresh_weights")
    if fresh:
        yield f"  RANDOM   {random_weights_notice(fresh)}"
    operators = artifact["operators"]
    if operators:
        by_count = sorted(operators.items(), key=lambda item: (-item[1], item[0]))
        # A name and its number stay on one line.
        listed = ", ".join(f"{name}{_FIXED}{count}" for name, count in by_count)
        yield from _wrapped(f"{sum(operators.values())} operators: {listed}", "  ", "    ")
    versions = ", ".join(f"{package} {version}" for package, version in artifact["versions"].items())
    yield f"  made by  {versions}"
    if "platforms" in artifact["facts"]:
        yield f"  runs on  {', '.join(artifact['facts']['platforms'])}"
    for reader, window in artifact["facts"].get("readable", {}).items():
        until = f"until {window['until']}, " if window["until"] else ""
        yield f"  read by  {reader}, version {window['version']}: {until}{window['promise']}"
    if "aot" in artifact["facts"]:
        yield from _render_aot(artifact["facts"]["aot"])
    yield from _render_parity(artifact["parity"])


def _wrapped(text: str, first: str, others: str) -> Iterator[str]:
    lines = textwrap.wrap(text, _WIDTH, initial_indent=first, subsequent_indent=others, break_on_hyphens=False)
    yield from (line.replace(_FIXED, " ") for line in lines)


def _render_aot(figures: Mapping[str, Any]) -> Iterator[str]:
    shape = ", ".join(f"{axis} {size}" for axis, size in sorted(figures["sizes"].items()))
    passes = f" in {figures['passes']} passes" if figures["passes"] > 1 else ""
    yield (
        f"  {figures['chip']:<8} {shape}: {figures['flops'] / 1e9:.3g} GFLOP{passes}, "
        f"{human_size(int(figures['bytes_accessed']))} moved, {human_size(figures['peak_bytes'])} of memory"
    )
    yield (
        f"           at least {1e3 * figures['estimated_seconds']:.3g} ms a run, by the chip's published peak "
        f"and bandwidth; nothing was run"
    )


def _tokens(artifact: Mapping[str, Any]) -> str:
    return ", packed tokens" if artifact["facts"].get("tokens") == "packed" else ""


def _calibrated(artifact: Mapping[str, Any]) -> str:
    texts = artifact["facts"].get("calibration_texts")
    reader = artifact["facts"].get("compat")
    return f"{'' if texts is None else f' calibrated on {texts} texts'}{'' if reader is None else f' for {reader}'}"


def _render_parity(parity: Mapping[str, Any] | None) -> Iterator[str]:
    if parity is None:
        yield "  parity   not checked"
        return
    reference = parity.get("reference", "the eager model")
    verdict = f"holds against {reference}" if parity["ok"] else f"MISSED: it differs from {reference}"
    yield f"  parity   {verdict} on {parity['device']}, in {parity['cases']} cases; largest |artifact - float64|:"
    rows = [
        (
            name,
            *(_figure(figures[key], ".2e") for key in ("error", "limit", "e0", "scale")),
            _figure(figures["snr_db"], ".1f"),
        )
        for name, figures in parity["outputs"].items()
    ]
    yield textwrap.indent(table(rows, header=("output", "error", "limit", "eager fp32", "scale", "SNR dB")), " " * 11)
    if "unrounded" in parity:
        told = [f"{name} {_figure(parity['unrounded'][name]['snr_db'], '.1f')}" for name in parity["outputs"]]
        yield f"           SNR dB to the model as it is, not judged: {', '.join(told)}"
    if "metrics" in parity:
        told = [
            f"{name} {_figure(figures['before'], '.2f')} before, {_figure(figures['after'], '.2f')} after"
            for name, figures in parity["metrics"].items()
        ]
        yield f"           on {parity['data']['name']}, {parity['data']['items']} items: {'; '.join(told)}"


def _figure(value: float | str, form: str) -> str:
    return value if isinstance(value, str) else format(value, form)
