"""Licences in the words of the Hugging Face hub and of schema.org."""

from __future__ import annotations

# Identifiers of the hub that are SPDX's in small letters.
SAME_AS_SPDX = frozenset(
    [
        *("agpl-3.0", "apache-2.0", "bsd-2-clause", "bsd-3-clause", "cc0-1.0", "mit", "mpl-2.0"),
        *("cc-by-3.0", "cc-by-4.0", "cc-by-sa-3.0", "cc-by-sa-4.0", "cc-by-nd-4.0"),
        *("cc-by-nc-3.0", "cc-by-nc-4.0", "cc-by-nc-sa-4.0", "cc-by-nc-nd-4.0"),
        *("cdla-permissive-1.0", "cdla-permissive-2.0", "cdla-sharing-1.0", "unlicense"),
    ]
)
# Others by what a person or SPDX writes, in small letters.
OTHER_NAMES = {
    "creativeml open rail-m": "creativeml-openrail-m",
    "creativeml open rail++-m": "openrail++",
    "odbl-1.0": "odbl",
    "odc-by-1.0": "odc-by",
    "pddl-1.0": "pddl",
}
SPDX_PAGES = "https://spdx.org/licenses/"


def licence_to_hub(licence: str) -> dict[str, str]:
    """Return a licence as the front matter of the hub's cards has it.

    Parameters
    ----------
    licence : str
        SPDX identifier or expression, or a base model's licence in words; empty if none was stated.

    Returns
    -------
    dict
        ``license``, and ``license_name`` where the hub has no identifier of its own; empty if none
        was stated.
    """
    if not licence:
        return {}
    known = licence.lower()
    if known in SAME_AS_SPDX or known in OTHER_NAMES:
        return {"license": OTHER_NAMES.get(known, known)}
    return {"license": "other", "license_name": licence}


def licence_to_address(licence: str) -> str:
    """Return where a licence can be read: its page at SPDX, or an expression as it is."""
    single = " " not in licence and not licence.startswith("LicenseRef-")
    return f"{SPDX_PAGES}{licence}.html" if single else licence
