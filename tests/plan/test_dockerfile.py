"""What a Dockerfile starts from."""

import pytest

from workbench.errors import ConfigError
from workbench.images.spec import BuildSpec, ImageSpec
from workbench.plan.dockerfile import bases, stages
from workbench.plan.images import Folder, in_order, needs


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("FROM a\n", ("a",)),
        (
            "  from --platform=linux/amd64 quay.io/a/b:1 as x \nFROM x\nFROM b@sha256:00\n",
            ("quay.io/a/b:1", "b@sha256:00"),
        ),
        ("FROM a AS One\nFROM one\nFROM scratch\n", ("a",)),
        ("FROM a\nFROM a\n", ("a",)),
        ("ARG B\nFROM $B\n", ("given",)),
        ("ARG B=c\nFROM ${B}\n", ("given",)),
        ("ARG C=d:1\nFROM ${C}\n", ("d:1",)),
        ('ARG C="d"\nARG D=$C-e\nFROM $D\n', ("d-e",)),
        ("ARG C\nFROM $C\n", ()),
        ("ARG C\nFROM ${C:-f}\n", ("f",)),
        ("FROM a\nARG C=g\nFROM $C\n", ("a",)),
        ("FROM a\nRUN echo FROM b\n# FROM c\n", ("a",)),
        ("", ()),
        ("FROM\n", ()),
        ("FROM \xff\n", ("\xff",)),
    ],
)
def test_what_it_starts_from(text: str, expected: tuple[str, ...]) -> None:
    assert bases(text.encode(), {"B": "given"}) == expected


def test_stages() -> None:
    assert stages(b"FROM a AS Builder\nFROM b\nFROM c as x\n") == ("Builder", "x")


REFERENCES = {"base": "p-base:ada", "dev": "p-dev:ada", "app": "p-app:ada"}


def test_which_images_of_the_project_one_is_built_on() -> None:
    spec = ImageSpec("app", folder="app", build=BuildSpec(args={"B": "p-base:ada"}))
    text = b"ARG B\nFROM $B\nFROM p-dev:ada\nFROM p-app:ada\nFROM p-dev:other\n"
    assert needs(spec, Folder(text), REFERENCES) == ("base", "dev")


def test_what_others_are_built_on_comes_first() -> None:
    order = in_order(["app", "dev", "base"], folders=REFERENCES, base=False, needs={"app": ["dev"], "dev": ["base"]})
    assert order == ("base", "dev", "app")


def test_images_that_are_built_on_each_other() -> None:
    with pytest.raises(ConfigError, match="built on each other"):
        in_order(["app", "dev"], folders=REFERENCES, base=False, needs={"app": ["dev"], "dev": ["app"]})
