# The workflow of the book for Snakemake. It holds no list of its own: every rule comes from iplkit.regenerate.jobs,
# which reads the notebooks. Readers call `iplkit regenerate`; a cluster can call Snakemake itself:
#   snakemake --config tier=full --executor slurm --jobs 20
from iplkit.regenerate import jobs

STEPS = jobs(config.get("tier", "laptop"), config.get("profile", "world"))


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
