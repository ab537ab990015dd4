"""The photographs that come with Facade: drawn by formulas, of people who do not exist."""

from facade.demo.write import write_demo

__all__ = ["write_demo"]
