"""Benchmarks: against peers, against the bare loop, and of the parts of a step.

From the root of the repository, in an environment with `pip install -e '.[dev]'`:

    python -m benchmarks                       the two that need no data, about 12 minutes
    python -m benchmarks.loop_overhead         our trainer against a bare hand-written loop
    python -m benchmarks.step_cost             what penalties, layouts and precision cost
    python -m benchmarks.step_profile          what a step spends on arithmetic, and how well
    python -m benchmarks.earlier               the rate of the GAN beside an earlier commit
    python -m benchmarks.equal_time_images \\
        --fashion fashion-mnist.npz --emoji openmoji-64/     us and peers, an hour
    python -m benchmarks.equal_time_text \\
        --names names.txt --fortunes fortunes.txt            us and peers, an hour
    python -m benchmarks.equal_time_tables --table adult.csv:income diamonds.csv:price
    python -m benchmarks.equal_time_audio --sounds drums-16k/

These go on where they stopped if the same command is given again, from the folder `--work`:

    python -m benchmarks.modes                 modes that the GAN finds where they can be counted
    python -m benchmarks.many_seeds            whether default trainings ever collapse, 4 hours
    python -m benchmarks.little_data           augmentation and `--from` on little data
    python -m benchmarks.choices               whether `compare` and `auto` choose well, 10 hours

`make bench` runs the first line. Each prints a Markdown table with the date, the machine and the
command, and takes `--json FILE`. Run them on an otherwise idle machine, one at a time; on shared
cores set OMP_WAIT_POLICY=PASSIVE. Published figures are in docs/benchmarks.md.

This file imports nothing: peers run in environments that lack ectype.
"""
