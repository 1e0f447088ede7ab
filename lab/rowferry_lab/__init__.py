"""The laboratory: real servers, example data and faults for the demo, the tests and the benchmarks.

Nothing here ships with Rowferry itself, and the daemon must not import it.
"""
