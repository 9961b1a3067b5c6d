"""The pure parts of machines of a cloud: times, addresses, keys, plans, and what a new machine is told to do."""

import json
import os
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]

from workbench.docks import cloud, cloudinit, hostkeys, life
from workbench.docks.aws import amazon, catalog, ec2, prices
from workbench.docks.cloud import MachinePlan
from workbench.errors import ConfigError

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl ada@laptop"
PLAN = MachinePlan(
    "box", KEY, "198.51.100.7/32", "t3.large", image="ami-1", user="ubuntu", disk=50, owner="ada", place="eu-west-1"
)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("2h", 7200), ("90m", 5400), ("1h30m", 5400), ("1d", 86400), ("0s", 0), (" 45s ", 45), ("1d2h3m4s", 93784)],
)
def test_times(text: str, seconds: int) -> None:
    assert cloud.seconds(text) == seconds


@pytest.mark.parametrize("text", ["", "2", "h", "2 h", "-1h", "1.5h", "2h; reboot", "2w", "3m2h", "٣h", "9" * 30 + "s"])
def test_what_is_no_time(text: str) -> None:
    with pytest.raises(ConfigError, match="is not a time"):
        cloud.seconds(text)


def test_no_machine_stops_before_it_can_be_used() -> None:
    assert cloud.idle_stop("10m") == 600
    with pytest.raises(ConfigError, match="too short"):
        cloud.idle_stop("9m")


@pytest.mark.parametrize(
    ("text", "found"),
    [("10.1.2.3", "10.1.2.3/32"), ("10.0.0.0/8", "10.0.0.0/8"), ("2001:db8::1", "2001:db8::1/128"), ("::/0", "::/0")],
)
def test_networks(text: str, found: str) -> None:
    assert cloud.network(text) == found


@pytest.mark.parametrize("text", ["", "10.0.0.1/8", "10.0.0.256", "home", "10.0.0.0/8 --x", "<html>"])
def test_what_is_no_network(text: str) -> None:
    with pytest.raises(ConfigError, match="is not a network"):
        cloud.network(text)


@pytest.mark.parametrize("text", ["-x", "a b", "$(id)", "Ada", "a" * 33, "a\n", ""])
def test_what_is_no_account(text: str) -> None:
    with pytest.raises(ConfigError, match="is not the name of an account"):
        cloud.login(text)


def told(*, gpu: bool = False, idle_stop: int = 0) -> tuple[dict[str, str], list[Any]]:
    """The files that a new machine writes, and the commands that it runs."""
    text = cloudinit.text("ubuntu", gpu=gpu, idle_stop=idle_stop)
    assert text.startswith("#cloud-config\n") and len(text) < 16384
    document = yaml.safe_load(text)
    return {each["path"]: each["content"] for each in document["write_files"]}, document["runcmd"]


def test_a_new_machine_installs_the_engine() -> None:
    files, commands = told()
    assert list(files) == ["/usr/local/lib/workbench/setup"]
    # A list: no shell reads the name.
    assert commands == [["sh", "/usr/local/lib/workbench/setup", "ubuntu"]]
    assert told(gpu=True)[1][0][-1] == "gpu"
    files, _ = told(idle_stop=5400)
    assert "idle 5400\n" in files["/etc/systemd/system/workbench-idle.service"]


def test_its_scripts_can_be_read_by_a_shell(tmp_path: Path) -> None:
    files, _ = told(gpu=True, idle_stop=7200)
    scripts = [content for content in files.values() if content.startswith("#!/bin/sh")]
    assert len(scripts) == 2
    for script in scripts:
        (tmp_path / "script").write_text(script)
        subprocess.run(["sh", "-n", str(tmp_path / "script")], check=True, stdin=subprocess.DEVNULL)


