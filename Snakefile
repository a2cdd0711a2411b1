# The workflow of the book for Snakemake. It holds no list of its own: every rule comes from iplkit.jobs, which reads
# the notebooks. Readers call `iplkit regenerate`, which calls this; profiles/ says how steps run on a cluster.
import os

from iplkit.jobs import jobs
from iplkit.stage import environment

STEPS = jobs(config.get("tier", "laptop"), config.get("profile", "world"))
os.environ.update(environment())  # one thread a step, wherever it runs


rule everything:
    input:
        [output for step in STEPS for output in step.outputs],


for place, step in enumerate(STEPS):

    rule:
        name:
            step.rule
        input:
            list(step.inputs),
        output:
            list(step.outputs),
        log:
            step.log,
        priority: len(STEPS) - place  # long adaptations first, then the order of the book
        params:
            command=step.shell,
        shell:
            "{params.command}"
