"""`python -m ectype` is `ectype`."""

from ectype.cli import main

if __name__ == "__main__":
    main()
