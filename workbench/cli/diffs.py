"""`workbench diffs` and `workbench diff`: the reviewable copies of notebooks, and a notebook against git."""

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from workbench.cli.helped import Command

if TYPE_CHECKING:
    from workbench.review.findings import Finding
    from workbench.review.scope import Scope

PATHS = click.Path(path_type=Path, readable=False)
HOOK = """\
repos:
  - repo: local
    hooks:
      - id: notebooks
        name: copies of notebooks
        language: system
        entry: workbench diffs --check --fix
        files: '\\.ipynb$|(^|/)\\.diffs/'
        require_serial: true"""


@click.command(
    "diffs",
    cls=Command,
    examples=(
        "  # of every notebook of this project",
        "a.ipynb notebooks/  # of these",
        "--check  # in CI: exit code 1 for old ones",
        "--init  # what git is to know of them",
    ),
)
@click.argument("paths", nargs=-1, type=PATHS)
@click.option("--check", is_flag=True, help="Write nothing; exit code 1 when a copy is not up to date.")
@click.option("--fix", is_flag=True, help="With --check: write what is lacking, still with exit code 1 (for hooks).")
@click.option("--watch", is_flag=True, help="Write, then follow the notebooks that any editor saves.")
@click.option("--init", is_flag=True, help="Add to .gitattributes and .gitignore the lines that copies want.")
@click.option("--json", is_flag=True, help="One JSON document on standard output.")
def diffs_command(paths: tuple[Path, ...], check: bool, fix: bool, watch: bool, init: bool, json: bool) -> int:
    """Write the copies of notebooks that are for review: .diffs/NAME.py, .html.

    PATHS are notebooks or folders; without any, this folder's project is meant.
    """
    _refuse(check=check, fix=fix, watch=watch, init=init, json=json)
    if init:
        return _init(paths)
    from workbench.cli.signals import as_interrupt
    from workbench.review.findings import name
    from workbench.review.scope import scope
    from workbench.review.watch import start

    asked = scope(paths)
    for path in asked.left_out:
        click.echo(f"Left out, as it is hidden: {name(path, Path.cwd())}", err=True)
    with as_interrupt():
        changes = start(asked) if watch else None
        found = _all(asked, write=fix or not check, json=json)
        code = _report(_with_not_added(found) if check else found, paths, check=check, json=json)
        return code if changes is None else _follow(changes)


def _refuse(*, check: bool, fix: bool, watch: bool, init: bool, json: bool) -> None:
    if check + watch + init > 1:
        raise click.UsageError("Only one of --check, --watch and --init can be given.")
    if fix and not check:
        raise click.UsageError("--fix belongs to --check; without --check, copies are written anyway.")
    if json and (watch or init):
        raise click.UsageError("--json is for writing and for --check.")


def _all(asked: "Scope", *, write: bool, json: bool) -> list["Finding"]:
    """A finding for each notebook, and for each copy that has none. Writes what is lacking, or only compares."""
    from workbench.cli.terminal import ui
    from workbench.inside.diffs import store
    from workbench.review import work
    from workbench.review.findings import Finding

    found: list[Finding] = []
    doing, job = ("Converting", work.write) if write else ("Comparing", work.compare)
    ui(-1 if json else 0).work(work.each(doing, job, asked.notebooks(), found))
    orphans = asked.orphans(store.orphans)
    found += work.remove(orphans) if write else [Finding(copy, "orphaned") for copy in orphans]
    return sorted(found, key=lambda each: (each.state != "failed", each.path))


def _with_not_added(found: Sequence["Finding"]) -> list["Finding"]:
    """Copies that are right, and that a commit of their notebook would leave behind, help no reviewer."""
    from workbench.review import git
    from workbench.review.findings import Finding

    waiting = git.not_added(each.path for each in found if each.state == "fresh")
    return [Finding(each.path, "not added") if each.path in waiting else each for each in found]


