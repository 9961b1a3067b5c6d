"""What unison says -> how it goes, however it is cut into pieces. Samples are of unison 2.52.1."""

import pytest

from workbench.docks.sync.unison import LONG, NAMES, Heard, version

COPIED = b"""\
Reconciling changes
file     ---->            archive.txt  
Propagating updates
Unison 2.52.1 (ocaml 4.13.1) started propagating changes at 01:43:11.51 on 26 Nov 2026
[BGN] Copying archive.txt from /a to /b
 50%  00:00 ETA\r               \r[END] Copying archive.txt
 94%  00:00 ETA"""  # noqa: W291 - so it is said
MISSING = b"""\
Fatal error: Warning: inconsistent state.  
The archive file is missing on some hosts.
For safety, the remaining copies should be deleted.
  Archive are45a04aec7a46cab50c1a2815ff9251f on host vm should be DELETED
"""  # noqa: W291 - so it is said
FIRST = b"Warning: No archive files were found for these roots, whose canonical names are:\n\t/a\n\t/b\n"


def heard(*pieces: bytes) -> Heard:
    """All of them taken in."""
    found = Heard()
    for piece in pieces:
        found.hear(piece)
    return found


def short(found: Heard) -> tuple[object, ...]:
    return (found.percent, found.conflicts, found.failed, found.changed, found.lost)


SAMPLES = {
    "both changed": (b"changed  <==== changed    both.txt\n", (None, ["both.txt"], [], False, False)),
    "the other wins": (b"changed  ====> changed    a b/c d.txt  \n", (None, ["a b/c d.txt"], [], False, False)),
    "deleted and changed": (b"deleted  <-?-> chgd dir   dirdel\n", (None, ["dirdel"], [], False, False)),
    "new on both": (b"new file <-?-> new file   x\n", (None, ["x"], [], False, False)),
    "a name in UTF-8": (
        "changed  <==== changed    naïve/日本.txt\n".encode(),
        (None, ["naïve/日本.txt"], [], False, False),
    ),
    "copied": (b"[END] Copying a.txt\n", (None, [], [], True, False)),
    "begun": (b"[BGN] Copying a.txt from /a to /b\n", (None, [], [], False, False)),
    "percent": (b"\r 94%  00:00 ETA", (94, [], [], False, False)),
    "percent and a line": (b"\r 94%  00:00 ETA\r         \r[END] Copying a\n", (94, [], [], True, False)),
    "failed": (b"  failed: ro\n", (None, [], ["ro"], False, False)),
    "failed twice": (b"  failed: a\n  failed: b\n  failed: a\n", (None, [], ["b", "a"], False, False)),
    "one direction": (b"file     ---->            a.txt  \n", (None, [], [], False, False)),
    "a pass": (COPIED, (94, [], [], True, False)),
    "memory missing": (MISSING, (None, [], [], False, True)),
    "memory garbage": (b"Warning: Archive format mismatch: found\n", (None, [], [], False, True)),
    "memory damaged": (b"Fatal error: Archive file seems damaged (x): use\n", (None, [], [], False, True)),
    "no memory yet": (FIRST, (None, [], [], False, False)),
    # Names that look like what is said.
    "a file called archive": (b"[BGN] Copying The archive file from /a to /b\n", (None, [], [], False, False)),
    "failed archive": (b"  failed: archive.zip\n", (None, [], ["archive.zip"], False, False)),
    "changed archive": (b"changed  <==== changed    archive.zip\n", (None, ["archive.zip"], [], False, False)),
    "a file called END": (b"file     ---->            [END] Copying x  \n", (None, [], [], False, False)),
    "a file called failed": (b"file     ---->              failed: x  \n", (None, [], [], False, False)),
    "a file called 50%": (b"file     ---->            50% off  \n", (None, [], [], False, False)),
    "a file called like a conflict": (
        b"file     ---->            changed  <==== changed    x\n",
        (None, [], [], False, False),
    ),
    "what a terminal would do": (b"  failed: \x1b]0;mine\x07\x9b2J\n", (None, [], ["?]0;mine?\ufffd2J"], False, False)),
    "nothing": (b"\n\r\n  \n", (None, [], [], False, False)),
}


@pytest.mark.parametrize("name", SAMPLES)
def test_what_it_says(name: str) -> None:
    said, wanted = SAMPLES[name]
    assert short(heard(said)) == wanted


@pytest.mark.parametrize("name", SAMPLES)
def test_cut_anywhere_it_says_the_same(name: str) -> None:
    said, wanted = SAMPLES[name]
    whole = heard(said)
    for at in range(len(said) + 1):
        cut = heard(said[:at], said[at:])
        assert (short(cut), cut.last) == (wanted, whole.last), at
    single = heard(*(said[at : at + 1] for at in range(len(said))))
    assert (short(single), single.last) == (wanted, whole.last)


def test_all_of_it_one_after_the_other() -> None:
    found = heard(*(said + b"\n" for said, _ in SAMPLES.values()))
    assert found.conflicts == ["both.txt", "a b/c d.txt", "dirdel", "x", "naïve/日本.txt", "archive.zip"]
    assert found.changed
    assert found.lost
    assert len(found.last) == 8


def test_percent_is_heard_before_its_line_ends() -> None:
    found = heard(b" 94%  00:00 ETA\r       \r 9")
    assert found.percent == 94
    found.hear(b"5%")
    assert found.percent == 95


def test_no_end_of_names_nor_of_a_line() -> None:
    found = heard(*(f"  failed: {number}\n".encode() for number in range(3 * NAMES)))
    assert found.failed == [str(number) for number in range(2 * NAMES, 3 * NAMES)]
    found = heard(*(b"x" * 4096 for _ in range(3 * LONG // 4096)), b"\n", b"y" * 2 * LONG + b"\n")
    assert [len(line) for line in found.last] == [LONG, LONG]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("unison version 2.52.1 (ocaml 4.13.1)\n", (2, 52)),
        ("unison version 2.53.5 (ocaml 4.14.1)", (2, 53)),
        ("unison version 2.48.4", (2, 48)),
        ("unison version 3.0", (3, 0)),
        ("Welcome!\nunison version 2.53.0 (ocaml 5.1.0)\n", (2, 53)),
        ("unison version 2", ()),
        ("sh: unison: not found", ()),
        ("", ()),
    ],
)
def test_versions(text: str, wanted: tuple[int, ...]) -> None:
    assert version(text) == wanted
