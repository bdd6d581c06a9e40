"""The catalogue of hostile inputs, entry by entry: what is expected, which samples and tests try it, and what came out.

`python -m tests.catalogue` judges every sample and prints a line an entry; `--run` also runs the tests it names.
Expected: R refused (blocked, damaged or unsupported), A reviewed, G safe and held by the sandbox, W contained in the
worker, S shown harmless, C the old state intact. Numbers that are missing do not exist; samples under other numbers
are tricks of our own.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from backends.core import registry
from backends.core.errors import ArtifactError
from backends.core.source import Source
from console.records import Verdict
from console.trust.policy import Policy
from console.trust.verdict import judge
from tests.hostile import SAMPLES, Sample
from tests.inspecting import judge_error

__all__ = ["ENTRIES", "Entry", "samples_of", "verdict_on"]

ROOT = Path(__file__).parents[1]
_PASSED, _SKIPPED, _FAILED = "passed", "skipped", "failed"


@dataclass(frozen=True)
class Entry:
    """`tests` are those that try it beyond its samples, as `path::function` below `tests/`."""

    number: int
    name: str
    expected: str = "R"
    tests: tuple[str, ...] = ()

    @property
    def verdicts(self) -> frozenset[Verdict]:
        """The verdicts that its samples may get."""
        found = set[Verdict]()
        if "R" in self.expected:
            found |= {Verdict.BLOCKED, Verdict.DAMAGED, Verdict.UNSUPPORTED}
        if "A" in self.expected:
            found.add(Verdict.REVIEW)
        if "G" in self.expected:
            found.add(Verdict.SAFE)
        return frozenset(found)


_HDF5 = "backends/test_hdf5_hostile.py::"
_TORCH = "backends/test_torch.py::"
_HELD = "worker/test_containment.py::"
_PROCESS = "worker/test_process.py::"
_TABLES = "worker/test_tables.py::"
_TRAINING = "worker/test_training.py::"
_OWN = "worker/test_catalogue.py::"
_CATALOG = "store/test_catalog.py::"
_SEALED = "store/test_sealed.py::"
_WATCHER = "store/test_watcher.py::"
_PUBLISH = "store/test_publish.py::"
_CRASH = "store/test_publish_crash.py::"
_STATES = "store/test_publish_states.py::"
_UPDATER = "update/test_updater.py::"

ENTRIES: tuple[Entry, ...] = (
    Entry(1, "global_os_system"),
    Entry(2, "stack_global_v4"),
    Entry(3, "put_get_memo"),
    Entry(4, "memo_rebind"),
    Entry(6, "inst_v0"),
    Entry(7, "obj"),
    Entry(9, "newobj_popen"),
    Entry(10, "newobj_ex_kwargs"),
    Entry(11, "build_setstate"),
    Entry(13, "ext1_registry"),
    Entry(14, "ext4"),
    Entry(15, "persid_text"),
    Entry(16, "binpersid", tests=(f"{_TORCH}test_a_torch_pickle_outside_its_container_is_blocked",)),
    Entry(17, "trailing_pickle"),
    Entry(18, "trailing_garbage", "AR"),
    Entry(19, "exec_then_break"),
    Entry(20, "no_stop"),
    Entry(21, "proto_9"),
    Entry(22, "proto_midstream"),
    Entry(23, "frame_too_long"),
    Entry(24, "frame_straddle"),
    Entry(25, "nested_frame"),
    Entry(26, "bytearray8_2^40"),
    Entry(27, "long4_2^31"),
    Entry(28, "binunicode8_huge"),
    Entry(29, "dotted_allowed"),
    Entry(31, "getattr_chain"),
    Entry(32, "attrgetter"),
    Entry(33, "partial_reduce"),
    Entry(34, "importers"),
    Entry(35, "ctypes"),
    Entry(36, "code_builders"),
    Entry(37, "nested_loaders"),
    Entry(38, "sklearn_gadgets"),
    Entry(40, "numpy_gadgets"),
    Entry(41, "stdlib_gadgets"),
    Entry(42, "python_2_names"),
    Entry(43, "look_alikes"),
    Entry(44, "hash_bomb"),
    Entry(45, "deep_list_200k"),
    Entry(47, "float_underscore"),
    Entry(48, "scanner_deactivation"),
    Entry(49, "tree_oob_child", "GW", (f"{_HELD}test_a_safe_file_that_crashes_costs_its_worker_only",)),
    Entry(50, "histgb_oob", "GW", (f"{_HELD}test_a_safe_file_that_crashes_costs_its_worker_only",)),
    Entry(
        51,
        "pipeline_memory",
        "GW",
        (
            f"{_TRAINING}test_parameters_that_would_run_something_are_refused",
            f"{_HELD}test_a_model_that_attacks_when_it_is_trained_again",
        ),
    ),
    Entry(52, "pre_dispatch", "GW", (f"{_OWN}test_52_pre_dispatch_is_told_and_refused",)),
    Entry(
        53,
        "n_jobs",
        "GW",
        (f"{_OWN}test_53_a_million_jobs_become_none", f"{_TRAINING}test_the_number_of_jobs_comes_back"),
    ),
    Entry(54, "huge_n_estimators", "W", (f"{_UPDATER}test_cancelling_ends_the_trainer_and_changes_nothing",)),
    Entry(55, "wrong_arity", "W", (f"{_OWN}test_55_a_function_of_another_arity_is_an_exception",)),
    Entry(56, "payload_after_array"),
    Entry(57, "compressed"),
    Entry(58, "object_array"),
    Entry(60, "frame_differential"),
    Entry(61, "wrapper_shapes"),
    Entry(62, "wrapper_beyond_EOF"),
    Entry(64, "wrapper_bad_pad"),
    Entry(66, "other_file", tests=("backends/test_joblib_legacy.py::test_a_companion_elsewhere_is_blocked",)),
    Entry(67, "zf_legacy", "A", ("backends/test_joblib_legacy.py::test_an_honest_file_of_old_is_no_alarm",)),
    Entry(68, "decompression_bomb"),
    Entry(70, "misaligned_mmap", "GW", (f"{_OWN}test_70_misaligned_arrays_are_loaded",)),
    Entry(71, "npy_shape_bomb"),
    Entry(72, "npy_header_length"),
    Entry(73, "npy_objects"),
    Entry(74, "duplicate_members"),
    Entry(75, "member_names_disagree"),
    Entry(76, "encrypted_bit"),
    Entry(77, "bad_crc", tests=(f"{_TORCH}test_a_hostile_container_is_blocked",)),
    Entry(78, "prefix_data", tests=(f"{_TORCH}test_a_hostile_container_is_blocked",)),
    Entry(79, "zip64_lies"),
    Entry(80, "member_paths"),
    Entry(81, "disguised_pickle"),
    Entry(82, "polyglots"),
    Entry(83, "torch_tar", "AR", (f"{_TORCH}test_a_tar_of_old_is_unsupported_and_says_what_to_do",)),
    Entry(84, "hdf5_external_link", "R", (f"{_HDF5}test_values_of_other_files_are_told_and_never_read",)),
    Entry(85, "hdf5_external_storage", "R", (f"{_HDF5}test_values_of_other_files_are_told_and_never_read",)),
    Entry(87, "hdf5_link_loop", "S", (f"{_HDF5}test_soft_link_loops_are_shown_and_not_followed",)),
    Entry(89, "hdf5_shape_bomb", "R", (f"{_HDF5}test_a_shape_bomb_is_told_without_allocating",)),
    Entry(90, "hdf5_unknown_filter", "S", (f"{_HDF5}test_an_unknown_filter_names_what_is_needed",)),
    Entry(
        91,
        "hdf5_truncation",
        "W",
        (
            f"{_HDF5}test_a_file_cut_anywhere_is_damaged",
            f"{_HDF5}test_flipped_bits_end_in_a_sentence_or_in_the_childs_death_alone",
        ),
    ),
    Entry(92, "hdf5_attributes", "R", (f"{_HDF5}test_depth_count_and_attribute_size_are_capped",)),
    Entry(93, "hdf5_control_characters", "S", (f"{_HDF5}test_names_with_control_characters_come_as_they_are",)),
    Entry(94, "keras_lambda", "AR", ("backends/test_keras.py::test_code_that_a_configuration_brings_in_is_told",)),
    Entry(95, "onnx_external"),
    Entry(96, "onnx_dims"),
    Entry(97, "onnx_loop"),
    Entry(98, "onnx_deep"),
    Entry(99, "safetensors_holes"),
    Entry(
        100, "symlink_outside", "R", (f"{_SEALED}test_what_is_no_regular_file_of_the_store_is_refused_in_a_sentence",)
    ),
    Entry(101, "symlink_loop", "R", (f"{_CATALOG}test_rows_that_cannot_be_read_say_why_and_stop_nothing",)),
    Entry(
        102,
        "symlink_swap",
        "R",
        (
            f"{_SEALED}test_a_link_swapped_in_between_never_leads_out",
            "engine/test_race.py::test_a_file_that_is_swapped_all_the_time",
        ),
    ),
    Entry(103, "fifo", "R", (f"{_CATALOG}test_rows_that_cannot_be_read_say_why_and_stop_nothing",)),
    Entry(
        104,
        "device_socket_directory",
        "R",
        (
            f"{_SEALED}test_a_socket_is_refused",
            f"{_SEALED}test_what_is_no_regular_file_of_the_store_is_refused_in_a_sentence",
        ),
    ),
    Entry(106, "mode_000", "S", (f"{_CATALOG}test_what_permissions_forbid_is_a_row_of_its_own",)),
    Entry(
        107,
        "hostile_names",
        "S",
        (
            f"{_CATALOG}test_hostile_names_are_rows_like_others",
            "ui/test_hostile.py::test_no_screen_lets_hostile_text_through",
        ),
    ),
    Entry(108, "markup_actions", "S", ("ui/test_hostile.py::test_no_screen_lets_hostile_text_through",)),
    Entry(109, "empty_file", "S", (f"{_CATALOG}test_rows_that_cannot_be_read_say_why_and_stop_nothing",)),
    Entry(110, "sparse_1_TiB", "R", (f"{_SEALED}test_what_is_no_regular_file_of_the_store_is_refused_in_a_sentence",)),
    Entry(
        111,
        "growing_file",
        "R",
        (
            f"{_SEALED}test_a_file_that_changes_while_it_is_copied_is_not_sealed",
            f"{_WATCHER}test_a_slow_writer_is_settling_until_it_closes",
        ),
    ),
    Entry(112, "mmap_writer", "S", (f"{_WATCHER}test_a_write_through_a_map_is_found_by_the_comparison",)),
    Entry(
        113,
        "many_files",
        "S",
        (f"{_CATALOG}test_twenty_thousand_files_after_random_changes", f"{_WATCHER}test_too_few_watches_are_told"),
    ),
    Entry(114, "store_replaced", "S", (f"{_WATCHER}test_a_store_that_is_replaced_between_two_looks",)),
    Entry(
        115,
        "unmounted",
        "S",
        (
            f"{_WATCHER}test_a_store_that_is_unmounted",
            "engine/test_engine.py::test_a_store_that_vanishes_keeps_its_rows_and_workers",
        ),
    ),
    Entry(
        116,
        "nan_inf",
        "R",
        (f"{_TRAINING}test_rows_that_teach_nothing_are_refused", f"{_TABLES}test_missing_values_before_an_imputer"),
    ),
    Entry(117, "wrong_columns", "R", (f"{_TABLES}test_all_differences_are_told",)),
    Entry(118, "wrong_types", "R", (f"{_TABLES}test_a_number_where_text_was_is_a_difference", f"{_TABLES}test_texts")),
    Entry(119, "broken_tables", "R", (f"{_TABLES}test_files_that_cannot_be_read_say_where",)),
    Entry(120, "too_many_rows", "R", (f"{_TABLES}test_limits_are_stated",)),
    Entry(122, "rows_that_teach_nothing", "R", (f"{_TRAINING}test_rows_that_teach_nothing_are_refused",)),
    Entry(123, "data_swapped_in_training", "S", (f"{_UPDATER}test_a_data_file_that_changes_meanwhile_is_noticed",)),
    Entry(124, "exit_0", "W", (f"{_PROCESS}test_exit_zero_is_no_success",)),
    Entry(125, "segfault", "W", (f"{_PROCESS}test_segmentation_fault_is_named_with_its_stack",)),
    Entry(
        126,
        "out_of_memory",
        "W",
        (
            f"{_PROCESS}test_memory_limit_is_a_memory_error",
            "worker/test_groups.py::test_what_only_the_group_counts_ends_the_child_and_is_told",
        ),
    ),
    Entry(
        127,
        "endless_loop",
        "W",
        (f"{_PROCESS}test_endless_loop_is_a_hang_with_its_stack", f"{_PROCESS}test_processor_time_limit"),
    ),
    Entry(128, "hang_in_load", "W", (f"{_PROCESS}test_endless_loop_is_a_hang_with_its_stack",)),
    Entry(129, "stderr_flood", "W", (f"{_PROCESS}test_a_flood_of_stderr_stalls_nothing_and_keeps_its_end",)),
    Entry(
        130, "fork_bomb", "W", (f"{_HELD}test_every_attack_is_stopped", f"{_HELD}test_nothing_of_a_child_outlives_it")
    ),
    Entry(131, "forged_frames", "W", (f"{_PROCESS}test_forged_frames_end_the_child",)),
    Entry(132, "exception_that_raises", "W", ("worker/test_tracebacks.py::test_a_text_that_raises_or_never_ends",)),
    Entry(134, "result_is_a_pickle", "W", (f"{_OWN}test_134_an_answer_that_is_a_pickle_is_told_as_text",)),
    Entry(
        135,
        "closes_and_stops",
        "W",
        (
            f"{_PROCESS}test_a_child_that_closes_its_descriptors_is_ended",
            f"{_PROCESS}test_a_stopped_child_is_killed_and_said_to_be_stopped",
            f"{_PROCESS}test_ignored_sigterm_does_not_keep_it",
        ),
    ),
    Entry(
        136, "tty", "W", (f"{_HELD}test_every_attack_is_stopped", "worker/test_sandbox.py::test_descriptors_and_stdin")
    ),
    Entry(
        137,
        "kill_at_each_call",
        "C",
        (f"{_CRASH}test_killed_before_each_call", f"{_CRASH}test_recovery_that_is_killed_too"),
    ),
    Entry(
        138,
        "no_space",
        "C",
        (f"{_CRASH}test_told_no_at_each_call", f"{_PUBLISH}test_a_full_file_system_leaves_the_old_in_place"),
    ),
    Entry(139, "fsync_fails", "C", (f"{_CRASH}test_told_no_from_some_call_on",)),
    Entry(140, "read_only", "C", (f"{_CRASH}test_told_no_at_each_call",)),
    Entry(
        141,
        "other_file_system",
        "C",
        (f"{_PUBLISH}test_an_artifact_on_another_file_system_than_the_stores_own_directory",),
    ),
    Entry(142, "two_updaters", "C", (f"{_PUBLISH}test_two_at_once_do_not_lose_an_update",)),
    Entry(143, "foreign_change", "C", (f"{_UPDATER}test_a_foreign_change_in_between_is_a_conflict_and_kept",)),
    Entry(
        144,
        "bad_training",
        "C",
        (
            "update/test_gate.py::test_nothing_passes_on_what_is_not_a_finite_number",
            f"{_UPDATER}test_rows_that_cannot_be_used_change_nothing",
        ),
    ),
    Entry(145, "clock_jumps", "C", (f"{_PUBLISH}test_only_so_many_versions_are_kept_by_the_order_of_promotion",)),
    Entry(
        146,
        "power_cut",
        "C",
        (
            "store/test_catalogue.py::test_146_everything_is_on_disk_before_it_is_called_done",
            f"{_STATES}test_any_order_of_events",
        ),
    ),
    Entry(147, "history_tampered", "C", (f"{_PUBLISH}test_a_version_that_was_tampered_with_is_not_promoted",)),
    Entry(
        148,
        "journal_damaged",
        "C",
        (f"{_PUBLISH}test_a_damaged_line_of_the_journal_costs_that_line_and_not_the_store",),
    ),
    Entry(
        149,
        "terminal_lost",
        "C",
        (
            "e2e/test_terminal.py::test_a_lost_terminal_ends_it_and_its_children",
            "e2e/test_terminal.py::test_a_signal_ends_it_clean",
        ),
    ),
)
"""Every entry of the catalogue."""


def samples_of(number: int) -> list[Sample]:
    """The samples whose title starts with this number."""
    return [sample for sample in SAMPLES if sample.title.partition(" ")[0] == str(number)]


def verdict_on(sample: Sample, directory: Path) -> tuple[Verdict, bool]:
    """The verdict on a sample, and whether anything of it ran."""
    marker, path = directory / "ran", directory / f"model{sample.suffix}"
    path.write_bytes(sample.build(str(marker)))
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        judged = judge(registry.inspect(Source(fd, path.name)), Policy())
    except ArtifactError as error:
        judged = judge_error(error)
    finally:
        os.close(fd)
        path.unlink()
    assert judged.verdict is not None
    return judged.verdict, marker.exists()


def _outcomes() -> dict[str, str]:
    """Run every named test once: `path::function` to passed, skipped or failed."""
    wanted = sorted({test for entry in ENTRIES for test in entry.tests})
    with tempfile.NamedTemporaryFile(suffix=".xml") as report:
        command = [sys.executable, "-m", "pytest", "-q", f"--junitxml={report.name}", "-m", "slow or not slow"]
        subprocess.run([*command, *(f"tests/{test}" for test in wanted)], cwd=ROOT, check=False, stdout=sys.stderr)
        cases = ElementTree.parse(report.name).iter("testcase")
        found: dict[str, str] = {}
        for case in cases:
            where = case.get("classname", "").replace(".", "/").removeprefix("tests/")
            name = f"{where}.py::{case.get('name', '').partition('[')[0]}"
            tags = {child.tag for child in case}
            outcome = _FAILED if tags & {"failure", "error"} else _SKIPPED if "skipped" in tags else _PASSED
            if found.get(name) != _FAILED:
                found[name] = _PASSED if _PASSED in (outcome, found.get(name)) and outcome != _FAILED else outcome
    return found


def main() -> int:
    """Print the table and the counts; 1 when an entry is missed."""
    parser = argparse.ArgumentParser(prog="python -m tests.catalogue")
    parser.add_argument("--run", action="store_true", help="run the tests that the entries name")
    outcomes = _outcomes() if parser.parse_args().run else {}
    counts = Counter[str]()
    print("entry|name|expected|samples|verdicts|tests|result")
    with tempfile.TemporaryDirectory() as directory:
        for entry in ENTRIES:
            judged = [(sample, *verdict_on(sample, Path(directory))) for sample in samples_of(entry.number)]
            right = [verdict in entry.verdicts and not ran for _, verdict, ran in judged]
            ended = Counter(outcomes.get(test, "named") for test in entry.tests)
            missed = not all(right) or ended[_FAILED] or not (judged or entry.tests)
            result = "missed" if missed else "right verdict" if judged else "contained" if ended[_PASSED] else "named"
            verdicts = ", ".join(f"{n} {verdict}" for verdict, n in Counter(v.value for _, v, _ in judged).items())
            told = ", ".join(f"{n} {outcome}" for outcome, n in ended.items())
            print(f"{entry.number}|{entry.name}|{entry.expected}|{len(judged)}|{verdicts}|{told}|{result}")
            counts.update({"entries": 1, "samples": len(judged), "samples judged right": sum(right), result: 1})
    others = [sample for sample in SAMPLES if int(sample.title.partition(" ")[0]) not in {e.number for e in ENTRIES}]
    counts["samples of our own besides"] = len(others)
    print("; ".join(f"{name}: {count}" for name, count in counts.items()))
    return 1 if counts["missed"] else 0


if __name__ == "__main__":
    sys.exit(main())
