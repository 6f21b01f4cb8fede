"""Hook of mkdocs: the site has the repository's own layout, so that links work in both.

Pages lie in several folders (README.md, config/, docs/), and link to files that are no pages.
"""

from __future__ import annotations

from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parent.parent
SHOWN = (
    "*.md",
    "LICENSE",
    "CITATION.cff",
    "Dockerfile",
    "docs/*.md",
    "docs/studies/*",
    "docs/pictures/*",
    "config/*.*",
    "config/examples/*/*",
    "config/prompts/*",
    "config/schemas/*",
    "resources/*.md",
    "resources/licences/*",
)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Put the repository's pages, and what they link to, in the place of the folder's files."""
    paths = sorted({path for pattern in SHOWN for path in ROOT.glob(pattern) if path.is_file()})
    names = [path.relative_to(ROOT).as_posix() for path in paths]
    root, site, flat = str(ROOT), config.site_dir, config.use_directory_urls
    theme = [file for file in files if file.src_dir != config.docs_dir]
    return Files([*theme, *(File(name, root, site, flat) for name in names)])
