"""A real server: copies follow what is done to notebooks, no save and no other request waits for them."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from inside.diffs.projects import Project, both, notebook, started, workers
from inside.serving import Serving, wait_for


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    """One server for the tests that leave it as it was."""
    folder = tmp_path_factory.mktemp("server")
    with started(folder, folder / "project") as server:
        yield server


@pytest.fixture
def project(shared: Serving, request: pytest.FixtureRequest) -> Project:
    """A folder of one's own."""
    return Project(shared, shared.run.parent / "project", f"{abs(hash(request.node.name)):x}")


def test_a_save_is_followed(project: Project) -> None:
    project.save("a.ipynb", "x = 1")
    wait_for(lambda: project.script("a.ipynb") == "# %%\nx = 1\n")
    assert "<!doctype html>" in (project.folder / ".diffs/a.html").read_text()
    project.save("a.ipynb", "x = 2")
    wait_for(lambda: project.script("a.ipynb") == "# %%\nx = 2\n")
    assert project.copies() == both("a.ipynb")


def test_a_new_notebook_a_copy_and_one_in_a_folder_are_followed(project: Project) -> None:
    call = project.server.jupyter.call
    call("POST", f"api/contents/{project.name}", {"type": "notebook"})
    (project.folder / "sub").mkdir()
    project.save("sub/a.ipynb")
    call("POST", f"api/contents/{project.name}", {"copy_from": f"{project.name}/sub/a.ipynb"})
    wait_for(lambda: project.copies() == both("Untitled.ipynb", "sub/a.ipynb", "a.ipynb"))


def test_a_notebook_at_the_root_is_followed(shared: Serving) -> None:
    root = Project(shared, shared.run.parent / "project")
    shared.jupyter.call("POST", "api/contents", {"type": "notebook"})
    wait_for(lambda: both("Untitled.ipynb") <= root.copies())


IMAGE = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="


def test_a_rename_is_followed_with_its_images(project: Project) -> None:
    content = notebook("x = 1", image=IMAGE)
    project.server.jupyter.call("PUT", project.url("a.ipynb"), {"type": "notebook", "content": content})
    wait_for(lambda: project.script("a.ipynb") != "")
    project.rename("a.ipynb", "b c.ipynb")
    wait_for(lambda: project.copies() == {*both("b c.ipynb"), ".diffs/b c_files"})
    wait_for(lambda: "b%20c_files/" in (project.folder / ".diffs/b c.html").read_text())
    project.delete("b c.ipynb")
    wait_for(lambda: project.copies() == set())
    assert not (project.folder / ".diffs").exists()


def test_a_rename_right_after_a_save_leaves_nothing_under_the_old_name(project: Project) -> None:
    for number in range(10):
        project.save(f"{number}.ipynb")
        project.rename(f"{number}.ipynb", f"n{number}.ipynb")
    wait_for(lambda: project.copies() == both(*(f"n{number}.ipynb" for number in range(10))))
    time.sleep(1.0)
    assert project.copies() == both(*(f"n{number}.ipynb" for number in range(10)))


def test_a_folder_that_is_renamed_and_deleted_takes_its_copies_along(project: Project) -> None:
    (project.folder / "one").mkdir()
    project.save("one/a.ipynb")
    wait_for(lambda: project.copies() == both("one/a.ipynb"))
    project.rename("one", "two")
    assert project.copies() == both("two/a.ipynb")
    project.save("two/a.ipynb", "x = 2")
    wait_for(lambda: project.script("two/a.ipynb") == "# %%\nx = 2\n")
    project.delete("two")
    time.sleep(0.5)
    assert project.copies() == set() and not (project.folder / "two").exists()


def test_a_folder_whose_notebooks_are_deleted_is_empty(tmp_path: Path) -> None:
    """Without a trash Jupyter refuses to delete a folder that is not."""
    option = "--FileContentsManager.always_delete_dir=False"
    with started(tmp_path, tmp_path / "project", option, "--FileContentsManager.delete_to_trash=False") as server:
        project = Project(server, tmp_path / "project", "sub")
        project.save("a.ipynb")
        wait_for(lambda: project.copies() == both("a.ipynb"))
        project.delete("a.ipynb")
        wait_for(lambda: not (project.folder / ".diffs").exists())
        server.jupyter.call("DELETE", "api/contents/sub")


def test_a_thousand_rapid_saves_end_with_the_last_content(project: Project) -> None:
    for number in range(1000):
        project.save("a.ipynb", f"number = {number}")
    wait_for(lambda: project.script("a.ipynb") == "# %%\nnumber = 999\n")
    assert "number = 999" in (project.folder / "a.ipynb").read_text()
    assert "999" in (project.folder / ".diffs/a.html").read_text()
    wait_for(lambda: project.state()["pending"] == 0)
    assert project.copies() == both("a.ipynb")
    assert project.state()["warnings"] == {}
    assert len(workers(project.server)) == 1


def test_nothing_is_started_and_written_where_copies_are_off(tmp_path: Path) -> None:
    with started(tmp_path, tmp_path / "project", WORKBENCH_DIFFS="0") as server:
        project = Project(server, tmp_path / "project")
        project.save("a.ipynb")
        time.sleep(1.0)
        assert project.copies() == set() and workers(server) == []


def test_the_server_starts_without_a_worker_and_opening_a_notebook_starts_it(tmp_path: Path) -> None:
    (tmp_path / "project").mkdir()
    (tmp_path / "project/a.ipynb").write_text(json.dumps(notebook("x = 1")))
    with started(tmp_path, tmp_path / "project") as server:
        time.sleep(0.5)
        assert workers(server) == []
        server.jupyter.call("GET", "api/contents/a.ipynb")
        wait_for(lambda: len(workers(server)) == 1)
        assert not (tmp_path / "project/.diffs").exists()


def test_files_that_are_no_files_have_no_copies(tmp_path: Path) -> None:
    """Another contents manager, a database say, is left in peace."""
    options = ["--ServerApp.contents_manager_class=inside.diffs.no_files.NoFiles"]
    with started(tmp_path, tmp_path / "project", *options, PYTHONPATH=str(Path(__file__).parents[2])) as server:
        server.jupyter.call("PUT", "api/contents/a.ipynb", {"type": "notebook", "content": notebook("x = 1")})
        time.sleep(1.0)
        assert workers(server) == [] and list((tmp_path / "project").iterdir()) == []
        assert "Traceback" not in server.log


def test_a_stop_writes_what_is_left_and_leaves_no_process(tmp_path: Path) -> None:
    with started(tmp_path, tmp_path / "project") as server:
        project = Project(server, tmp_path / "project")
        project.save("a.ipynb", "x = 1")
        wait_for(lambda: project.script("a.ipynb") != "")
        found = workers(server)
        project.save("a.ipynb", "x = 2")
        assert server.end() == 0
    assert project.script("a.ipynb") == "# %%\nx = 2\n"
    assert len(found) == 1 and not found[0].is_running()


def test_a_server_that_is_killed_leaves_no_process(tmp_path: Path) -> None:
    with started(tmp_path, tmp_path / "project") as server:
        project = Project(server, tmp_path / "project")
        project.save("a.ipynb")
        wait_for(lambda: project.script("a.ipynb") != "")
        found = workers(server)
        server.process.kill()
    assert len(found) == 1
    wait_for(lambda: not found[0].is_running() or found[0].status() == psutil.STATUS_ZOMBIE)
