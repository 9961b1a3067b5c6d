"""Names: readable, stable, one per folder."""

import re

from workbench.plan import naming


def test_two_folders_of_one_name_are_two_workbenches():
    one, other = naming.workbench_name("analysis", "/a/analysis"), naming.workbench_name("analysis", "/b/analysis")
    assert one != other
    assert one == naming.workbench_name("analysis", "/a/analysis")


def test_a_name_fits_into_a_host_name():
    name = naming.workbench_name("x" * 300, "/x")
    assert re.fullmatch(r"[a-z0-9][a-z0-9-]{1,61}[a-z0-9]", naming.container(name))


def test_the_first_port_is_stable_and_in_range():
    ports = {naming.first_port(f"/home/ada/{number}") for number in range(200)}
    assert len(ports) > 150
    assert all(20000 <= port < 30000 for port in ports)
    assert naming.first_port("/a") == naming.first_port("/a")


def test_image_names_are_dockerutils_names_and_valid_references():
    assert naming.image("analysis", "notebook", "ada") == "analysis-notebook:ada"
    assert naming.image("analysis", "notebook", "CORP\\ada@x") == "analysis-notebook:CORP-ada-x"
