"""Imported by the notebooks beside it; not a package."""

import slugify


def file_name(title: str) -> str:
    return slugify.slugify(title) + ".ipynb"
