"""Azure Queue and Table Storage: queues, ledger, cursors, gates. Typed errors, escaped keys, the server's clock."""
