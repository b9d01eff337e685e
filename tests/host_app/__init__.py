"""The example app of the local host's tests (function_app.py, host.json) and the bench it is tested on."""
