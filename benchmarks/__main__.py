"""`make bench`: every benchmark, one after the other, on servers of its own."""

from __future__ import annotations

from benchmarks import backlog, copy, decode_rows, load_latency, verify

if __name__ == "__main__":
    for benchmark in (decode_rows, load_latency, backlog, copy, verify):
        print(f"== {benchmark.__name__}: {(benchmark.__doc__ or '').splitlines()[0]}", flush=True)
        benchmark.main()
