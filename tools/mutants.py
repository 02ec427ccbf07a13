"""Change the rules one operator at a time and see whether a test of the ledger notices: `make mutants`.

Works on a copy in build/mutants/, with cosmic-ray. A full run takes hours, so a sample is drawn: always the
same one for the same code and `--seed`. Survivors are printed as differences: each is a test that is missing,
or a line that does nothing. Exit 0 when at least `--at-least` per cent were noticed, 1 otherwise, 2 when the
tests fail without any change.
"""

import argparse
import os
import random
import re
import shutil
import subprocess
import sys
import time

from cosmic_ray.work_db import WorkDB, use_db
from cosmic_ray.work_item import WorkerOutcome, WorkItem, WorkResult

from shipped import OURS, ROOT

COPY = ROOT / "build" / "mutants"
TARGETS = ("trace/cylinder_trace/rules", "trace/cylinder_trace/admission.py")
ABOUT_THE_RULES = ("test_admission*", "test_reasons*", "test_rule*", "test_decisions_of_before*", "test_cylinder_life*")
TEST = f"{sys.executable} -m pytest -x -q -p no:cacheprovider -m 'not slow' " + " ".join(
    f"tests/trace/{name}.py" for name in ABOUT_THE_RULES
)
WORTH_TRYING = re.compile(
    r"core/(ReplaceComparisonOperator|ReplaceBinaryOperator_(Add_Sub|Sub_Add|Mul_Div|Div_Mul)"
    r"|ReplaceAndWithOr|ReplaceOrWithAnd|AddNot|NumberReplacer|ReplaceTrueWithFalse|ReplaceFalseWithTrue)"
)
"""The slips a person makes; cosmic-ray's others mostly break the type annotations."""


def main() -> int:
    """Make the copy, try the sample, print survivors and the share that was noticed."""
    arguments = parse_arguments()
    lay_out_copy()
    started = time.monotonic()
    if subprocess.run(TEST, shell=True, cwd=COPY, env=environment(), check=False).returncode != 0:  # noqa: S602 - our own line
        print("The tests in tests/trace fail without any change; see above.", file=sys.stderr)
        return 2
    cosmic_ray("init", "cosmic-ray.toml", "session.sqlite")
    tried = draw_sample(arguments.sample, arguments.seed)
    minutes = tried * (time.monotonic() - started) / 60
    print(f"Trying {tried} mutants, at most {minutes:.0f} minutes ...", flush=True)
    cosmic_ray("exec", "cosmic-ray.toml", "session.sqlite")
    return report(arguments.at_least)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sample", type=int, default=100, help="how many mutants to try (default 100)")
    parser.add_argument("--seed", type=int, default=1, help="draws another sample (default 1)")
    parser.add_argument("--at-least", type=int, default=90, help="per cent that must be noticed (default 90)")
    return parser.parse_args()


def lay_out_copy() -> None:
    """Copy what the ledger's tests need; the mutants are written there, never into the checkout."""
    shutil.rmtree(COPY, ignore_errors=True)
    ignored = shutil.ignore_patterns("__pycache__")
    for folder in (*OURS.values(), "tests"):
        shutil.copytree(ROOT / folder, COPY / folder, ignore=ignored, symlinks=True)
    shutil.copy(ROOT / "pyproject.toml", COPY)
    paths = ", ".join(f'"{target}"' for target in TARGETS)
    (COPY / "cosmic-ray.toml").write_text(
        f'[cosmic-ray]\nmodule-path = [{paths}]\ntimeout = 120.0\ntest-command = "{TEST}"\n'
        'excluded-modules = []\n[cosmic-ray.distributor]\nname = "local"\n'
    )


def environment() -> dict[str, str]:
    # before the editable installs on the path, so that the copy is what gets tested
    return {**os.environ, "PYTHONPATH": os.pathsep.join(str(COPY / folder) for folder in OURS.values())}


def cosmic_ray(*command: str) -> None:
    subprocess.run([sys.executable, "-m", "cosmic_ray.cli", *command], cwd=COPY, env=environment(), check=True)


def draw_sample(size: int, seed: int) -> int:
    """Mark all but a sample as skipped; return how many are left to try."""
    with use_db(str(COPY / "session.sqlite"), WorkDB.Mode.open) as session:
        items = sorted(session.pending_work_items, key=place)
        worth = [item for item in items if WORTH_TRYING.match(item.mutations[0].operator_name)]
        chosen = {item.job_id for item in random.Random(seed).sample(worth, min(size, len(worth)))}  # noqa: S311 - a sample, no secret
        skipped = [item.job_id for item in items if item.job_id not in chosen]
        session.set_multiple_results(skipped, WorkResult(worker_outcome=WorkerOutcome.SKIPPED))
    return len(chosen)


def place(item: WorkItem) -> tuple[str, tuple[int, int], str, int]:
    mutation = item.mutations[0]
    return (str(mutation.module_path), mutation.start_pos, mutation.operator_name, mutation.occurrence)


def report(at_least: int) -> int:
    """Print every survivor and the share of mutants that a test noticed; return the exit code."""
    with use_db(str(COPY / "session.sqlite"), WorkDB.Mode.open) as session:
        results = [r for _, r in session.results if r.worker_outcome != WorkerOutcome.SKIPPED]
    survivors = [result for result in results if not result.is_killed]
    for survivor in survivors:
        print(survivor.diff)
    noticed = len(results) - len(survivors)
    share = 100 * noticed // max(1, len(results))
    print(f"{noticed} of {len(results)} mutants noticed ({share} %, at least {at_least} % wanted).")
    return 0 if share >= at_least else 1


if __name__ == "__main__":
    sys.exit(main())
