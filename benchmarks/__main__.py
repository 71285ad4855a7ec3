"""Run the benchmarks that need no data, one after another, with their defaults."""

from benchmarks import loop_overhead, step_cost

if __name__ == "__main__":
    loop_overhead.main([])
    step_cost.main([])