def _report(found: Sequence["Finding"], paths: Sequence[Path], *, check: bool, json: bool) -> int:
    """Say what was found; the exit code."""
    from workbench.review import findings, git

    here = Path.cwd()
    news = [each for each in found if each.state != "fresh"]
    failed = any(each.state == "failed" for each in news)
    code = 1 if failed or (check and news) else 0
    if json:
        click.echo(findings.as_json(found, here))
        return code
    click.echo(findings.summary(found))
    if not check and len(news) > findings.ROWS:
        news = [each for each in news if each.state != "written"]  # a long list of what went well is no news
    click.echo("".join(f"{row}\n" for row in findings.rows(news, here)), nl=False)
    if check:
        copies = {each.path for each in news if each.state in findings.COPIES}
        to_add = git.to_add({each.path for each in news} - copies, copies)
        if step := findings.next_step(news, [str(path) for path in paths], here, to_add=to_add):
            click.echo(f"→ {step}")
    return code


def _follow(changes: Iterator[set[Path]]) -> int:
    """Keep the copies right until Ctrl-C."""
    from workbench.review.findings import name
    from workbench.review.watch import follow

    try:
        click.echo("Watching for saves; Ctrl-C ends it.", err=True)
        for finding, seconds in follow(changes):
            reason = f": {finding.reason}" if finding.reason else f" ({seconds:.2f} s)"
            click.echo(f"{time.strftime('%H:%M:%S')}  {finding.state}  {name(finding.path, Path.cwd())}{reason}")
    except KeyboardInterrupt:
        click.echo("\nNo longer watching.", err=True)
    return 0


def _init(paths: Sequence[Path]) -> int:
    """Write the marks into the project; name the hook."""
    from workbench import project
    from workbench.inside.diffs.paths import copies
    from workbench.review import git, marks

    if len(paths) > 1:
        raise click.UsageError("--init is for one project.")
    root = project.find(*(paths or (Path(),))).root
    for added in marks.add(root):
        done = "made" if added.created else "added to"
        click.echo(f"{added.file.name}: {done}" if added.lines else f"{added.file.name}: nothing to add")
        click.echo("".join(f"  + {line}\n" for line in added.lines), nl=False)
    if rule := git.why_ignored(copies(root / "any.ipynb").script):
        click.echo(f"git ignores .diffs, so that no review shows it, by the rule {rule}\n→ Remove that rule.")
    configured = root / ".pre-commit-config.yaml"
    if not (configured.exists() and "workbench" in configured.read_text("utf-8", "replace")):
        click.echo(f"A pre-commit hook that keeps the copies right, for {configured.name}:\n{HOOK}")
    return 0


@click.command(
    "diff",
    cls=Command,
    examples=("a.ipynb  # since the last commit", "a.ipynb main", "a.ipynb v1.0 v1.1  # between two revisions"),
)
@click.argument("notebook", type=PATHS)
@click.argument("revisions", nargs=-1, metavar="[REV [REV]]")
@click.option("--no-browser", is_flag=True, help="Only print the address.")
def diff_command(notebook: Path, revisions: tuple[str, ...], no_browser: bool) -> int:
    """Compare a notebook with a git revision, or two revisions of it.

    Without a REV it is HEAD. The comparison is nbdime's, in the browser.
    """
    from workbench.cli.signals import as_interrupt
    from workbench.flow import current_environ
    from workbench.ready import can_open_browser
    from workbench.review import against

    if len(revisions) > 2:
        raise click.UsageError("There are at most two revisions to compare.")
    environ, asked = current_environ(), revisions or ("HEAD",)
    path = against.compared(notebook, asked)
    if not against.differs(path, asked):
        click.echo(f"{notebook}: no difference between {' and '.join((*asked, 'the file')[:2])}.")
        return 0
    browser = not no_browser and can_open_browser(environ)
    try:
        with as_interrupt():
            for address in against.show(path, asked, environ, browser=browser):
                click.echo(address)
                click.echo("Closing the page ends the comparison, and so does Ctrl-C.", err=True)
    except KeyboardInterrupt:
        click.echo("", err=True)
    return 0
