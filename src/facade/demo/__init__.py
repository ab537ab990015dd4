"""The demo data set: procedurally rendered photographs of synthetic people."""

from facade.demo.write import write_demo

__all__ = ["write_demo"]
