"""The functions behind commands, one noun a file; cli.py registers them, one line each."""
