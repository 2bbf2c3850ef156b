"""What the commands of cli.py do, a module for each noun; cli.py only registers them."""
