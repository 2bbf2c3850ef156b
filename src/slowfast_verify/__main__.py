"""`python -m slowfast_verify`."""

from .cli import main

main()
