"""What image builds print, as recorded from Docker 20.10 and Podman 4.3 and as newer Docker writes it, -> events."""

from workbench.engines.progress import buildkit, podman

DOCKER_20 = """\
#1 [internal] load build definition from Dockerfile
#1 sha256:830a77947df9e25a5bcebf7e104b14bd2e238da10a7461b09b706da66369112b
#1 transferring dockerfile: 451B done
#1 DONE 0.0s

#4 [base 1/2] FROM docker.io/library/python:3.11-slim-bookworm
#4 sha256:952df0ccbe7dd6076e0f963a0e6647c3f46d47509f5c87ecf7ee9d4f44297c17
#4 CACHED

#5 [base 2/2] RUN --mount=type=cache,target=/root/.cache/x,sharing=locked echo hello; echo "there" >&2
#5 sha256:edd66b770a40be4ffeebadc4bd57f9bd41af9551cdb0904e3a033f9dc3c891ca
#5 0.140 hello
#5 1.142 there
#5 DONE 1.2s

#10 exporting to image
#10 sha256:e8c613e07b0b7ff33893b694f7759a10d42e180f2b4dc349fb57dc6b71dcab00
#10 exporting layers 0.0s done
#10 writing image sha256:a06d649209f03f14272e34164a39558a9f0e2a1ad727048361e0e038824d7c6d done
#10 naming to docker.io/library/eng:1 done
#10 DONE 0.0s
"""

DOCKER_FAILS = """\
#5 [2/2] RUN echo aa; exit 3
#5 0.140 aa
#5 ERROR: executor failed running [/bin/sh -c echo aa; exit 3]: exit code: 3
------
 > [2/2] RUN echo aa; exit 3:
------
executor failed running [/bin/sh -c echo aa; exit 3]: exit code: 3
"""

PULL = """\
#4 [1/2] FROM docker.io/library/python:3.13-slim
#4 resolve docker.io/library/python:3.13-slim@sha256:0123 done
#4 sha256:aaaa1111 1.05MB / 29.15MB 0.2s
#4 sha256:bbbb2222 512B / 1.00kB 0.2s
#4 sha256:aaaa1111 29.15MB / 29.15MB 0.9s done
#4 extracting sha256:aaaa1111 0.5s done
#4 ...

#5 [internal] load build context
#5 ERROR: no such file

#4 [1/2] FROM docker.io/library/python:3.13-slim
#4 DONE 2.5s
"""

PODMAN_4 = """\
[1/2] STEP 1/2: FROM python:3.11-slim-bookworm AS base
[1/2] STEP 2/2: RUN --mount=type=cache,target=/root/.cache/x echo hello
hello
--> 9c5bd8ff5b3
[2/2] STEP 1/3: FROM 9c5bd8ff5b352f2f22031db715b3dbb4dcb440c6c4dbd6c1a94d157868e0585d
[2/2] STEP 2/3: COPY server.py /opt/server.py
--> Using cache 42f349dc5c63700e6b7cce87378328acdc7e9d45a2ba04ab4f30b7f1f0852f3a
--> 42f349dc5c6
[2/2] STEP 3/3: LABEL "a"="b"
[2/2] COMMIT eng:1
--> 2e740d66ded
Successfully tagged localhost/eng:1
2e740d66ded3c277e119d35ab0bd3e08f5b8cba352cbd5f3dddcc9169dcc11a5
"""

PODMAN_FAILS = """\
STEP 1/2: FROM python:3.11-slim-bookworm
STEP 2/2: RUN echo aa; exit 3
aa
Error: building at STEP "RUN echo aa; exit 3": while running runtime: exit status 3
"""


def told(events):
    return [(event.kind, event.step, event.text) for event in events]


def test_steps_of_a_docker_build_have_names_output_and_times():
    run = '[base 2/2] RUN echo hello; echo "there" >&2'
    events = list(buildkit(DOCKER_20.splitlines()))
    assert told(events) == [
        ("step", "4", "[base 1/2] FROM docker.io/library/python:3.11-slim-bookworm"),
        ("cached", "4", "[base 1/2] FROM docker.io/library/python:3.11-slim-bookworm"),
        ("step", "5", run),
        ("output", "5", "hello"),
        ("output", "5", "there"),
        ("done", "5", run),
        ("step", "10", "exporting to image"),
        ("output", "10", "exporting layers 0.0s done"),
        ("done", "10", "exporting to image"),
    ]
    assert events[5].seconds == 1.2


def test_a_failed_docker_step_is_named_after_its_output():
    kinds = told(buildkit(DOCKER_FAILS.splitlines()))
    assert kinds[:3] == [
        ("step", "5", "[2/2] RUN echo aa; exit 3"),
        ("output", "5", "aa"),
        ("failed", "5", "[2/2] RUN echo aa; exit 3"),
    ]
    assert kinds[-1][2] == "executor failed running [/bin/sh -c echo aa; exit 3]: exit code: 3"


def test_layers_of_a_pull_are_summed_in_bytes_and_a_repeated_name_opens_no_step():
    events = list(buildkit(PULL.splitlines()))
    amounts = [(event.done, event.total) for event in events if event.kind == "progress"]
    assert amounts == [(1_050_000, 29_150_000), (1_050_512, 29_151_000), (29_150_512, 29_151_000)]
    assert [event.step for event in events if event.kind == "step"] == ["4"]
    assert ("failed", "5", "[internal] load build context") in told(events)


def test_steps_of_a_podman_build():
    assert told(podman(PODMAN_4.splitlines())) == [
        ("step", "[1/2] 1/2", "[1/2] FROM python:3.11-slim-bookworm AS base"),
        ("done", "[1/2] 1/2", "[1/2] FROM python:3.11-slim-bookworm AS base"),
        ("step", "[1/2] 2/2", "[2/2] RUN echo hello"),
        ("output", "[1/2] 2/2", "hello"),
        ("done", "[1/2] 2/2", "[2/2] RUN echo hello"),
        ("step", "[2/2] 1/3", "[1/3] FROM 9c5bd8ff5b352f2f22031db715b3dbb4dcb440c6c4dbd6c1a94d157868e0585d"),
        ("done", "[2/2] 1/3", "[1/3] FROM 9c5bd8ff5b352f2f22031db715b3dbb4dcb440c6c4dbd6c1a94d157868e0585d"),
        ("step", "[2/2] 2/3", "[2/3] COPY server.py /opt/server.py"),
        ("cached", "[2/2] 2/3", "[2/3] COPY server.py /opt/server.py"),
    ]


def test_a_failed_podman_step_is_named():
    assert told(podman(PODMAN_FAILS.splitlines()))[-2:] == [
        ("output", "2/2", 'Error: building at STEP "RUN echo aa; exit 3": while running runtime: exit status 3'),
        ("failed", "2/2", "[2/2] RUN echo aa; exit 3"),
    ]
