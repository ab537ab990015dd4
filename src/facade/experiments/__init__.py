"""Studies that need several runs of the pipeline: run them, compare them on the golden set, write a page of results."""