class Idle:
    """The script that stops a machine, with stand-ins for what it asks and does."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        text = cloudinit.IDLE.replace("/run/workbench-busy", str(folder / "mark"))
        (folder / "idle").write_text(text.replace("/proc/uptime", str(folder / "uptime")))
        self.says("docker", "")
        self.says("ss", "")
        self.says("systemctl", "")

    def says(self, program: str, text: str) -> None:
        """What a program prints; it notes that it was called."""
        file = self.folder / program
        file.write_text(f'#!/bin/sh\necho "$0 $*" >> {self.folder}/called\nprintf "%s" "{text}"\n')
        file.chmod(0o755)

    def stops_at(self, seconds: int) -> bool:
        """Run it once, so long after the start of the machine; whether it switches the machine off."""
        (self.folder / "uptime").write_text(f"{seconds}.42 99.00\n")
        (self.folder / "called").write_text("")
        env = {"PATH": f"{self.folder}:{os.environ['PATH']}"}
        argv = ["sh", str(self.folder / "idle"), "3600"]
        subprocess.run(argv, env=env, check=True, stdin=subprocess.DEVNULL)
        return "systemctl poweroff" in (self.folder / "called").read_text()


def test_a_machine_that_nobody_uses_stops(tmp_path: Path) -> None:
    machine = Idle(tmp_path)
    assert [machine.stops_at(each) for each in (60, 120, 3600, 3659, 3660)] == [False, False, False, False, True]


@pytest.mark.parametrize("program", ["docker", "ss"])
def test_a_workbench_or_somebody_there_keeps_it_running(tmp_path: Path, program: str) -> None:
    machine = Idle(tmp_path)
    assert not machine.stops_at(60)
    machine.says(program, "something")
    assert not machine.stops_at(7200)
    machine.says(program, "")
    assert not machine.stops_at(7260)
    assert not machine.stops_at(10799)
    assert machine.stops_at(10800)


def test_what_is_asked_of_ec2() -> None:
    words = ec2.run_words(PLAN, "token", "sg-1", "/dev/sda1")
    assert words["SecurityGroupIds"] == ["sg-1"] and words["ClientToken"] == "token"
    assert words["BlockDeviceMappings"] == [
        {
            "DeviceName": "/dev/sda1",
            "Ebs": {"VolumeSize": 50, "VolumeType": "gp3", "Encrypted": True, "DeleteOnTermination": True},
        }
    ]
    assert words["MetadataOptions"]["HttpTokens"] == "required"
    assert words["InstanceInitiatedShutdownBehavior"] == "stop"
    assert "SubnetId" not in words
    assert ec2.run_words(replace(PLAN, subnet="subnet-1"), "", "", "")["SubnetId"] == "subnet-1"
    assert json.loads(ec2.run_words(PLAN, "", "", "")["UserData"].partition("\n")[2])


def test_the_one_way_in() -> None:
    [rule] = ec2.rule("198.51.100.7/32")
    assert (rule["FromPort"], rule["ToPort"], "Ipv6Ranges" in rule) == (22, 22, False)
    [rule] = ec2.rule("2001:db8::/64")
    assert rule["Ipv6Ranges"][0]["CidrIpv6"] == "2001:db8::/64" and "IpRanges" not in rule


def test_keys_are_called_by_their_fingerprint() -> None:
    assert ec2.key_name(KEY) == ec2.key_name(KEY.replace("ada@laptop", "")) != ec2.key_name(KEY.replace("Jl ", "Jk "))
    for wrong in ("", "ssh-ed25519", "ssh-ed25519 ???", "-----BEGIN OPENSSH PRIVATE KEY-----", "ssh-dss AAAA"):
        with pytest.raises(ConfigError):
            ec2.key_name(wrong)


def test_a_private_key_is_never_read(tmp_path: Path) -> None:
    (tmp_path / ".ssh").mkdir()
    (tmp_path / ".ssh/id_rsa").write_text("private")
    with pytest.raises(ConfigError, match=r"id_ed25519\.pub"):
        life.public_key(None, tmp_path)
    (tmp_path / ".ssh/id_rsa.pub").write_text(f"{KEY}\n")
    assert life.public_key(None, tmp_path) == life.public_key(tmp_path / ".ssh/id_rsa", tmp_path) == KEY


def test_images() -> None:
    assert [name.split("/")[6] for name in ec2.image_names("x86_64", gpu=False)] == ["26.04", "24.04"]
    assert all("/amd64/" in name for name in ec2.image_names("x86_64", gpu=False))
    assert all("/arm64/" in name for name in ec2.image_names("arm64", gpu=False))
    [name] = ec2.image_names("x86_64", gpu=True)
    assert "nvidia-driver" in name


def test_host_keys_of_a_console() -> None:
    begin, end = "-----BEGIN SSH HOST KEY KEYS-----", "-----END SSH HOST KEY KEYS-----"
    public = KEY.removesuffix(" ada@laptop")
    assert ec2.host_keys(f"[ 1.0] boot\r\n{begin}\r\n{public} root@ip\r\n{end}\r\nlogin:") == (public,)
    assert ec2.host_keys(f"{begin}\nssh-rsa OLD=\n{end}\n{begin}\n<13> cloud-init: {public}\n{end}") == (public,)
    assert ec2.host_keys(f"{public}\n") == ec2.host_keys("") == ec2.host_keys(f"{begin}\nrm -rf /\n{end}") == ()


def test_machines_that_ssh_knows(tmp_path: Path) -> None:
    public = KEY.removesuffix(" ada@laptop")
    hostkeys.learn("192.0.2.1", [public, "@cert-authority * ssh-rsa A", f"{public}\nevil {public}"], tmp_path)
    file = tmp_path / ".ssh/known_hosts"
    assert file.read_text() == f"192.0.2.1 {public}\n" and file.stat().st_mode & 0o777 == 0o600
    file.write_text(f"other {public}\n192.0.2.1 {public}")
    subprocess.run(["ssh-keygen", "-H", "-f", str(file)], check=True, capture_output=True)
    assert hostkeys.known("192.0.2.1", tmp_path) == (public,)
    hostkeys.forget("192.0.2.1", tmp_path)
    assert hostkeys.known("192.0.2.1", tmp_path) == () and hostkeys.known("other", tmp_path) == (public,)


def test_prices() -> None:
    def product(price: str) -> str:
        offer = {"priceDimensions": {"x": {"pricePerUnit": {"USD": price}}}}
        return json.dumps({"terms": {"OnDemand": {"x": offer}}})

    assert prices.read([product("0.0000000000"), product("0.0912000000")]) == 0.0912
    assert prices.read([]) is None


@pytest.mark.parametrize(
    ("outputs", "found"),
    [
        ({"InstanceId": "i-0123456789abcdef0", "PublicIp": "192.0.2.7"}, ("i-0123456789abcdef0", "192.0.2.7")),
        ({"PrivateIp": "10.0.0.1", "EC2PublicIPAddress": "192.0.2.7"}, ("", "192.0.2.7")),
        ({"Host": "box.example.org"}, ("", "box.example.org")),
        ({"PublicIp": "-oProxyCommand", "Ship": "no", "ip": "192.0.2.7"}, ("", "192.0.2.7")),
        ({"Note": "192.0.2.7"}, ("", "")),
    ],
)
def test_outputs_of_a_product(outputs: dict[str, str], found: tuple[str, str]) -> None:
    assert catalog.machine_of(outputs) == found


@pytest.mark.parametrize("text", ["eu-west-1/i-1", "eu-west-1/i-1/pp-2", "eu-west-1/pp-2"])
def test_names_of_machines(text: str) -> None:
    assert str(amazon.ref(text)) == text


@pytest.mark.parametrize("text", ["", "i-1", "eu-west-1", "eu-west-1/", "eu-west-1/x", "eu-west-1/i-1/i-2", "/i-1"])
def test_what_names_no_machine(text: str) -> None:
    with pytest.raises(ConfigError):
        amazon.ref(text)


def test_a_provider_that_is_not_there() -> None:
    with pytest.raises(ConfigError, match="no provider 'nobody'"):
        cloud.provider("nobody")
