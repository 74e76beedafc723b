"""`make bench`: measures, prints one table, writes benchmarks/results.json. How to measure lies beside it.

make bench                         everything, medians of 3
make bench BENCH=new_rows          the lines named, and those measured with them
make bench BENCH_ARGS="--list"     the names
"""

from __future__ import annotations

import argparse
import os
import platform
import signal
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path

from benchmarks import api_requests, large_batch, loading, payload_rows, payout_rows, small_batch, year
from benchmarks.lines import Line, print_table, write_results
from benchmarks.site import ROOT, Site, remove_abandoned

Measure = Callable[[Site, int], list[Line]]
CASES: dict[tuple[str, ...], Measure] = {
    ("definitions",): loading.measure,
    ("check_1m",): large_batch.measure_check,
    ("bare_copy", "new_rows", "unchanged_rows"): large_batch.measure_times,
    ("memory_1m", "memory_1m_postgres"): large_batch.measure_memory,
    ("memory_5m", "memory_5m_postgres", "memory_growth"): large_batch.measure_more_memory,
    ("small_batch", "small_batch_from_drop"): small_batch.measure,
    ("reprocess_365", "reprocess_365_orchestrator", "reprocess_365_plain"): year.measure,
    ("payload_rows", "payload_rows_memory"): payload_rows.measure,
    ("payout_items", "payout_charges", "payout_memory"): payout_rows.measure,
    ("quickbooks_turns_unused", "quickbooks_refused"): api_requests.measure_quickbooks,
    ("xero_turns_unused", "xero_refused"): api_requests.measure_xero,
}
NAMES = [name for names in CASES for name in names]


def machine() -> str:
    """Say on what the figures were reached."""
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        models = [line for line in cpuinfo.read_text().splitlines() if line.startswith("model name")]
        model = models[0].partition(":")[2].strip() if models else model
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    return f"{os.cpu_count()} x {model}, {memory:.0f} GB, {platform.system()}, Python {platform.python_version()}"


def main() -> int:
    """Measure what is asked for; 1 when something could not be measured; a missed target is told, not raised."""
    parser = argparse.ArgumentParser(prog="make bench", description="Measure speed and memory.")
    parser.add_argument("names", nargs="*", metavar="LINE", help="all when left out")
    parser.add_argument("--list", action="store_true", help="print the names of the lines")
    parser.add_argument("--repeats", type=int, default=3, help="of which the median counts (3)")
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results.json")
    wanted = parser.parse_args()
    if wanted.list:
        print("\n".join(NAMES))
        return 0
    unknown = sorted(set(wanted.names) - set(NAMES))
    if unknown:
        parser.error(f"there is no line {unknown[0]}; there are {', '.join(NAMES)}")
    chosen = [(names, case) for names, case in CASES.items() if not wanted.names or set(wanted.names) & set(names)]
    lines: list[Line] = []
    failed = 0
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # what was started is ended all the same
    remove_abandoned()
    site = Site()
    try:
        site.begin_afresh()
        for names, case in chosen:
            began = time.monotonic()
            print(f"{names[0]} ...", end="", file=sys.stderr, flush=True)
            try:
                lines += case(site, wanted.repeats)
            except Exception:  # noqa: BLE001 - the other lines are measured all the same
                failed += 1
                traceback.print_exc()
            print(f" {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
            write_results(wanted.out, lines, NAMES)
    finally:
        site.remove()
    print(f"{machine()}; medians of {wanted.repeats}")
    print_table(lines)
    print(f"Written to {wanted.out.relative_to(ROOT) if wanted.out.is_relative_to(ROOT) else wanted.out}.")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
