"""The environment that a project needs, and what makes it another one."""

from dataclasses import replace

from tests.plan.values import DOCKER, FOLDERS, KIT, LOCAL, PROJECT
from workbench.model import DependencyFile, ImageBuild, ImageUse, Network, Project, Settings, VenvBuild
from workbench.plan.build import Kit, plan_build
from workbench.plan.digest import changes


def build(project: Project = PROJECT, settings: Settings = Settings(), facts=DOCKER, kit: Kit = KIT):  # noqa: B008
    return plan_build(project, settings, facts, kit, FOLDERS, force=False, offline=False)


def with_file(name: str, content: bytes) -> Project:
    others = tuple(file for file in PROJECT.dependencies if file.name != name)
    return replace(PROJECT, dependencies=(*others, DependencyFile(name, content)))


def test_the_same_inputs_give_the_same_digest():
    assert build() == build()


def test_each_input_changes_the_digest_and_is_named():
    before = build()
    after = {
        "requirements.txt changed": build(with_file("requirements.txt", b"tabulate==0.9\n")),
        "setup.py is new": build(with_file("setup.py", b"import setuptools\n")),
        "the base image changed": build(settings=Settings(base_image="python:3.12-slim-bookworm")),
        "the container's user changed": build(facts=replace(DOCKER, uid=1001)),
        "Workbench changed": build(kit=replace(KIT, files={**KIT.files, "Dockerfile": b"FROM other\n"})),
    }
    for reason, changed in after.items():
        assert changed.digest != before.digest
        assert changes(before.inputs, changed.inputs) == (reason,)


def test_a_python_version_chooses_the_base_and_is_the_reason():
    changed = build(replace(PROJECT, python="3.12"))
    assert changed.base == "python:3.12-slim-bookworm"
    assert changes(build().inputs, changed.inputs) == ("the Python version changed", "the base image changed")


def test_only_dependency_files_and_our_own_are_sent():
    files = build().files
    assert set(files) == {*KIT.files, "dependencies/requirements.txt", "dependencies/apt.txt", "apt.txt", "postBuild"}
    assert files["apt.txt"] == b"graphviz\n"


def test_the_image_is_named_as_dockerutils_names_it():
    assert build().tag == "analysis-notebook:ada"


def test_the_networks_settings_are_secrets_and_nothing_else():
    network = Network(env={"HTTPS_PROXY": "http://ada:secret@proxy:3128"}, files={"ca.pem": "/etc/ssl/ca.crt"})
    built = build(facts=replace(DOCKER, network=network))
    assert {secret.id: secret.source for secret in built.secrets} == {
        "ca.pem": "/etc/ssl/ca.crt",
        "network.env": f"{FOLDERS.state}/network.env",
    }
    assert "secret" not in repr((built.args, built.labels, built.files))
    assert built.digest == build().digest


def test_a_dockerfile_of_the_project_is_built_first_and_is_the_base():
    own = replace(
        PROJECT,
        dockerfile=DependencyFile("docker/notebook/Dockerfile", b"FROM debian\nCOPY docker/notebook/a.txt /\n"),
        dockerfile_context=(DependencyFile("docker/notebook/a.txt", b"a"),),
    )
    built = build(own)
    assert built.before is not None
    assert built.base == built.before.tag
    assert built.args["SYSTEM_SITE_PACKAGES"] == "1"
    assert set(built.before.files) == {
        "Dockerfile", "docker/notebook/Dockerfile", "docker/notebook/a.txt", "requirements.txt", "apt.txt",
    }  # fmt: skip
    assert "docker/notebook/a.txt changed" in changes(
        built.inputs, build(replace(own, dockerfile_context=(DependencyFile("docker/notebook/a.txt", b"b"),))).inputs
    )


def test_an_image_is_a_base_unless_it_is_taken_as_it_is():
    based = build(settings=Settings(image="ghcr.io/lab/torch:2"))
    assert isinstance(based, ImageBuild)
    assert based.base == "ghcr.io/lab/torch:2"
    assert build(settings=Settings(image="ghcr.io/lab/torch:2", as_is=True)) == ImageUse("ghcr.io/lab/torch:2")


def test_without_a_container_the_environment_lies_in_the_cache_under_its_digest():
    made = build(facts=LOCAL)
    assert isinstance(made, VenvBuild)
    assert made.folder == f"{FOLDERS.cache}/environments/analysis-{made.folder.rpartition('-')[0][-6:]}-{made.digest}"
    assert set(made.files) == {"requirements.txt"}
    assert made.python == "3.12"
