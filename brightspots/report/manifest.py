"""`Manifest`: the provenance of an output: versions, arguments, seed, input and date."""

from __future__ import annotations

import hashlib
import json
import os
import platform
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from brightspots.common.versions import versions
from brightspots.data.cells import Cells

if TYPE_CHECKING:
    from brightspots.common.cautions import Caution
    from brightspots.fit.fitted import Fitted
    from brightspots.limits.funnel import FunnelLimits


@dataclass(frozen=True)
class InputFile:
    """A file that was read: its name as given, its size, its rows and the SHA-256 of its bytes."""

    name: str
    bytes: int
    rows: int
    sha256: str


@dataclass(frozen=True)
class Manifest:
    """All that is needed to make an output again.

    Parameters
    ----------
    created : str
        Date and time, UTC, ISO 8601; taken from SOURCE_DATE_EPOCH where that is set, so that the same input can
        give the same bytes.
    versions : mapping of str to str
        brightspots, Python and the packages that numbers depend on.
    platform : str
        Operating system and processor.
    seed : int or None
    method : str or None
        The engine that fitted: "integrate" or "nuts".
    data_sha256 : str or None
        Digest of the checked cells, whatever file or frame they came from.
    input : InputFile or None
    arguments : mapping
        As the user gave them.
    cautions : tuple of Caution
        What readers should know of the data (`HierarchyFit.cautions`, `FunnelLimits.cautions`).
    """

    created: str
    versions: Mapping[str, str]
    platform: str
    seed: int | None = None
    method: str | None = None
    data_sha256: str | None = None
    input: InputFile | None = None
    arguments: Mapping[str, Any] = field(default_factory=dict)
    cautions: tuple[Caution, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Plain dicts, text and numbers."""
        return asdict(self)

    def as_json(self, indent: int | None = None) -> str:
        """JSON with sorted keys."""
        return json.dumps(self.as_dict(), indent=indent, sort_keys=True, default=str, ensure_ascii=False)


def make_manifest(
    fit: Fitted | None = None,
    *,
    input_file: InputFile | None = None,
    arguments: Mapping[str, Any] | None = None,
    limits: FunnelLimits | None = None,
) -> Manifest:
    """Describe the running software, and a fit or the limits of a funnel where there are any."""
    method = None if fit is None else fit.certificate.method
    about = limits if fit is None else fit
    return Manifest(
        created=_now().isoformat(timespec="seconds").replace("+00:00", "Z"),
        versions=versions(sampled=method == "nuts"),
        platform=f"{platform.system()} {platform.machine()}",
        seed=None if fit is None else fit.seed,
        method=method,
        data_sha256=None if fit is None else cells_digest(fit.table.cells),
        input=input_file,
        arguments=dict(arguments or {}),
        cautions=() if about is None else about.cautions,
    )


def without_digests(manifest: Manifest, fit: Fitted | None = None) -> Manifest:
    """Remove what could reveal exact data: digest and size of the input, and the cells' digest (that of `fit` instead).

    With a digest, somebody who knows all but a few small counts could try every possibility until it matches.
    """
    if fit is None:
        return replace(manifest, input=None, data_sha256=None, method=None)
    # The method too is that of `fit`: whether the exact fit had to be sampled depends on the exact data.
    return replace(
        manifest,
        input=None,
        data_sha256=cells_digest(fit.table.cells),
        method=fit.certificate.method,
        cautions=fit.cautions,
    )


def cells_digest(cells: Cells) -> str:
    """SHA-256 of the checked data: the same for the same table, whatever its type and the order of its rows."""
    digest = hashlib.sha256()
    for item in fields(cells):
        value = cells.family.name if item.name == "family" else getattr(cells, item.name)
        if item.name == "row" or value is None:
            continue
        digest.update(item.name.encode())
        if isinstance(value, np.ndarray) and value.dtype.kind in "fi":
            digest.update(np.ascontiguousarray(value).tobytes())
        else:
            digest.update(json.dumps(value, default=_plain).encode())
    return digest.hexdigest()


def file_digest(content: bytes) -> str:
    """SHA-256 of a file's bytes."""
    return hashlib.sha256(content).hexdigest()


def _plain(value: Any) -> Any:
    return value.tolist() if isinstance(value, np.ndarray) else str(value)


def _now() -> datetime:
    epoch = os.environ.get("SOURCE_DATE_EPOCH")
    return datetime.now(UTC) if epoch is None else datetime.fromtimestamp(int(epoch), UTC)
