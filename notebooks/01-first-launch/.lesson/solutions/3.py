import workbench

here = workbench.here()
name = here.name
megabytes = here.status()["usage"]["memory"] / 1_000_000
