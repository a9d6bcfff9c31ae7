"""Profiles: their form, their order, what the model and the export allow, and which one an input takes."""

from __future__ import annotations

import pytest

from albert_export.engines.profiles import choose_profile, longest_row, most_of, parse_profiles, read_profiles
from albert_export.errors import BundleError, InputError
from albert_export.tasks import TASKS, get_task

QA, CHOICE = get_task("qa"), get_task("choice")


def parsed(*texts: str, task=QA, longest: int = 512, **sizes: int) -> list[str]:
    return [str(profile) for profile in parse_profiles(texts, task, longest=longest, sizes=sizes)]


def test_a_profile_reads_as_it_is_written() -> None:
    assert parsed("1x16,8x128,32x384", "64x32, 64x32 ,128x64") == ["1x16,8x128,32x384", "64x32,64x32,128x64"]
    assert parsed("1x2x16,2x4x64,8x4x128", task=CHOICE) == ["1x2x16,2x4x64,8x4x128"]
    alone = "1x16,8x128,32x384"
    assert parse_profiles(alone, QA, longest=512, sizes={}) == parse_profiles([alone], QA, longest=512, sizes={})


def test_without_one_the_model_says_how_long() -> None:
    assert parsed() == ["1x1,8x128,32x512"]
    assert parsed(longest=24) == ["1x1,8x24,32x24"]
    assert parsed(batch=4) == ["4x1,4x128,4x512"]
    assert parsed(batch=1, sequence=384) == ["1x384,1x384,1x384"]
    assert parsed(task=CHOICE) == ["1x2x1,8x2x128,32x4x512"]
    for task in TASKS:  # the default obeys the rules that a written one is held to
        default = parsed(task=task, longest=7)
        assert parsed(*default, task=task, longest=7) == default


@pytest.mark.parametrize(
    ("texts", "told"),
    [
        (
            ["1x16,8x128"],
            "BATCHxSEQUENCE,BATCHxSEQUENCE,BATCHxSEQUENCE; received 1x16,8x128; fix: write it like 1x1,8x128,32x128",
        ),
        (["16,128,384"], "must have the axes batchxsequence; received 16,128,384"),
        (["1x2x16,1x2x16,1x2x16"], "must have the axes batchxsequence"),
        (["1x16,8x128,4x384"], "batch 1, 8, 4 in 1x16,8x128,4x384; fix: order them"),
        (["1x64,8x32,8x384"], "sequence 64, 32, 384"),
        (["0x16,8x128,32x384"], "batch 0, 8, 32"),
        (["1x16,8x128,32x600"], "at most max_position_embeddings, which is 512; received 600 in"),
        (["1x16,8x128,99999999999x384"], "a profile must be"),
        (["1x-1,8x128,32x384"], "a profile must be"),
        ([""], "a profile must be"),
        (["1x1,1x8,1x16", "1x1,1x8,1x16"], "every profile must be given once"),
    ],
)
def test_what_is_no_profile_is_told_in_one_line(texts: list[str], told: str) -> None:
    with pytest.raises(InputError) as caught:
        parsed(*texts)
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_fixed_size_holds_for_every_profile() -> None:
    with pytest.raises(InputError, match=r"batch is fixed to 4.*received batch 1, 8, 32.*leave --batch out"):
        parsed("1x16,8x128,32x384", batch=4)
    assert parsed("4x16,4x128,4x384", batch=4) == ["4x16,4x128,4x384"]


def test_an_input_takes_the_tightest_profile_that_takes_it() -> None:
    profiles = parse_profiles(["1x1,8x128,64x384", "1x1,1x32,8x128"], QA, longest=512, sizes={})
    assert choose_profile(profiles, (4, 64)) == (1, (4, 64))
    assert choose_profile(profiles, (4, 200)) == (0, (4, 200))
    assert choose_profile(profiles, (64, 384)) == (0, (64, 384))
    assert longest_row(profiles) == 384
    assert (most_of(profiles, "batch"), most_of(profiles, "choices")) == (8, None)
    with pytest.raises(InputError, match=r"from 1x1 to 64x384 or 1x1 to 8x128; received 65x16; fix: run fewer"):
        choose_profile(profiles, (65, 16))


def test_what_falls_below_every_profile_that_it_does_not_exceed_is_padded_the_least() -> None:
    apart = parse_profiles(["8x128,16x128,32x384", "1x1,1x8,4x32"], QA, longest=512, sizes={})
    assert choose_profile(apart, (1, 100)) == (0, (8, 128)), "too long for the one, too few rows for the other"
    assert choose_profile(apart, (5, 8)) == (0, (8, 128))
    assert choose_profile(apart, (4, 8)) == (1, (4, 8))
    overlapping = parse_profiles(["4x64,8x128,8x128", "1x32,8x128,64x384"], QA, longest=512, sizes={})
    assert choose_profile(overlapping, (1, 16)) == (1, (1, 32)), "16 times less padding beats a tighter largest shape"
    # What most_of and longest_row promise together lies in a profile.
    assert choose_profile(apart, (4, 384)) == (0, (8, 384))
    choices = parse_profiles(["1x2x16,2x4x64,8x4x128", "1x2x16,2x3x64,2x3x384"], CHOICE, longest=512, sizes={})
    assert (most_of(choices, "batch"), most_of(choices, "choices"), longest_row(choices)) == (2, 3, 384)


def test_a_manifest_gives_them_back() -> None:
    profiles = parse_profiles(["1x2x16,2x4x64,8x4x128"], CHOICE, longest=512, sizes={})
    facts = [profile.to_dict() for profile in profiles]
    assert read_profiles(facts) == profiles
    for damaged in ([{}], [{**facts[0], "max": [1]}], [{**facts[0], "opt": ["much", 1, 1]}], "none", 3):
        with pytest.raises(BundleError, match="the manifest must tell the profiles that an engine was built with"):
            read_profiles(damaged)  # type: ignore[arg-type]
