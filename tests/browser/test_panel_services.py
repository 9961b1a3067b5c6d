"""Services in the panel, with real ones: how each is, within seconds; its log; its restart, where that was allowed."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Locator, Page, expect
from support.person import MakePerson, Person, Workbench
from support.require import require

from browser.test_notebook import notebook, picture, run_cell
from browser.test_panel import dialogs, page, visit

__all__ = ["page"]

SERVICES = """
services:
  db:
    image: {image}
    init: true
    command: ["python3", "-uc", "print('ready to serve'); import time; time.sleep(100_000)"]
    healthcheck: {{test: ["CMD", "test", "!", "-e", "/tmp/ill"], interval: 1s, retries: 1}}
  mlflow:
    image: {image}
    init: true
    command: ["python3", "-m", "http.server", "5000", "--directory", "/srv"]
    ports: ["127.0.0.1::5000"]
"""
PROJECT = """
[tool.workbench.services.db]
restart = true

[tool.workbench.services.mlflow]
web = { port = 5000, title = "MLflow" }
"""
# Compose knows a project by the name of its folder.
pytestmark = pytest.mark.xdist_group("churn")
CELLS = (
    "import workbench; here = workbench.here(); [(each['name'], each['health']) for each in here.services]",
    "here.service_logs('db')",
    "here.restart_service('mlflow')",
    "print(here)",
)
SOON = 10_000
"""Milliseconds within which a page shows what has become of a service."""


@pytest.fixture
def beside(
    request: pytest.FixtureRequest, page: Page, somebody: MakePerson
) -> Iterator[tuple[Person, Workbench, Locator]]:
    """A workbench with two services, a notebook open in it, and the panel in the sidebar."""
    me = somebody(getattr(request, "param", "docker"))
    project = me.project(name="churn")
    me.write(project / "compose.yaml", SERVICES.format(image=require("base-image")))
    me.write(project / "pyproject.toml", PROJECT)
    me.write(project / "churn.ipynb", notebook(*CELLS))
    try:
        bench = me.launch(project)
        visit(page, bench, "churn.ipynb")
        page.get_by_role("tab", name="Workbench").click()
        yield me, bench, page.locator("#workbench-panel")
    finally:
        me.run("workbench", "services", "down", cwd=project).ok()


def container(me: Person, service: str) -> str:
    """Its id."""
    project = f"label=com.docker.compose.project.working_dir={me.projects / 'churn'}"
    wanted = f"label=com.docker.compose.service={service}"
    return me.engine.docker("ps", "-aq", "--filter", project, "--filter", wanted).strip()


def test_services_in_the_sidebar(page: Page, beside: tuple[Person, Workbench, Locator]) -> None:
    me, bench, panel = beside
    services = panel.get_by_role("region", name="Services")
    db, mlflow = services.locator("li").filter(has_text="db"), services.locator("li").filter(has_text="MLflow")
    expect(db.locator(".wb-state")).to_have_text("healthy")
    expect(mlflow.locator(".wb-state")).to_have_text("running")
    expect(mlflow).to_contain_text(re.compile(r"127\.0\.0\.1:\d+ → 5000"))
    address = f"http://{bench.name}.localhost:{bench.port}/services/mlflow/"
    expect(mlflow.get_by_role("link", name="MLflow")).to_have_attribute("href", address)

    me.engine.docker("exec", container(me, "db"), "touch", "/tmp/ill")
    expect(db.locator(".wb-state")).to_have_text("unhealthy", timeout=SOON)
    me.engine.docker("exec", container(me, "db"), "rm", "/tmp/ill")
    expect(db.locator(".wb-state")).to_have_text("healthy", timeout=SOON)
    me.engine.docker("kill", container(me, "mlflow"))
    expect(mlflow.locator(".wb-state")).to_have_text("exit code 137", timeout=SOON)

    panel.get_by_role("button", name="Logs of db").click()
    log = panel.get_by_role("log")
    expect(log).to_have_text("ready to serve")
    page.evaluate("document.querySelector('.wb-services').scrollIntoView()")
    picture(page, "panel-services-light.png")
    page.get_by_role("menuitem", name="Settings").click()
    page.get_by_text("Theme", exact=True).first.click()
    page.get_by_text("JupyterLab Dark", exact=True).first.click()
    expect(page.locator("body")).to_have_attribute("data-jp-theme-name", "JupyterLab Dark")
    expect(page.locator("#jupyterlab-splash")).to_have_count(0)
    picture(page, "panel-services-dark.png")

    before = me.engine.inspect(container(me, "db"))["State"]["StartedAt"]
    expect(panel.get_by_role("button", name="Restart mlflow")).to_have_count(0)
    panel.get_by_role("button", name="Restart db").click()
    panel.get_by_role("alertdialog").get_by_role("button", name="Restart").click()
    expect(panel.get_by_role("status")).to_contain_text("Restarted db.")
    assert me.engine.inspect(container(me, "db"))["State"]["StartedAt"] != before
    expect(db.locator(".wb-state")).to_have_text("healthy", timeout=SOON)
    expect(log).to_have_text("ready to serveready to serve")
    assert dialogs(page) == []


@pytest.mark.parametrize("beside", ["docker", "podman"], indirect=True)
def test_services_from_a_notebook(page: Page, beside: tuple[Person, Workbench, Locator]) -> None:
    me, _, _ = beside
    before = me.engine.inspect(container(me, "mlflow"))["State"]["StartedAt"]
    run_cell(page, 0, "[('db', 'healthy'), ('mlflow', '')]")
    run_cell(page, 1, "['ready to serve']")
    run_cell(page, 2, "[tool.workbench.services.mlflow]")
    run_cell(page, 3, "db (healthy)")
    assert me.engine.inspect(container(me, "mlflow"))["State"]["StartedAt"] == before
