"""Figures, tables, the HTML report, and the comment on a pull request."""
