"""The operator's commands, one module each; ``connector.__main__`` puts them on one command line."""
