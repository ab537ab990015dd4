"""`python -m facade`."""

from facade.cli import main

if __name__ == "__main__":
    main()
